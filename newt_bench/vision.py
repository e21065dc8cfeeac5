"""Image features: a frozen DINOv2 where it can be had, else a deterministic stand-in, said loudly."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from newt_bench.errors import InputError

__all__ = ["IMAGE_FEATURES", "DinoEncoder", "ImageEncoder", "PooledImageEncoder", "image_encoder"]

logger = logging.getLogger(__name__)

#: Width of the features.
IMAGE_FEATURES = 768

DINO_MODEL = "facebook/dinov2-base"

# Channel statistics of ImageNet, to which such models' inputs are scaled.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)


class ImageEncoder(Protocol):
    """Turns frames into features."""

    @property
    def name(self) -> str:
        """Name for provenance."""
        ...

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of shape (frames, 768) of RGB frames of shape (frames, size, size, 3)."""
        ...


class PooledImageEncoder:
    """The stand-in: mean colours over a grid of 16 by 16 cells, 768 numbers. Needs frames of 16 n pixels a side."""

    name = "pooled-16x16"

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `ImageEncoder`."""
        count, size = frames.shape[:2]
        if size % 16:
            raise InputError(f"The stand-in image encoder needs images of 16 n pixels a side, not {size}")
        cell = size // 16
        pooled = (_scaled(frames)).reshape(count, 16, cell, 16, cell, 3).mean((2, 4), dtype=np.float32)
        features: NDArray[np.float32] = pooled.reshape(count, IMAGE_FEATURES)
        return features


class DinoEncoder:
    """DINOv2: the class token of the last hidden state.

    Args:
        model: Name on the Hugging Face Hub, or a folder.
        device: Where to compute.

    Raises:
        Exception: Whatever `transformers` raises if the model cannot be had.
    """

    def __init__(self, model: str = DINO_MODEL, device: str = "cpu") -> None:
        import torch
        from transformers import AutoModel

        self._torch = torch
        self._device = device
        self._model: Any = AutoModel.from_pretrained(model).to(device).eval()
        self.name = model

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `ImageEncoder`."""
        with self._torch.inference_mode():
            pixels = self._torch.from_numpy(_scaled(frames)).permute(0, 3, 1, 2).to(self._device)
            tokens = self._model(pixel_values=pixels).last_hidden_state
            features: NDArray[np.float32] = tokens[:, 0].float().cpu().numpy()
        return features


def image_encoder(build: Callable[[], ImageEncoder] = DinoEncoder) -> ImageEncoder:
    """The image encoder that this machine can have.

    Args:
        build: Builds the wanted one.

    Returns:
        DINOv2, or the stand-in after a warning in the log.
    """
    try:
        return build()
    except Exception as error:  # whatever a hub, a cache or an absent package may raise
        logger.warning(
            "DINOv2 cannot be had (%s: %s). Image features are mean colours on a 16x16 grid instead; "
            "results are NOT comparable with ones from DINOv2 features.",
            type(error).__name__,
            str(error).splitlines()[0] if str(error) else "",
        )
        return PooledImageEncoder()


def _scaled(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    return ((frames.astype(np.float32) / 255 - _MEAN) / _STD).astype(np.float32)
