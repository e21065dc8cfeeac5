"""How many threads PyTorch computes with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["torch_threads"]


@contextmanager
def torch_threads(number: int | None) -> Iterator[None]:
    """Has PyTorch compute with so many threads in the block, if the agent uses it.

    With one thread, sums come out the same wherever they are made; and where networks are small, or other programs use
    the cores, one thread is the fastest.

    Args:
        number: How many; None leaves it alone.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None or number is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
