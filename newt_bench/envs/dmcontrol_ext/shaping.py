"""The three shapes that the rewards of these tasks are composed of, each in [0, 1]."""

from __future__ import annotations

from math import inf

from dm_control.utils import rewards

__all__ = ["fast", "high", "low"]


def high(height: float, enough: float) -> float:
    """1 at the height `enough` and above, a tenth at half of it; a Gaussian below."""
    return float(rewards.tolerance(height, bounds=(enough, inf), margin=enough / 2))


def low(height: float, enough: float, margin: float) -> float:
    """1 at the height `enough` and below, a tenth at `margin` above it; a Gaussian above."""
    return float(rewards.tolerance(height, bounds=(-inf, enough), margin=margin))


def fast(rate: float, enough: float) -> float:
    """1 at the rate `enough` and above, 0 at rest and in the other direction; linear between."""
    return float(rewards.tolerance(rate, bounds=(enough, inf), margin=enough, value_at_margin=0, sigmoid="linear"))
