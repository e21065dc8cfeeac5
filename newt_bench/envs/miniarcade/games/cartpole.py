"""Cartpole: balance a pole on a mine cart, or swing it up first, in a gallery that may tremble."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from newt_bench.envs.miniarcade.canvas import WINDOW, Canvas, Color
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.palette import AGENT, AGENT_RIM, DANGER, GOAL, INK, PAPER

__all__ = ["CartPole"]

_GRAVITY, _FORCE, _TIME_STEP = 9.81, 11.0, 0.025
_POLE_MASS, _MASS = 0.11, 1.01  # kg; the second with the cart
_HALF_LENGTH = 0.6  # of the pole
_MOMENT = _POLE_MASS * _HALF_LENGTH
_TRACK = 2.4  # metres to either side that are rewarded
_START = 0.065
_UPRIGHT = 0.15  # radians, in the sparse variants

_FIRST_WAIT, _WAIT, _DURATION = (40, 80), (50, 90), (5, 10)  # frames
_TREMOR, _WEAKEST = 5.0, 0.35  # rad/s^2 at most; share of it at least

# Where things are in the picture.
_MIDDLE, _METER = 112.0, 32.5
_CART_Y, _CART_WIDTH, _CART_HEIGHT = 154.0, 28.0, 14.0
_HINGE_Y, _LENGTH, _RAIL_Y, _FLOOR_Y = 147.0, 39.0, 160.0, 165.0
_OUT = 3.9  # metres from the middle at which the cart is out of the picture
_LANTERNS = ((62.0, 62.0), (162.0, 54.0))
_SPECKS, _ROCKS, _GRAVEL, _CEILING = 16, 9, 26, 14

_WALL: tuple[Color, Color] = ((44, 35, 30), (70, 54, 42))
_FLOOR: tuple[Color, Color] = ((50, 40, 34), (30, 24, 21))
_ROCK: Color = (28, 22, 20)
_TIMBER: Color = (96, 72, 50)
_TIMBER_SHADE: Color = (74, 55, 39)
_STEEL: Color = (150, 152, 160)
_STEEL_SHADE: Color = (84, 84, 92)
_WOOD: Color = (244, 214, 160)
_WOOD_SHADE: Color = (150, 112, 66)
_LIGHT: Color = (255, 226, 150)
_DUST: Color = (190, 168, 140)


class CartPole(Game):
    """A cart on an endless rail with a pole hinged on it, pushed sideways with up to 11 N.

    The reward is 1 for an upright pole and falls linearly to 0 at a horizontal one, or in the sparse variants is 1
    within 0.15 rad of upright and 0 elsewhere. It is 0 while the cart is farther than 2.4 m from the middle.

    The angle counts whole turns, as published: only the upright at 0 is rewarded, not those a turn further.

    Observation (4): position (m), velocity, the pole's angle from upright (rad, positive to the right), its rate.

    Args:
        hanging: Whether the pole starts downwards, not upwards.
        sparse: Whether the reward is sparse.
        tremor: Whether tremors push the pole now and then; they are not observed.
    """

    frames_per_second: ClassVar[int] = 50
    controls: ClassVar[Mapping[str, tuple[int, float]]] = {"left": (0, -1.0), "right": (0, 1.0)}

    def __init__(self, *, hanging: bool = False, sparse: bool = False, tremor: bool = False) -> None:
        self._rest = math.pi if hanging else 0.0
        self._sparse = sparse
        self._has_tremors = tremor

    def setup(self) -> None:
        """Draws the state near the pole's rest, and when the first tremor comes."""
        self._x, self._v, angle, self._omega = self.rng.uniform(-_START, _START, 4).tolist()
        self._theta: float = self._rest + angle
        self._tremor, self._tremor_left = 0.0, 0  # its angular acceleration, and the frames that it still acts
        if self._has_tremors:
            self._wait = int(self.rng.integers(*_FIRST_WAIT, endpoint=True))

    def advance(self, action: Sequence[float]) -> float:
        """Explicit Euler: positions move with the velocities from before the step."""
        quake = self._disturbance() if self._has_tremors else 0.0
        sine, cosine = math.sin(self._theta), math.cos(self._theta)
        push = (_FORCE * action[0] + _MOMENT * self._omega * self._omega * sine) / _MASS
        inertia = _HALF_LENGTH * (4 / 3 - _POLE_MASS * cosine * cosine / _MASS)
        turning = (_GRAVITY * sine - push * cosine) / inertia + quake
        self._x += _TIME_STEP * self._v
        self._v += _TIME_STEP * (push - _MOMENT * turning * cosine / _MASS)
        self._theta += _TIME_STEP * self._omega
        self._omega += _TIME_STEP * turning
        return self._reward()

    def _disturbance(self) -> float:
        """The tremor's acceleration of the pole in this step. Waiting time runs between tremors only."""
        if self._tremor_left > 0:
            self._tremor_left -= 1
            return self._tremor
        self._wait -= 1
        if self._wait <= 0:
            self._tremor_left = int(self.rng.integers(*_DURATION, endpoint=True))
            side = -1.0 if self.rng.random() < 0.5 else 1.0
            self._tremor = side * _TREMOR * self.rng.uniform(_WEAKEST, 1)
            self._wait = int(self.rng.integers(*_WAIT, endpoint=True))
        return 0.0

    def _reward(self) -> float:
        if abs(self._x) > _TRACK:
            return 0.0
        if self._sparse:
            return float(abs(self._theta) < _UPRIGHT)
        return 1 - min(abs(self._theta) / (math.pi / 2), 1.0)

    def observe(self) -> tuple[float, float, float, float]:
        """See the class."""
        return self._x, self._v, self._theta, self._omega

    def draw(self, canvas: Canvas) -> None:
        """Draws the gallery, the cart and the pole, all shaken during a tremor."""
        canvas.gradient(*_WALL, height=_FLOOR_Y)
        canvas.gradient(*_FLOOR, upper=_FLOOR_Y, height=WINDOW - _FLOOR_Y)
        self._draw_gallery(canvas)
        self._draw_track(canvas)
        x = _MIDDLE + _METER * self._x
        self._draw_cart(canvas, x)
        self._draw_pole(canvas, x)
        if abs(self._x) > _OUT:
            self._draw_marker(canvas)
        if self._tremor_left > 0:
            self._draw_tremor(canvas)

    def _draw_gallery(self, canvas: Canvas) -> None:
        """Rocks, ceiling and lanterns, whose light flickers."""
        look = self.decoration()
        for x, y, size in look.uniform((8, 52, 2), (216, 140, 7), (_ROCKS, 3)).tolist():
            shape = [(x + size * math.cos(k), y + 0.6 * size * math.sin(k)) for k in range(6)]
            canvas.polygon(shape, _WALL[0], alpha=0.5)
        for x, y, size in look.uniform((0, _FLOOR_Y + 6, 1), (WINDOW, WINDOW, 3), (_GRAVEL, 3)).tolist():
            canvas.rectangle(x - size, y - size / 2, 2 * size, size, _ROCK, corner=size, alpha=0.8)
        depths = look.uniform(16, 32, _CEILING).tolist()
        edge = [(WINDOW * k / (_CEILING - 1), depth) for k, depth in enumerate(depths)]
        canvas.polygon([(0, 0), *edge, (WINDOW, 0)], _ROCK)
        phases = look.uniform(0, 2 * math.pi, len(_LANTERNS)).tolist()
        for (x, y), phase in zip(_LANTERNS, phases, strict=True):
            flicker = 0.03 * (math.sin(0.31 * self.time + phase) + math.sin(0.83 * self.time + 2 * phase))
            canvas.glow(x, y, 46, _LIGHT, 0.2 + flicker)
            canvas.line((x, 10), (x, y - 6), 1, _ROCK)
            canvas.rectangle(x - 4, y - 6, 8, 11, _ROCK, corner=2)
            canvas.rectangle(x - 2.5, y - 4, 5, 7, _LIGHT, corner=1)

    def _draw_track(self, canvas: Canvas) -> None:
        """The rail, and the timbers that mark its rewarded part, with lamps that tell whether the cart is in it."""
        lamp = GOAL if abs(self._x) <= _TRACK else DANGER
        for side in (-1, 1):
            x = _MIDDLE + side * _METER * _TRACK
            canvas.rectangle(x - 4, 40, 8, _FLOOR_Y - 40, _TIMBER)
            canvas.rectangle(x + 1.5, 40, 2.5, _FLOOR_Y - 40, _TIMBER_SHADE)
            canvas.disc(x, 100, 2.5, _ROCK)
            canvas.disc(x, 100, 1.7, lamp)
        canvas.rectangle(_MIDDLE - _METER * _TRACK - 12, 34, 2 * _METER * _TRACK + 24, 8, _TIMBER, corner=1)
        canvas.rectangle(_MIDDLE - _METER * _TRACK - 12, 39.5, 2 * _METER * _TRACK + 24, 2.5, _TIMBER_SHADE, corner=1)
        for x in range(4, WINDOW, 16):
            canvas.rectangle(x, _RAIL_Y + 2, 8, 5, _TIMBER, corner=1)
        canvas.rectangle(0, _RAIL_Y, WINDOW, 1.5, _STEEL)
        canvas.rectangle(0, _RAIL_Y + 1.5, WINDOW, 1, _STEEL_SHADE)

    def _draw_cart(self, canvas: Canvas, x: float) -> None:
        half, top = _CART_WIDTH / 2, _CART_Y - _CART_HEIGHT / 2
        bottom = top + _CART_HEIGHT
        body = [(x - half, top), (x + half, top), (x + half - 3, bottom - 3), (x - half + 3, bottom - 3)]
        canvas.polygon(body, AGENT)
        canvas.rectangle(x - half, top, _CART_WIDTH, 3, AGENT_RIM, corner=1)
        spokes = self._x * _METER / 3
        for side in (-1, 1):
            wheel = x + 7.5 * side
            canvas.disc(wheel, bottom - 2.5, 3.2, INK)
            canvas.disc(wheel, bottom - 2.5, 2.2, _STEEL)
            across, down = 2 * math.cos(spokes), 2 * math.sin(spokes)
            canvas.line((wheel - across, bottom - 2.5 - down), (wheel + across, bottom - 2.5 + down), 0.7, INK)
        turns = round(self._theta / (2 * math.pi))
        if turns and math.cos(self._theta) > 0:
            canvas.text(f"{turns:+d}", x, top + 7.5, 12, INK)  # upright, but turns away from the upright that counts

    def _draw_pole(self, canvas: Canvas, x: float) -> None:
        """The pole; in the sparse variants in front of the wedge that it is to be in."""
        if self._sparse:
            rewarded = self._reward() > 0
            reach = _LENGTH + 10
            tips = [(x + reach * math.sin(k * _UPRIGHT / 4), _HINGE_Y - reach * math.cos(k * _UPRIGHT / 4))
                    for k in range(-4, 5)]  # fmt: skip
            canvas.polygon([(x, _HINGE_Y), *tips], GOAL, alpha=0.45 if rewarded else 0.22)
        tip = (x + _LENGTH * math.sin(self._theta), _HINGE_Y - _LENGTH * math.cos(self._theta))
        canvas.line((x, _HINGE_Y), tip, 5, _WOOD_SHADE)
        canvas.line((x, _HINGE_Y), tip, 4, _WOOD)
        canvas.disc(x, _HINGE_Y, 3, _STEEL_SHADE)
        canvas.disc(x, _HINGE_Y, 1.6, _STEEL)

    def _draw_marker(self, canvas: Canvas) -> None:
        """Where a cart out of the picture is."""
        side = 1 if self._x > 0 else -1
        edge = _MIDDLE + side * (_MIDDLE - 3)
        canvas.polygon([(edge, _CART_Y), (edge - 9 * side, _CART_Y - 7), (edge - 9 * side, _CART_Y + 7)], AGENT)
        words = f"{abs(self._x):.0f} m"
        canvas.text(words, edge - 13 * side, _CART_Y, 12, PAPER, "right" if side > 0 else "left")

    def _draw_tremor(self, canvas: Canvas) -> None:
        """Dust that falls from the ceiling, and a shake of the picture by up to two pixels."""
        for x, start, pace in self.decoration(1).uniform((0, 0, 1.5), (WINDOW, 130, 3), (_SPECKS, 3)).tolist():
            canvas.disc(x, 28 + (start + pace * self.time) % 130, 1.1, _DUST, alpha=0.8)
        most = int(5 * abs(self._tremor) / 11)
        across, down = self.decoration(2, self.time).integers(-most, most, 2, endpoint=True).tolist()
        canvas.shift(across, down, _ROCK)
