"""The weight of entropy in the return, learned so that entropy meets a target (SAC, arXiv 1812.05905)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Temperature"]


class Temperature(nn.Module):
    """Temperatures alpha > 0, stored as logarithms.

    The target entropy of task k is -`target_scale` n_k, where n_k is its number of actions.

    Args:
        action_dims: Number of actions of each task.
        target_scale: The target entropy per action, negated.
        initial: What alpha starts from.
        per_task: Whether each task has its own; else all share one.
    """

    target: Tensor

    def __init__(self, action_dims: Sequence[int], *, target_scale: float, initial: float, per_task: bool) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.full((len(action_dims) if per_task else 1,), math.log(initial)))
        self.register_buffer("target", -target_scale * torch.tensor(action_dims, dtype=torch.float32))
        self.task_rows = ("log", "target") if per_task else ("target",)

    def forward(self, task: Tensor) -> Tensor:
        """Temperatures of tasks given by index, without gradient: shape (batch,)."""
        return self._of(self.log.detach().exp(), task)

    def loss(self, task: Tensor, log_prob: Tensor) -> Tensor:
        """Falls as alpha falls where entropy is above its target, and as alpha rises where it is below.

        Args:
            task: Task indices, shape (batch,).
            log_prob: Log-densities of sampled actions, shape (batch,).

        Returns:
            The mean of -alpha (log pi + target); a scalar with a gradient for alpha only.
        """
        return -(self._of(self.log.exp(), task) * (log_prob.detach() + self.target[task])).mean()

    def _of(self, alpha: Tensor, task: Tensor) -> Tensor:
        return alpha[task] if "log" in self.task_rows else alpha.expand(len(task))
