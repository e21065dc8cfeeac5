"""Contains simulators that draw from NumPy's global generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

__all__ = ["seeded_global_numpy"]


@contextmanager
def seeded_global_numpy(seed: int) -> Iterator[None]:
    """Seeds NumPy's legacy global generator for the block, and puts its state back afterwards.

    For simulators that insist on the global generator: what they draw becomes a function of `seed`, and the
    caller's own draws are not disturbed. Not safe against other threads that draw at the same time.

    Args:
        seed: Integer in [0, 2**32).
    """
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
