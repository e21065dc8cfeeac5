"""Coinrun: coins drift towards a runner, who collects those that a well-measured jump meets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from newt_bench.envs.miniarcade.canvas import WINDOW, Canvas, Color
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.geometry import Rect, clip
from newt_bench.envs.miniarcade.palette import GOLD
from newt_bench.envs.miniarcade.runner import GROUND, LEFT, MIDDLE, SCROLL, Runner, draw_clouds, scrolled

__all__ = ["Coinrun"]

_SLOTS = 5  # coins in the observation, and most coins of a group
_RADIUS = 9
_SPACING = 27
_ROW, _LOWEST, _HIGHEST = 18, 173, 83  # height between rows, and the outer rows
_CLIMB = 0.6  # chance that a coin hangs a row above or below the one before
_SPARKLING = 7  # steps that sparkles fly

_SKY: tuple[Color, Color] = ((150, 205, 250), (255, 216, 228))
_HILL: tuple[Color, Color] = ((176, 208, 190), (150, 196, 160))
_GRASS: tuple[Color, Color] = ((124, 192, 92), (72, 140, 70))
_BLADE: Color = (58, 124, 58)
_PEBBLE: Color = (168, 168, 150)
_PETALS: tuple[Color, Color, Color] = ((250, 120, 140), (255, 255, 255), (180, 130, 230))
_RIM: Color = (166, 116, 0)
_SHINE: Color = (255, 244, 170)
_HAIR: Color = (206, 56, 34)
_DRESS: Color = (132, 84, 48)
_APRON: Color = (238, 224, 196)
_SKIN: Color = (250, 208, 172)
_SHOE: Color = (70, 44, 30)


@dataclass(slots=True)
class _Coin:
    x: float
    y: float
    taken: bool = False


class Coinrun(Game):
    """A positive action lets the runner jump, as high as the action is strong, if she stands on the ground.

    Coins come in groups of two to five, by 10 pixels in a step; the next group appears when all coins of the last
    one are collected or gone. The reward is 1 for each coin.

    Observation (12):
        0, 1: Height of the runner's top edge (0 on the ground, negative above) over 224, vertical speed over 10.
        2-11: Position of five coins over 224, in the order of the group; (-1, -1) for collected ones and those that
            the group does not have. Missed coins stay until the group is done.
    """

    controls: ClassVar = {"up": (0, 1.0), "space": (0, 1.0)}

    def setup(self) -> None:
        """Puts the runner on the ground and a first group of coins beyond the right edge."""
        self._runner = Runner()
        self._coins = self._new_group()
        self._sparkles: list[tuple[float, float, int]] = []  # x, y, age

    def _new_group(self) -> list[_Coin]:
        count = int(self.rng.integers(2, _SLOTS + 1))
        x = float(self.rng.integers(244, 284))
        y = float(_LOWEST - _ROW * self.rng.integers(1, 5))
        coins = [_Coin(x, y)]
        for _ in range(count - 1):
            x += _SPACING
            if self.rng.random() < _CLIMB:
                y = clip(y + (_ROW if self.rng.random() < 0.5 else -_ROW), _HIGHEST, _LOWEST)
            coins.append(_Coin(x, y))
        return coins

    def advance(self, action: Sequence[float]) -> float:
        """Moves the runner and the coins, and collects."""
        self._runner.move(action[0])
        for coin in self._coins:
            coin.x -= SCROLL
        # A new group comes before the coins are collected: a step after the last coin of the group was, as published.
        if all(coin.taken or coin.x < -_RADIUS for coin in self._coins):
            self._coins = self._new_group()
        self._sparkles = [(x - SCROLL, y, age + 1) for x, y, age in self._sparkles if age < _SPARKLING]
        return self._collect()

    def _collect(self) -> float:
        reward = 0.0
        box = self._runner.rectangle()
        for coin in self._coins:
            if not coin.taken and box.overlaps(Rect(coin.x - _RADIUS, coin.y - _RADIUS, 2 * _RADIUS, 2 * _RADIUS)):
                coin.taken = True
                reward += 1
                self._sparkles.append((coin.x, coin.y, 0))
        return reward

    def observe(self) -> list[float]:
        """See the class."""
        obs = [*self._runner.observe()]
        for coin in self._coins:
            obs += (-1.0, -1.0) if coin.taken else (coin.x / 224, coin.y / 224)
        obs += [-1.0] * (2 * (_SLOTS - len(self._coins)))
        return obs

    def draw(self, canvas: Canvas) -> None:
        """Draws a spring meadow, the coins and the runner."""
        self._draw_meadow(canvas, float(SCROLL * self.time))
        self._runner.draw_shadow(canvas)
        for coin in self._coins:
            if not coin.taken:
                self._draw_coin(canvas, coin)
        self._draw_runner(canvas)
        for x, y, age in self._sparkles:
            inner, outer = 7 + 2.4 * age, 11 + 2.4 * age
            for ray in range(8):
                across, down = math.cos(math.pi * ray / 4), math.sin(math.pi * ray / 4)
                start, end = (x + inner * across, y + inner * down), (x + outer * across, y + outer * down)
                canvas.line(start, end, 1.6, GOLD, alpha=1 - age / (_SPARKLING + 1))

    def _draw_meadow(self, canvas: Canvas, way: float) -> None:
        canvas.gradient(*_SKY, 0, 0, WINDOW, GROUND)
        draw_clouds(canvas, way, self.decoration(0))
        for speed, rise, color in ((0.06, 34, _HILL[0]), (0.12, 20, _HILL[1])):
            for number in range(4):
                canvas.disc(scrolled(106 * number + 40 * speed, speed * way, 100), GROUND + 60 - rise, 70, color)
        canvas.gradient(*_GRASS, 0, GROUND, WINDOW, WINDOW - GROUND)
        canvas.rectangle(0, GROUND, WINDOW, 1.5, _BLADE)
        plants = self.decoration(1)
        for number, (start, depth) in enumerate(plants.uniform((0, 5), (264, 34), (22, 2)).tolist()):
            x, y = scrolled(start, way), GROUND + depth
            if number % 3 == 0:
                canvas.rectangle(x - 2.5, y - 1.5, 5, 3, _PEBBLE, corner=1.5)
            elif number % 3 == 1:
                for lean in (-2.5, 0, 2.5):
                    canvas.line((x + 0.5 * lean, y), (x + lean, y - 4), 1, _BLADE)
            else:
                canvas.line((x, y), (x, y - 3), 1, _BLADE)
                canvas.disc(x, y - 4, 2, _PETALS[number // 3 % 3])
                canvas.disc(x, y - 4, 0.8, GOLD)

    @staticmethod
    def _draw_coin(canvas: Canvas, coin: _Coin) -> None:
        if coin.x - _RADIUS >= WINDOW:
            canvas.edge_tick(coin.y, GOLD)
            return
        canvas.disc(coin.x, coin.y, _RADIUS, _RIM)
        canvas.disc(coin.x, coin.y, _RADIUS - 1.2, GOLD)
        canvas.disc(coin.x, coin.y, _RADIUS - 3, _RIM, outline=0.9)
        canvas.rectangle(coin.x - 1.2, coin.y - 3.5, 2.4, 7, _RIM, corner=1.2)
        canvas.path([(coin.x - 6.4, coin.y - 1), (coin.x - 5, coin.y - 4), (coin.x - 2, coin.y - 6.2)], 1.6, _SHINE)

    def _draw_runner(self, canvas: Canvas) -> None:
        runner, y = self._runner, self._runner.y
        flow = clip(runner.v, -8, 8) * 0.5  # hair and arms trail behind the motion
        canvas.path(
            [(MIDDLE - 3, y + 6), (MIDDLE - 7, y + 9 - 0.5 * flow), (LEFT + 0.5, y + 12 - 1.5 * flow)], 4.5, _HAIR
        )
        runner.draw_legs(canvas, SCROLL * self.time / 60, _SKIN, _SHOE)
        canvas.polygon([(MIDDLE - 3, y + 12), (MIDDLE + 3, y + 12), (MIDDLE + 7, y + 24), (MIDDLE - 7, y + 24)], _DRESS)
        canvas.polygon(
            [(MIDDLE + 0.5, y + 14), (MIDDLE + 3, y + 14), (MIDDLE + 6, y + 23), (MIDDLE + 1, y + 23)], _APRON
        )
        swing = 0.0 if not runner.grounded else 3 * math.sin(2 * math.pi * SCROLL * self.time / 60)
        for side in (-1, 1):
            reach = 15 + flow if not runner.grounded else 19.0
            canvas.path([(MIDDLE + 2 * side, y + 13.5), (MIDDLE + 7 * side + swing * side, y + reach)], 2.2, _SKIN)
        canvas.disc(MIDDLE - 0.5, y + 6, 6, _HAIR)
        canvas.disc(MIDDLE + 1.2, y + 7, 4.5, _SKIN)
        canvas.path([(MIDDLE - 3.5, y + 5), (MIDDLE + 1, y + 2.6), (MIDDLE + 5, y + 4.4)], 2.6, _HAIR)
        canvas.disc(MIDDLE + 3.4, y + 7, 0.8, _SHOE)
