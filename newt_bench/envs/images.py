"""Shrinks and enlarges frames, for simulators that draw at a size of their own."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["resize"]


def resize(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resizes a square image bilinearly, with antialiasing when it shrinks.

    It is the filter that image libraries call bilinear (a triangle, widened when shrinking); results are
    within one grey level of theirs, which use fixed-point arithmetic.

    Args:
        image: Shape (n, n, channels).
        size: Height and width of the result in pixels.

    Returns:
        Array of shape (size, size, channels); the image itself if it has that size already.
    """
    side, _, channels = image.shape
    if side == size:
        return image
    weights = _weights(side, size)
    rows = (weights @ image.reshape(side, -1)).reshape(size, side, channels)
    columns = weights @ rows.transpose(1, 0, 2).reshape(side, -1)
    result = np.rint(columns).astype(np.uint8).reshape(size, size, channels)
    return np.ascontiguousarray(result.transpose(1, 0, 2))


@functools.cache
def _weights(before: int, after: int) -> Any:
    """Sparse matrix of shape (after, before) whose rows hold the weights of each new pixel and sum to 1."""
    from scipy import sparse

    scale = before / after
    support = max(scale, 1.0)
    centers = (np.arange(after)[:, None] + 0.5) * scale
    distances = np.abs(np.arange(before)[None, :] + 0.5 - centers) / support
    triangle = np.maximum(1 - distances, 0)
    return sparse.csr_array((triangle / triangle.sum(axis=1, keepdims=True)).astype(np.float32))
