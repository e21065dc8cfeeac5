"""The policy distribution of continuous actions in [-1, 1]: tanh of a diagonal Gaussian, with entries masked."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["TanhGaussian", "squashed_log_std", "tanh_gaussian"]

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class TanhGaussian(NamedTuple):
    """Actions drawn from tanh of a Gaussian, shapes (..., 16).

    Attributes:
        action: In [-1, 1], 0 where masked.
        mean: tanh of the Gaussian's mean, 0 where masked.
        gaussian: Log-density of each entry before the tanh; -ln(2 pi)/2 where masked.
        squash: Logarithm of the slope of the tanh at each entry; 1e-6 where masked.
        mask: 1 for the entries that the task has, broadcastable.
    """

    action: Tensor
    mean: Tensor
    gaussian: Tensor
    squash: Tensor
    mask: Tensor

    @property
    def log_prob(self) -> Tensor:
        """Log-density of the action, over the entries that the task has: shape (...)."""
        return ((self.gaussian - self.squash) * self.mask).sum(-1)


def squashed_log_std(raw: Tensor, low: float, high: float) -> Tensor:
    """Log standard deviations in [low, high] from unbounded network outputs."""
    return low + 0.5 * (high - low) * (torch.tanh(raw) + 1)


def tanh_gaussian(mean: Tensor, log_std: Tensor, noise: Tensor, mask: Tensor) -> TanhGaussian:
    """Draws actions.

    Masked entries have mean, log standard deviation and noise 0: no gradient reaches them.

    Args:
        mean: Mean of the Gaussian, shape (..., 16).
        log_std: Its log standard deviation, shape (..., 16).
        noise: Standard normal, shape (..., 16).
        mask: 1 for the entries that the task has, else 0; broadcastable.

    Returns:
        The draw.
    """
    mean, log_std, noise = mean * mask, log_std * mask, noise * mask
    action = torch.tanh(mean + noise * log_std.exp())
    gaussian = -0.5 * noise.square() - log_std - _HALF_LOG_TWO_PI
    squash = torch.log(torch.relu(1 - action.square()) + 1e-6)
    return TanhGaussian(action, torch.tanh(mean), gaussian, squash, mask)
