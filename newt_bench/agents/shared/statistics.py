"""Running mean and standard deviation per task. Entry j of padded observations means something else in every task."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from newt_bench.catalogue import PADDED_OBS_DIM

__all__ = ["RunningStatistics"]


class RunningStatistics(nn.Module):
    """Mean and variance of every entry over all that was seen of a task, by the parallel form of Welford's method.

    Padding is 0 throughout and stays 0 when scaled.

    Args:
        tasks: Number of tasks.
        width: Number of entries.
        epsilon: Added to standard deviations: least spread that is told from none.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor
    task_rows: ClassVar[tuple[str, ...]] = ("mean", "variance", "count")

    def __init__(self, tasks: int, width: int = PADDED_OBS_DIM, *, epsilon: float = 1e-2) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.register_buffer("mean", torch.zeros(tasks, width, dtype=torch.float64))
        self.register_buffer("variance", torch.ones(tasks, width, dtype=torch.float64))
        self.register_buffer("count", torch.zeros(tasks, dtype=torch.float64))

    @torch.no_grad()
    def update(self, x: Tensor, task: Tensor) -> None:
        """Takes in rows.

        Args:
            x: Shape (batch, width).
            task: Task index of each row, shape (batch,).
        """
        x = x.double()
        added = torch.zeros_like(self.count).index_add_(0, task, x.new_ones(len(x)))
        divisor = added.clamp(min=1).unsqueeze(-1)
        mean = torch.zeros_like(self.mean).index_add_(0, task, x) / divisor
        squares = torch.zeros_like(self.mean).index_add_(0, task, (x - mean[task]).square())
        total = self.count + added
        seen, share = (added > 0).unsqueeze(-1), (added / total.clamp(min=1)).unsqueeze(-1)
        before = self.count.unsqueeze(-1)
        delta = mean - self.mean
        spread = self.variance * before + squares + delta.square() * before * share
        self.variance = torch.where(seen, spread / total.clamp(min=1).unsqueeze(-1), self.variance)
        self.mean = torch.where(seen, self.mean + delta * share, self.mean)
        self.count = total

    def scale(self, task: Tensor) -> Tensor:
        """Divisors: standard deviations plus epsilon, 1 for tasks not seen yet; shape (batch, width), float32."""
        deviation = self.variance.sqrt() + self.epsilon
        return torch.where((self.count > 0).unsqueeze(-1), deviation, torch.ones_like(deviation))[task].float()

    def normalize(self, x: Tensor, task: Tensor, clip: float) -> Tensor:
        """Scales rows to mean 0 and standard deviation 1, clipped to +-`clip`.

        Args:
            x: Shape (..., batch, width).
            task: Task index of each row, shape (batch,).
            clip: Greatest absolute value of the result.

        Returns:
            Shape (..., batch, width), float32.
        """
        return ((x - self.mean[task].float()) / self.scale(task)).clamp(-clip, clip)
