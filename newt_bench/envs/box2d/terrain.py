"""The bipedal walker's terrains."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np

__all__ = ["BASE_HEIGHT", "LENGTH", "SPACING", "TERRAINS", "Box", "Terrain"]

#: Number of points, the distance between two of them, and the height at the start, in simulator units.
LENGTH = 200
SPACING = 14 / 30
BASE_HEIGHT = 400 / 30 / 4

#: Corners of a solid box, from the lower or upper left one around.
Box = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]

_START_PAD = 20  # points without noise
_NOISE = 1 / 15
_LOWEST, _HIGHEST = 1.0, 5.5


@dataclasses.dataclass
class Terrain:
    """The ground of one episode.

    Attributes:
        heights: Height of each of the `LENGTH` points, `SPACING` apart.
        boxes: Solid boxes that stand on the ground or line pits.
    """

    heights: list[float]
    boxes: list[Box] = dataclasses.field(default_factory=list)


def _flat(rng: np.random.Generator) -> Terrain:
    return Terrain([BASE_HEIGHT] * LENGTH)


class _RandomSlope:
    """A height whose slope is a damped random walk, pulled back to the start's height.

    Args:
        rng: Source of the noise.
        damping: Share of the slope that is kept from point to point.
        pull: Change of slope per point, towards the start's height.
        noise: Half width of the uniform noise on the slope.
        lowest: Lower bound of the height.
    """

    def __init__(
        self, rng: np.random.Generator, damping: float, pull: float, noise: float, lowest: float = _LOWEST
    ) -> None:
        self._rng = rng
        self._damping, self._pull, self._noise, self._lowest = damping, pull, noise, lowest
        self._slope = 0.0

    def next(self, height: float, index: int) -> float:
        """Height of point `index`, given that of the point before."""
        self._slope = self._damping * self._slope + self._pull * float(np.sign(BASE_HEIGHT - height))
        if index > _START_PAD:
            self._slope += self._noise * self._rng.uniform(-1, 1)
        return min(max(height + self._slope, self._lowest), _HIGHEST)


def _rough(rng: np.random.Generator, damping: float, pull: float, noise: float) -> Terrain:
    slope = _RandomSlope(rng, damping, pull, noise)
    heights, height = [], BASE_HEIGHT
    for index in range(LENGTH):
        height = slope.next(height, index)
        heights.append(height)
    return Terrain(heights)


def _hills(rng: np.random.Generator) -> Terrain:
    """A sine wave below the usual height, with amplitude and wave length drawn per episode."""
    offset, amplitude, wavelength = rng.uniform(-1, -0.8), rng.uniform(0.4, 0.8), rng.uniform(7, 14)
    heights = BASE_HEIGHT + offset + amplitude * np.sin(2 * math.pi * SPACING * np.arange(LENGTH) / wavelength)
    return Terrain([float(height) for height in np.clip(heights, _LOWEST, _HIGHEST)])


def _obstacles(rng: np.random.Generator) -> Terrain:
    """Slightly uneven ground, interrupted in turn by stumps to climb and pits to cross."""
    slope = _RandomSlope(rng, damping=0.8, pull=0.01, noise=_NOISE, lowest=1.5)
    terrain = Terrain([])
    state, count, first = "grass", _START_PAD, False
    height = rim = BASE_HEIGHT
    for index in range(LENGTH):
        if state == "grass":
            height = height if first else slope.next(height, index)
        elif first:
            count, rim = int(rng.integers(2, 4)), height
            x = index * SPACING
            terrain.boxes += [_stump(x, height, count)] if state == "stump" else _pit_walls(x, height, count)
            count += 2 if state == "pit" else 0
        elif state == "pit":
            height = rim - (_PIT_DEPTH if count > 1 else 0)
        terrain.heights.append(height)
        count, first = count - 1, False
        if count == 0:
            count, first = int(rng.integers(5, 10)), True
            state = ("stump", "pit")[rng.integers(2)] if state == "grass" else "grass"
    return terrain


_PIT_DEPTH = 3 * SPACING


def _stump(x: float, y: float, width: int) -> Box:
    right, top = x + width * SPACING, y + 0.75 * width * SPACING
    return (x, y), (right, y), (right, top), (x, top)


def _pit_walls(x: float, y: float, width: int) -> list[Box]:
    """The two blocks between which the pit lies, each one point wide."""
    bottom = y - _PIT_DEPTH
    starts = (x, x + width * SPACING)
    return [((a, y), (a + SPACING, y), (a + SPACING, bottom), (a, bottom)) for a in starts]


#: Terrains by name; each is drawn from the generator given.
TERRAINS: dict[str, Callable[[np.random.Generator], Terrain]] = {
    "flat": _flat,
    "uneven": functools.partial(_rough, damping=0.8, pull=0.011, noise=_NOISE),
    "rugged": functools.partial(_rough, damping=0.75, pull=0.015, noise=2.25 * _NOISE),
    "hills": _hills,
    "obstacles": _obstacles,
}
