"""Exploration noise that pushes one way for a while."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["CorrelatedNoise"]


class CorrelatedNoise:
    """Standard normal noise for several slots, each step correlated with the one before.

    This is the Ornstein-Uhlenbeck process of DDPG (arXiv 1509.02971) at unit variance, in discrete time: the noise of
    two steps of an episode, k apart, has correlation `correlation` ** k. It begins anew with each episode.

    Args:
        correlation: In [0, 1). 0 is white noise.
    """

    def __init__(self, correlation: float) -> None:
        self._correlation = correlation
        self.last: Tensor | None = None  # Of the last step, shape (slots, width); white noise needs none.

    def step(self, fresh: Tensor, first: Tensor) -> Tensor:
        """Noise of the next step.

        Args:
            fresh: White standard normal noise, shape (slots, width). If the shape is not that of the last step, all
                slots begin anew.
            first: Whether an episode begins, shape (slots,).

        Returns:
            The noise, shape (slots, width).
        """
        if not self._correlation:
            return fresh
        if self.last is None or self.last.shape != fresh.shape:
            self.last = fresh
        else:
            going_on = self._correlation * self.last + math.sqrt(1 - self._correlation**2) * fresh
            self.last = torch.where(first[:, None], fresh, going_on)
        return self.last
