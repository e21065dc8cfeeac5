"""Embeddings of tasks' texts: a frozen CLIP text model where it can be had, else a deterministic stand-in.

Both give 512 numbers per text with a norm of about 15. Which one was used is part of a result's provenance: their
embeddings have nothing to do with each other.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from newt_bench.atomic import atomic_path

__all__ = [
    "CLIP_MODEL",
    "TEXT_FEATURES",
    "CachedEncoder",
    "ClipEncoder",
    "HashEncoder",
    "TextEncoder",
    "cache_folder",
    "text_encoder",
]

logger = logging.getLogger(__name__)

#: Width of the embeddings.
TEXT_FEATURES = 512

CLIP_MODEL = "openai/clip-vit-base-patch32"


class TextEncoder(Protocol):
    """Turns texts into embeddings. Equal names mean equal embeddings."""

    @property
    def name(self) -> str:
        """Name for provenance and caches."""
        ...

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings of shape (texts, 512)."""
        ...


class HashEncoder:
    """The stand-in: counts of words, word pairs and parts of words, hashed to signed entries and scaled to norm 15.

    It needs nothing but the standard library and NumPy and gives the same numbers everywhere. Texts that share
    words are near each other; of meaning it knows nothing.
    """

    name = "hash-ngrams-1"

    _NORM = 15.0
    _SPREAD = 4  # entries per feature, so that collisions of two features are partial

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder`."""
        return np.stack([self._embed(text) for text in texts]) if texts else np.zeros((0, TEXT_FEATURES), np.float32)

    def _embed(self, text: str) -> NDArray[np.float32]:
        embedding = np.zeros(TEXT_FEATURES)
        for feature, count in Counter(_features(text)).items():
            digest = hashlib.blake2b(feature.encode(), digest_size=4 * self._SPREAD).digest()
            numbers = np.frombuffer(digest, "<u4")
            signs = np.where(numbers >> 31, -1.0, 1.0)
            np.add.at(embedding, numbers % TEXT_FEATURES, signs * count**0.5)
        norm = float(np.linalg.norm(embedding))
        scaled: NDArray[np.float32] = (embedding * (self._NORM / norm if norm else 0.0)).astype(np.float32)
        return scaled


class ClipEncoder:
    """The text model of CLIP: the mean of its last hidden state over a text's tokens.

    Args:
        model: Name on the Hugging Face Hub, or a folder.

    Raises:
        Exception: Whatever `transformers` raises if the model cannot be had.
    """

    def __init__(self, model: str = CLIP_MODEL) -> None:
        import torch
        from transformers import AutoTokenizer, CLIPTextModel

        self._torch = torch
        self._tokenizer: Any = AutoTokenizer.from_pretrained(model)
        self._model: Any = CLIPTextModel.from_pretrained(model).eval()
        self._max_tokens = int(self._model.config.max_position_embeddings)
        self.name = model

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder`. Texts go in one by one, so that none depends on another's padding."""
        rows = []
        with self._torch.inference_mode():
            for text in texts:
                tokens = self._tokenizer(text, return_tensors="pt", truncation=True, max_length=self._max_tokens)
                states = self._model(input_ids=tokens["input_ids"]).last_hidden_state[0]
                rows.append(states.mean(0).float().numpy())
        return np.stack(rows)


class CachedEncoder:
    """An encoder that remembers its embeddings on disk, in a safetensors file.

    The encoder itself is built only when a text is new, so that cached texts need neither model nor network.

    Args:
        name: Name of the encoder.
        build: Builds it.
        folder: Where the file goes.
    """

    def __init__(self, name: str, build: Callable[[], TextEncoder], folder: Path) -> None:
        self.name = name
        self._build = build
        self._encoder: TextEncoder | None = None
        self._path = folder / f"{re.sub(r'[^A-Za-z0-9.-]+', '--', name)}.safetensors"

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder`."""
        from safetensors.numpy import load_file, save_file

        known = load_file(self._path) if self._path.exists() else {}
        missing = [text for text in dict.fromkeys(texts) if _key(text) not in known]
        if missing:
            self._encoder = self._encoder or self._build()
            known |= {_key(t): row for t, row in zip(missing, self._encoder(missing), strict=True)}
            with atomic_path(self._path) as temporary:
                save_file({key: np.ascontiguousarray(row) for key, row in known.items()}, temporary)
        return np.stack([known[_key(text)] for text in texts])


def cache_folder() -> Path:
    """Where embeddings are kept: below `NEWT_BENCH_CACHE` if that is set, else `~/.cache/newt-bench`."""
    root = os.environ.get("NEWT_BENCH_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "newt-bench") / "language"


def text_encoder(
    texts: Sequence[str], name: str = CLIP_MODEL, build: Callable[[], TextEncoder] | None = None
) -> TextEncoder:
    """The encoder that this machine can have for some texts.

    Args:
        texts: What is to be embedded. CLIP does not need to be there if all of them are cached.
        name: Name of the wanted encoder.
        build: Builds it; by default the CLIP text model of that name.

    Returns:
        The wanted encoder, cached, or `HashEncoder` after a warning in the log.
    """
    if name == HashEncoder.name:
        return HashEncoder()
    wanted = CachedEncoder(name, build or (lambda: ClipEncoder(name)), _writable(cache_folder()))
    try:
        wanted(texts)
    except Exception as error:  # whatever a hub, a cache or an absent package may raise
        logger.warning(
            "The text model %s cannot be had (%s: %s). Tasks are told apart by hashed words instead (%s); results "
            "are NOT comparable with ones from CLIP embeddings, least of all on tasks never trained on.",
            name,
            type(error).__name__,
            (str(error).splitlines() or [""])[0],
            HashEncoder.name,
        )
        return HashEncoder()
    return wanted


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _writable(folder: Path) -> Path:
    """The folder, or a temporary one if it cannot be made (a read-only home)."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="newt-bench-"))
    return folder


def _features(text: str) -> Iterator[str]:
    """Words, pairs of words, and runs of four letters within words."""
    words = re.findall(r"[a-z0-9']+", text.lower())
    yield from words
    yield from (f"{a} {b}" for a, b in itertools.pairwise(words))
    for word in words:
        marked = f"<{word}>"
        yield from (f"#{marked[i : i + 4]}" for i in range(len(marked) - 3))
