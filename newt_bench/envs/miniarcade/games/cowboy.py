"""Cowboy: cacti come up and block the way of a runner who does not jump over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from newt_bench.envs.miniarcade.canvas import WINDOW, Canvas, Color
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.geometry import Rect, clip
from newt_bench.envs.miniarcade.palette import DANGER
from newt_bench.envs.miniarcade.runner import (
    GROUND,
    LEFT,
    MIDDLE,
    SCROLL,
    WIDTH,
    Runner,
    draw_clouds,
    scrolled,
)

__all__ = ["Cowboy"]


class _Part(NamedTuple):
    shift: int  # of its left edge from that of the obstacle
    width: int
    height: int


_SMALL, _TALL = (15, 25), (20, 40)
_OBSTACLES: tuple[tuple[_Part, ...], ...] = (
    (_Part(0, *_SMALL),),
    (_Part(0, *_TALL),),
    (_Part(0, *_SMALL), _Part(20, *_TALL)),
    (_Part(0, *_TALL), _Part(25, *_SMALL)),
)
_FIRST_LEFT = 264.0  # of a new obstacle
_PUFF = 8  # steps that the dust of a jump hangs in the air

_SKY: tuple[Color, Color] = ((150, 206, 240), (250, 238, 214))
_SUN: Color = (255, 240, 170)
_MESA: tuple[Color, Color] = ((222, 176, 148), (206, 142, 108))
_SAND: tuple[Color, Color] = ((236, 204, 144), (204, 162, 100))
_PEBBLE: Color = (166, 126, 80)
_CACTUS: Color = (58, 140, 72)
_CACTUS_RIM: Color = (30, 86, 46)
_CACTUS_RIB: Color = (104, 180, 104)
_BLOSSOM: Color = (240, 110, 150)
_HAT: Color = (104, 64, 34)
_BAND: Color = (208, 48, 48)
_SHIRT: Color = (236, 226, 200)
_VEST: Color = (140, 88, 48)
_JEANS: Color = (52, 78, 140)
_BOOT: Color = (72, 42, 24)
_SKIN: Color = (238, 190, 148)


class Cowboy(Game):
    """A positive action lets the cowboy jump, as high as the action is strong, if he stands on the ground.

    Cacti of four shapes come one after the other, by 10 pixels in a step. A cowboy who runs into one is blocked: the
    world stands still until a jump carries him over. The reward is 1, but -1 in steps in which he is blocked.

    Observation (3): height of the cowboy's top edge (0 on the ground, negative above) over 224; vertical speed over
    10; the obstacle's left edge over 224.
    """

    controls: ClassVar = {"up": (0, 1.0), "space": (0, 1.0)}

    def setup(self) -> None:
        """Puts the cowboy on the ground and an obstacle beyond the right edge."""
        self._runner = Runner()
        self._blocked = False
        self._way = 0.0  # by which the world has moved
        self._puff = (0.0, _PUFF)  # where dust was raised, and how long ago
        self._new_obstacle()

    def _new_obstacle(self) -> None:
        self._left = _FIRST_LEFT
        self._variant = int(self.rng.integers(len(_OBSTACLES)))
        parts = _OBSTACLES[self._variant]
        # Groups collide as one box, as wide as both cacti and as tall as the taller one.
        self._width = parts[-1].shift + parts[-1].width
        self._height = max(part.height for part in parts)

    def _obstacle(self) -> Rect:
        return Rect(self._left, GROUND - self._height, self._width, self._height)

    def advance(self, action: Sequence[float]) -> float:
        """Moves the cowboy, and the world unless he is blocked."""
        self._jump(action[0])
        box = self._obstacle()
        self._land_on(box)
        self._blocked = self._runner.rectangle().overlaps(box)
        if not self._blocked:
            self._left -= SCROLL
            self._way += SCROLL
        if self._left + self._width < 0:
            self._new_obstacle()
        return -1.0 if self._blocked else 1.0

    def _jump(self, strength: float) -> None:
        was_grounded = self._runner.grounded
        self._runner.move(strength)
        place, age = self._puff
        self._puff = (self._way, 0) if was_grounded and not self._runner.grounded else (place, min(age + 1, _PUFF))

    def _land_on(self, box: Rect) -> None:
        """Who falls on a cactus and is above it by more than half stands on it, and cannot jump from there.

        It does not matter where he comes from, as published.
        """
        above = min(LEFT + WIDTH, box.left + box.width) - max(LEFT, box.left)
        if self._runner.v > 0 and above > WIDTH / 2 and self._runner.rectangle().overlaps(box):
            self._runner.stand(box.top)

    def observe(self) -> list[float]:
        """See the class."""
        return [*self._runner.observe(), self._left / 224]

    def draw(self, canvas: Canvas) -> None:
        """Draws the desert, the cacti and the cowboy; a red veil while he is blocked."""
        self._draw_desert(canvas)
        self._draw_dust(canvas)
        self._runner.draw_shadow(canvas)
        if self._left >= WINDOW:
            canvas.edge_tick(GROUND - self._height / 2, _CACTUS)
        for part in _OBSTACLES[self._variant]:
            self._draw_cactus(canvas, self._left + part.shift, part.width, part.height)
        self._draw_cowboy(canvas)
        if self._blocked:
            canvas.tint(DANGER, 0.1)

    def _draw_desert(self, canvas: Canvas) -> None:
        canvas.gradient(*_SKY, 0, 0, WINDOW, GROUND)
        canvas.glow(178, 40, 44, _SUN, 0.7)
        canvas.disc(178, 40, 14, _SUN)
        draw_clouds(canvas, self._way, self.decoration(0))
        for speed, rise, color in ((0.05, 46, _MESA[0]), (0.1, 28, _MESA[1])):
            for number in range(3):
                x = scrolled(150 * number + 500 * speed, speed * self._way, 90)
                top, foot = 26 + 4 * number, 40 + 5 * number
                canvas.polygon([(x - foot, GROUND), (x - top, GROUND - rise), (x + top, GROUND - rise + 2 * number),
                                (x + foot, GROUND)], color)  # fmt: skip
        canvas.gradient(*_SAND, 0, GROUND, WINDOW, WINDOW - GROUND)
        canvas.rectangle(0, GROUND, WINDOW, 1.5, _PEBBLE, alpha=0.6)
        for x, depth, size in self.decoration(1).uniform((0, 5, 0.8), (264, 36, 2.4), (22, 3)).tolist():
            canvas.rectangle(
                scrolled(x, self._way) - size, GROUND + depth, 2 * size, 1.2 * size, _PEBBLE, corner=0.6 * size
            )

    def _draw_dust(self, canvas: Canvas) -> None:
        start, age = self._puff
        for side in (-1.0, 0.2, 1.0):
            x = MIDDLE - (self._way - start) + side * (5 + 1.6 * age)
            canvas.disc(x, GROUND - 2 - 0.5 * age, 2.5 + 0.6 * age, _SAND[0], alpha=0.8 * (1 - age / _PUFF))

    @staticmethod
    def _draw_cactus(canvas: Canvas, left: float, width: float, height: float) -> None:
        top, middle = GROUND - height, left + width / 2
        for side, reach, up in ((-1, 0.55, 0.42), (1, 0.7, 0.6)):
            bend = GROUND - reach * height
            arm = [
                (middle, bend + 3),
                (middle + side * (width / 2 + 2), bend + 3),
                (middle + side * (width / 2 + 2), bend - 5 * up),
            ]
            canvas.path(arm, 5, _CACTUS_RIM)
            canvas.path(arm, 3, _CACTUS)
        canvas.rectangle(left, top, width, height, _CACTUS_RIM, corner=0.3 * width)
        canvas.rectangle(left, GROUND - 5, width, 5, _CACTUS_RIM)
        canvas.rectangle(left + 1.2, top + 1.2, width - 2.4, height - 1.2, _CACTUS, corner=0.27 * width)
        for rib in (0.28, 0.5, 0.72):
            canvas.line((left + rib * width, top + 5), (left + rib * width, GROUND - 2), 1, _CACTUS_RIB)
        canvas.disc(middle, top + 2, 2.4, _BLOSSOM)

    def _draw_cowboy(self, canvas: Canvas) -> None:
        runner, y = self._runner, self._runner.y
        stride = self._way / 60
        runner.draw_legs(canvas, None if self._blocked else stride, _JEANS, _BOOT)
        lean = 0.0 if self._blocked else 1.0
        canvas.rectangle(MIDDLE - 4.5, y + 11.5, 9, 11, _SHIRT, corner=2.5)
        canvas.rectangle(MIDDLE - 4.5, y + 12, 4, 9.5, _VEST, corner=2)
        canvas.rectangle(MIDDLE - 4.5, y + 20.5, 9, 2, _BOOT)
        flow = clip(runner.v, -8, 8) * 0.5
        swing = 3 * math.sin(2 * math.pi * stride) * lean
        hand = (MIDDLE + 6, y + 15 + flow) if not runner.grounded else (MIDDLE + 2 + swing, y + 19)
        canvas.path([(MIDDLE - 1, y + 13.5), hand], 2.4, _VEST)
        canvas.disc(hand[0], hand[1], 1.5, _SKIN)
        canvas.disc(MIDDLE + lean, y + 7.5, 4.6, _SKIN)
        canvas.polygon([(MIDDLE - 4, y + 10), (MIDDLE + 5, y + 10), (MIDDLE + 1.5, y + 14.5)], _BAND)
        canvas.path([(MIDDLE - 4, y + 11), (MIDDLE - 8, y + 12 - flow)], 2, _BAND)
        canvas.disc(MIDDLE + 3.2 + lean, y + 7.5, 0.8, _BOOT)
        canvas.rectangle(MIDDLE - 4.5 + lean, y - 0.5, 9, 6, _HAT, corner=2.5)
        canvas.rectangle(MIDDLE - 4.5 + lean, y + 3, 9, 1.4, _BAND)
        canvas.rectangle(MIDDLE - 8.5 + lean, y + 4, 17, 2.2, _HAT, corner=1.1)
