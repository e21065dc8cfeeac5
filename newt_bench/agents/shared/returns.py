"""How large each task's returns are, so that one range of values serves all tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["ReturnScale"]

_FLOOR = 1e-3


class ReturnScale(nn.Module):
    """The largest absolute running return of each task.

    The running return of a slot is G <- r + gamma G, from 0 at an episode's start. It sums up the past, and is known at
    every step; its reach is that of the discounted returns ahead.

    Args:
        discounts: Discount of each task.

    Attributes:
        largest: The largest |G| of each task, 0 before its first reward, shape (tasks,).
        running: G of each slot, shape (slots,).
    """

    largest: Tensor
    task_rows: ClassVar[tuple[str, ...]] = ("largest",)

    def __init__(self, discounts: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("largest", torch.zeros(len(discounts)))
        self._discounts = np.array(discounts)
        self.running = np.zeros(0)

    def observe(self, task: NDArray[np.int64], reward: NDArray[np.float32], last: NDArray[np.bool_]) -> None:
        """Takes in one step of every slot.

        Args:
            task: Task indices, shape (slots,).
            reward: Rewards, shape (slots,).
            last: Whether the step ended an episode, shape (slots,).
        """
        if len(self.running) != len(task):
            self.running = np.zeros(len(task))
        self.running = reward + self._discounts[task] * self.running
        largest = np.zeros(len(self.largest), np.float32)
        np.maximum.at(largest, task, np.abs(self.running).astype(np.float32))
        torch.maximum(self.largest, torch.from_numpy(largest).to(self.largest.device), out=self.largest)
        self.running[last] = 0

    def restart(self, slots: NDArray[np.bool_]) -> None:
        """Sets G to 0 in the slots that are marked: their episodes began anew."""
        if len(self.running) == len(slots):
            self.running[slots] = 0

    def reach(self, task: Tensor) -> Tensor:
        """The largest absolute returns of tasks given by index, at least 0.001: shape (batch,)."""
        return self.largest[task].clamp(min=_FLOOR)
