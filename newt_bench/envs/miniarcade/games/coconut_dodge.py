"""Coconut dodge: run to and fro on a beach while ever more coconuts fall, and let none of them touch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from newt_bench.envs.miniarcade.canvas import Canvas, Color
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.geometry import clip, distance
from newt_bench.envs.miniarcade.palette import NIGHT, PAPER

__all__ = ["CoconutDodge"]

_NEAR, _FAR = 12.0, 212.0  # edges of the play area, in x and in y; the lower one is the ground
_SIDE = _FAR - _NEAR
_EPISODE = 500  # steps, at the end of which the difficulty is 1
_MOST = 6  # coconuts at once
_RADII = (6, 7, 8)
_CRACKED = 10  # steps that a coconut lies on the ground
_BODY, _BODY_Y = 9.0, 200.0  # radius and height of the circle that coconuts hit
_PUSH, _DRAG, _SPEED = 0.85, 0.97, 5.0
_FLASH = 6

_HORIZON = 104
_SKY: tuple[Color, Color] = ((92, 78, 158), (255, 186, 142))
_SUN: Color = (255, 236, 170)
_SEA: tuple[Color, Color] = ((232, 150, 140), (88, 132, 176))
_SAND: tuple[Color, Color] = ((246, 222, 172), (226, 190, 130))
_DUNE: Color = (214, 176, 118)
_TRUNK: Color = (120, 88, 70)
_LEAF: Color = (58, 124, 92)
_SHELL: Color = (110, 68, 38)
_SHELL_RIM: Color = (56, 32, 18)
_FLESH: Color = (252, 248, 236)
_AMBER: Color = (255, 160, 30)
_SKIN: Color = (238, 190, 150)
_SHIRT: Color = (20, 128, 140)
_TROUSERS: Color = (48, 62, 100)
_PACK: Color = (196, 52, 60)
_HAT: Color = (250, 240, 205)


@dataclass(slots=True)
class _Coconut:
    number: int  # counts all coconuts of the episode; for looks only
    x: float
    y: float
    vx: float
    vy: float
    radius: int
    cracked: int = 0  # steps that it still lies on the ground; 0 while it falls


class CoconutDodge(Game):
    """The action pushes the traveller to the left or right, away from falling coconuts.

    They break on the ground and lie there for ten steps, harmless; then new ones fall in their place, faster and
    more of them towards the end of the episode.

    The reward is -1 in every step in which a falling coconut touches the traveller, however many do: a hit does not
    remove the coconut, so one that is not evaded costs several points.

    Observation (29), lengths over the side of the play area (200) and speeds over 5:
        0, 1: Position from the left edge, speed.
        2, 3: Offset of the nearest falling coconut from the traveller; (0, -1) if none is falling.
        4: 1 for five steps from each hit on, else 0.
        5-28: All coconuts, broken ones too, nearest first: position from the top left corner of the play area and
            velocity (a broken one's is that of its landing). Zeros fill up to six.
    """

    controls: ClassVar = {"left": (0, -1.0), "right": (0, 1.0)}

    def setup(self) -> None:
        """Puts the traveller into the middle and drops the first coconut."""
        self._x, self._v = 112.0, 0.0
        self._flash = 0
        self._walked = 0.0
        self._dropped = 0
        self._coconuts = [self._new_coconut(0)]

    def _new_coconut(self, time: int) -> _Coconut:
        difficulty = time / _EPISODE
        radius = int(self.rng.integers(_RADII[0], _RADII[-1] + 1))
        x = float(self.rng.uniform(_NEAR + radius, _FAR - radius))
        vx = float(self.rng.uniform(-0.5, 0.5)) * (1 + 0.6 * difficulty)
        vy = float(self.rng.uniform(1.4, 2.6)) * (1 + 0.8 * difficulty)
        self._dropped += 1
        return _Coconut(self._dropped, x, _NEAR + 1 + radius, vx, vy, radius)

    def advance(self, action: Sequence[float]) -> float:
        """Moves the traveller, then the coconuts, and adds new ones as time goes on."""
        self._v = clip(_DRAG * (self._v + _PUSH * action[0]), -_SPEED, _SPEED)
        # At the edges the speed is kept, as published.
        self._x = clip(self._x + self._v, _NEAR + _BODY, _FAR - _BODY)
        self._walked += abs(self._v)
        for index, coconut in enumerate(self._coconuts):
            if not coconut.cracked:
                self._fall(coconut)
            else:
                coconut.cracked -= 1
                if not coconut.cracked:
                    self._coconuts[index] = self._new_coconut(self.time)
        hit = any(not c.cracked and self._far(c) < _BODY + c.radius for c in self._coconuts)
        self._flash = _FLASH - 1 if hit else max(self._flash - 1, 0)
        while len(self._coconuts) < 1 + 5 * (self.time + 1) // _EPISODE:
            self._coconuts.append(self._new_coconut(self.time + 1))
        return -1.0 if hit else 0.0

    @staticmethod
    def _fall(coconut: _Coconut) -> None:
        coconut.x += coconut.vx
        coconut.y += coconut.vy
        low, high = _NEAR + coconut.radius, _FAR - coconut.radius
        if not low <= coconut.x <= high:
            coconut.x = clip(coconut.x, low, high)
            coconut.vx = -coconut.vx
        if coconut.y >= high:
            coconut.y = high
            coconut.cracked = _CRACKED

    def _far(self, coconut: _Coconut) -> float:
        return distance(coconut.x, coconut.y, self._x, _BODY_Y)

    def observe(self) -> list[float]:
        """See the class."""
        near_first = sorted(self._coconuts, key=self._far)
        falling = next((c for c in near_first if not c.cracked), None)
        ahead = (0.0, -1.0) if falling is None else ((falling.x - self._x) / _SIDE, (falling.y - _BODY_Y) / _SIDE)
        obs = [(self._x - _NEAR) / _SIDE, self._v / _SPEED, *ahead, float(self._flash > 0)]
        for coconut in near_first:
            obs += ((coconut.x - _NEAR) / _SIDE, (coconut.y - _NEAR) / _SIDE, coconut.vx / 5, coconut.vy / 5)
        obs += [0.0] * (4 * (_MOST - len(near_first)))
        return obs

    def draw(self, canvas: Canvas) -> None:
        """Draws the beach at sunset, the coconuts and the traveller; an amber veil after a hit."""
        self._draw_beach(canvas)
        for coconut in self._coconuts:
            if coconut.cracked:
                self._draw_halves(canvas, coconut)
        self._draw_traveller(canvas)
        for coconut in self._coconuts:
            if not coconut.cracked:
                self._draw_coconut(canvas, coconut)
        if self._flash:
            canvas.tint(_AMBER, 0.27, _NEAR, _NEAR, _SIDE, _SIDE)
            self._draw_stars(canvas)
        for left, top, width, height in ((0, 0, 224, _NEAR), (0, _FAR, 224, _NEAR), (0, 0, _NEAR, 224),
                                         (_FAR, 0, _NEAR, 224)):  # fmt: skip
            canvas.rectangle(left, top, width, height, NIGHT)
        canvas.rectangle(_NEAR - 2, _NEAR - 2, _SIDE + 4, _SIDE + 4, PAPER, outline=2, corner=2)

    def _draw_beach(self, canvas: Canvas) -> None:
        sea = _HORIZON - 16
        canvas.gradient(*_SKY, _NEAR, _NEAR, _SIDE, sea - _NEAR)
        canvas.glow(112, sea, 60, _SUN, 0.5)
        canvas.disc(112, sea, 15, _SUN)
        canvas.gradient(*_SEA, _NEAR, sea, _SIDE, _HORIZON - sea)
        for row in range(4):  # the sun's reflection, wavering
            half = 12 - 2 * row + 2 * math.sin(0.2 * self.time + 2 * row)
            canvas.rectangle(112 - half, sea + 2 + 3.5 * row, 2 * half, 1.4, _SUN, corner=0.7, alpha=0.7)
        canvas.gradient(*_SAND, _NEAR, _HORIZON, _SIDE, _FAR - _HORIZON)
        canvas.rectangle(_NEAR, _HORIZON - 1, _SIDE, 2.5, PAPER, alpha=0.7)  # surf
        for x, y, width in ((70, 120, 90), (190, 134, 120), (40, 152, 130), (160, 172, 150)):
            canvas.path([(x + width * s / 8, y - 3 * math.cos(s * math.pi / 8)) for s in range(-4, 5)], 1.2, _DUNE,
                        alpha=0.55)  # fmt: skip
        speckles = self.decoration(0)
        for x, y in speckles.uniform((_NEAR, _HORIZON + 6), (_FAR, _FAR - 2), (40, 2)).tolist():
            canvas.disc(x, y, 0.6, _DUNE)
        for x, lean in ((36, 13), (190, -15)):
            self._draw_palm(canvas, x, lean)

    @staticmethod
    def _draw_palm(canvas: Canvas, x: float, lean: float) -> None:
        trunk = [(x + lean * (s / 6) ** 2, 132 - 66 * s / 6) for s in range(7)]
        canvas.path(trunk, 4.5, _TRUNK)
        for height in range(1, 6):
            canvas.line((trunk[height][0] - 2, trunk[height][1]), (trunk[height][0] + 2, trunk[height][1]), 1,
                        _SHELL_RIM, alpha=0.35)  # fmt: skip
        top_x, top_y = trunk[-1]
        for reach, rise in ((-25, 3), (-21, 12), (-10, 16), (10, 16), (21, 12), (25, 3)):
            frond = [
                (top_x + reach * s, top_y - 2 * rise * s + (2 * rise + 14) * s * s) for s in (0, 0.25, 0.5, 0.75, 1)
            ]
            canvas.path(frond, 3.2, _LEAF)

    def _draw_coconut(self, canvas: Canvas, coconut: _Coconut) -> None:
        x, y, radius = coconut.x, coconut.y, coconut.radius
        nearness = clip((y - _NEAR) / _SIDE, 0, 1)
        canvas.rectangle(x - radius * nearness, _FAR - 4, 2 * radius * nearness, 3.4, _SHELL_RIM, corner=1.7,
                         alpha=0.1 + 0.25 * nearness)  # fmt: skip
        for behind in (3, 2, 1):  # where it comes from: faster, longer
            canvas.disc(
                x - 1.4 * behind * coconut.vx, y - 1.4 * behind * coconut.vy, radius - behind, PAPER, alpha=0.13
            )
        canvas.disc(x, y, radius, _SHELL_RIM)
        canvas.disc(x, y, radius - 1, _SHELL)
        canvas.disc(x - 0.25 * radius, y - 0.3 * radius, 0.45 * radius, PAPER, alpha=0.16)
        turn = float(self.decoration(1, coconut.number).uniform(0, 2 * math.pi)) + 0.03 * y
        for eye in (-0.5, 0, 0.5):
            canvas.disc(x + 0.5 * radius * math.cos(turn + eye * 1.6), y + 0.5 * radius * math.sin(turn + eye * 1.6), 1,
                        _SHELL_RIM)  # fmt: skip

    @staticmethod
    def _draw_halves(canvas: Canvas, coconut: _Coconut) -> None:
        """The halves lie with the flesh upwards, and slide apart as time goes by."""
        gone = _CRACKED - coconut.cracked
        radius, ground = coconut.radius, coconut.y + coconut.radius
        alpha = min(1.0, coconut.cracked / 4)
        if gone < 4:
            for side in (-1, 1):
                canvas.disc(
                    coconut.x + side * (radius + 2 * gone), ground - 2, 3 + gone, _DUNE, alpha=0.5 - 0.12 * gone
                )
        for side in (-1, 1):
            x = coconut.x + side * (0.55 * radius + 1 + 0.9 * gone)
            bowl = [
                (
                    x + 0.8 * radius * math.cos(a * math.pi / 12),
                    ground - 0.7 * radius * (1 - math.sin(a * math.pi / 12)),
                )
                for a in range(13)
            ]
            canvas.polygon(bowl, _SHELL, alpha=alpha)
            canvas.rectangle(x - 0.8 * radius, ground - 0.7 * radius - 1, 1.6 * radius, 2.6, _FLESH, corner=1.3,
                             alpha=alpha)  # fmt: skip

    def _draw_traveller(self, canvas: Canvas) -> None:
        x, facing = self._x, -1 if self._v < 0 else 1
        swing = 4.5 * math.sin(0.3 * self._walked) * min(1.0, abs(self._v))
        canvas.rectangle(x - 9, 206.5, 18, 4, _SHELL_RIM, corner=2, alpha=0.35)
        for side in (-1, 1):
            foot = (x + side * (swing + 1), 208 - max(0.0, 0.4 * side * swing))
            canvas.path([(x + 1.2 * side, 198), foot, (foot[0] + 1.8 * facing, foot[1])], 3, _TROUSERS)
        canvas.rectangle(x - 2.5 - 5 * facing, 188.5, 5, 9, _PACK, corner=2)
        canvas.rectangle(x - 4, 187.5, 8, 12.5, _SHIRT, corner=3)
        canvas.path([(x, 190), (x - 0.7 * swing, 194), (x - 0.7 * swing + 2 * facing, 197)], 2.2, _SKIN)
        canvas.disc(x, 183.5, 4.6, _SKIN)
        canvas.disc(x + 2 * facing, 184, 0.8, _SHELL_RIM)
        canvas.rectangle(x - 4.2, 177, 8.4, 5, _HAT, corner=2)
        canvas.rectangle(x - 4.2, 179.6, 8.4, 1.2, _PACK)
        canvas.rectangle(x - 7.5, 180.8, 15, 2.2, _HAT, corner=1.1)

    def _draw_stars(self, canvas: Canvas) -> None:
        """Stars circle above the head while the hit is fresh."""
        for star in range(3):
            angle = 2 * math.pi * star / 3 + 0.6 * self.time
            x, y = self._x + 10 * math.cos(angle), 172 + 3 * math.sin(angle)
            for turn in (0, math.pi / 2):
                arm = (2.6 * math.cos(turn + angle), 2.6 * math.sin(turn + angle))
                canvas.line((x - arm[0], y - arm[1]), (x + arm[0], y + arm[1]), 1.3, _HAT)
