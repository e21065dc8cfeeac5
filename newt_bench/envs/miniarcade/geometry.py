"""Plane geometry of the games: pixels of a 224 x 224 window, x to the right, y downwards."""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Rect", "clip", "distance"]


def clip(value: float, low: float, high: float) -> float:
    """The nearest number to `value` in [low, high]. On single numbers, many times faster than NumPy's."""
    if value < low:
        return low
    return high if value > high else value


def distance(ax: float, ay: float, bx: float, by: float) -> float:
    """Euclidean distance of the points (ax, ay) and (bx, by)."""
    return math.hypot(bx - ax, by - ay)


class Rect(NamedTuple):
    """An axis-aligned rectangle that covers left <= x < left + width and top <= y < top + height."""

    left: float
    top: float
    width: float
    height: float

    @classmethod
    def truncated(cls, left: float, top: float, width: float, height: float) -> Rect:
        """The rectangle on the integer grid: every number loses its fraction, towards zero."""
        return cls(int(left), int(top), int(width), int(height))

    def overlaps(self, other: Rect) -> bool:
        """Whether the two share an area; touching edges do not count."""
        return (
            self.left < other.left + other.width
            and other.left < self.left + self.width
            and self.top < other.top + other.height
            and other.top < self.top + self.height
        )

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies in the rectangle; its right and bottom edges lie outside."""
        return self.left <= x < self.left + self.width and self.top <= y < self.top + self.height
