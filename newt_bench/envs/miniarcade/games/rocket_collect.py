"""Rocket collect: fetch one coin after another, out of the way of asteroids that fill the window."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from newt_bench.envs.miniarcade import sprites
from newt_bench.envs.miniarcade.canvas import WINDOW, Canvas, Color
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.geometry import clip, distance
from newt_bench.envs.miniarcade.palette import DANGER, FLAME, FLAME_TIP, ROCK_LIGHT, SHIP, SHIP_GLASS, SHIP_RIM

__all__ = ["RocketCollect"]

_ROCKET_RADIUS, _COIN_RADIUS, _ASTEROID_RADIUS = 10, 9, 14
_START = (112.0, 184.0)
_LOWEST, _HIGHEST = 15, 209  # of the rocket's coordinates
_THRUST, _DAMPING, _MAX_SPEED = 0.75, 0.98, 4.0

_COIN_COLUMNS, _COIN_ROWS = (30, 194), (40, 112)  # whole numbers, without the second: the upper half only

_MAX_ASTEROIDS = 3
_STEPS_PER_ASTEROID = 150  # until another one comes
_ASTEROID_START = (20, 204)  # along a side of the window, whole numbers without the second
_ASTEROID_OUTSIDE = 28  # how far out of the window it starts
_ASTEROID_AIM = (56, 168)
_ASTEROID_SPEED = (1.0, 2.2)

_DIAGONAL = math.hypot(WINDOW, WINDOW)
_NEARNESS_REWARD, _COLLISION_REWARD = 0.002, -0.2
_HIT_STEPS = 6

_SKY: tuple[Color, Color] = ((10, 0, 20), (30, 0, 60))
_SPIN = 0.02


@dataclass(slots=True)
class _Asteroid:
    x: float
    y: float
    vx: float
    vy: float
    entered: bool = False

    def move(self) -> None:
        """Flies on; once it has been wholly inside the window, it bounces off the edges."""
        self.x += self.vx
        self.y += self.vy
        low, high = _ASTEROID_RADIUS, WINDOW - _ASTEROID_RADIUS
        if not self.entered:
            self.entered = low <= self.x <= high and low <= self.y <= high
            return
        if not low <= self.x <= high:
            self.x, self.vx = clip(self.x, low, high), -self.vx
        if not low <= self.y <= high:
            self.y, self.vy = clip(self.y, low, high), -self.vy


class RocketCollect(Game):
    """A gliding rocket, one coin at a time, and asteroids: one at first, a second after 150 steps, then a third.

    Asteroids enter from any side, then bounce about the window for the rest of the episode. The reward is 1 for a
    coin, -0.2 for each touched asteroid at every step of contact, and up to 0.002 per step for being near the coin.

    Observation (21):
        0, 1: the rocket's x and y, / 224;
        2, 3: its velocity, / 4;
        4, 5: the coin's x and y, / 224;
        6, 7: the coin's offset from the rocket, / 224;
        8: 1 on contact with an asteroid, and for four steps after it;
        9-12, 13-16, 17-20: x and y, / 224, and velocity, / 4, of each asteroid; zeros for those yet to come.
    """

    def setup(self) -> None:
        """Puts the rocket to the bottom; draws a coin and the first asteroid."""
        self._x, self._y = _START
        self._vx = self._vy = 0.0
        self._hit_steps = 0
        self._collected = 0
        self._pickups: deque[tuple[float, float, int]] = deque(maxlen=3)  # place and step
        self._place_coin()
        self._asteroids: list[_Asteroid] = []
        self._add_asteroids(0)

    def _place_coin(self) -> None:
        """Draws a place in the upper half; as published, it may lie under the rocket."""
        self._coin = (float(self.rng.integers(*_COIN_COLUMNS)), float(self.rng.integers(*_COIN_ROWS)))

    def _add_asteroids(self, time: int) -> None:
        wanted = min(1 + time // _STEPS_PER_ASTEROID, _MAX_ASTEROIDS)
        while len(self._asteroids) < wanted:
            self._asteroids.append(self._new_asteroid())

    def _new_asteroid(self) -> _Asteroid:
        """Draws an asteroid beyond one of the sides, on its way to somewhere in the middle."""
        side = int(self.rng.integers(4))
        along = float(self.rng.integers(*_ASTEROID_START))
        outside = float(-_ASTEROID_OUTSIDE if side % 2 == 0 else WINDOW + _ASTEROID_OUTSIDE)
        x, y = (along, outside) if side < 2 else (outside, along)
        aim_x, aim_y = self.rng.uniform(*_ASTEROID_AIM), self.rng.uniform(*_ASTEROID_AIM)
        scale = self.rng.uniform(*_ASTEROID_SPEED) / distance(x, y, aim_x, aim_y)
        return _Asteroid(x, y, scale * (aim_x - x), scale * (aim_y - y))

    def advance(self, action: Sequence[float]) -> float:
        """Moves the rocket, then the asteroids; then collects the coin, and counts collisions."""
        self._move_rocket(action)
        for asteroid in self._asteroids:
            asteroid.move()
        reward = self._collect() + self._collide()
        self._add_asteroids(self.time + 1)
        if self._hit_steps > 0:
            self._hit_steps -= 1
        return reward

    def _move_rocket(self, action: Sequence[float]) -> None:
        """As published, the edges stop the rocket and leave its velocity as it is."""
        self._vx = _DAMPING * (self._vx + _THRUST * action[0])
        self._vy = _DAMPING * (self._vy + _THRUST * action[1])
        speed = math.hypot(self._vx, self._vy)
        if speed > _MAX_SPEED:
            self._vx *= _MAX_SPEED / speed
            self._vy *= _MAX_SPEED / speed
        self._x = clip(self._x + self._vx, _LOWEST, _HIGHEST)
        self._y = clip(self._y + self._vy, _LOWEST, _HIGHEST)

    def _collect(self) -> float:
        """The reward for the coin: the next one appears at once, but not to be collected in the same step."""
        far = distance(self._x, self._y, *self._coin)
        reward = _NEARNESS_REWARD * (1 - min(far / _DIAGONAL, 1.0))
        if far < _ROCKET_RADIUS + _COIN_RADIUS:
            reward += 1
            self._collected += 1
            self._pickups.append((*self._coin, self.time))
            self._place_coin()
        return reward

    def _collide(self) -> float:
        touched = sum(
            distance(self._x, self._y, asteroid.x, asteroid.y) < _ROCKET_RADIUS + _ASTEROID_RADIUS
            for asteroid in self._asteroids
        )
        if touched:
            self._hit_steps = _HIT_STEPS
        return _COLLISION_REWARD * touched

    def observe(self) -> list[float]:
        """See the class."""
        coin_x, coin_y = self._coin
        numbers = [
            *(self._x / 224, self._y / 224, self._vx / _MAX_SPEED, self._vy / _MAX_SPEED),
            *(coin_x / 224, coin_y / 224, (coin_x - self._x) / 224, (coin_y - self._y) / 224),
            float(self._hit_steps > 0),
        ]
        for asteroid in self._asteroids:
            numbers += (asteroid.x / 224, asteroid.y / 224, asteroid.vx / _MAX_SPEED, asteroid.vy / _MAX_SPEED)
        # As published, asteroids yet to come are zeros: at the upper left corner, where none ever rests.
        return numbers + [0.0] * (4 * (_MAX_ASTEROIDS - len(self._asteroids)))

    def draw(self, canvas: Canvas) -> None:
        """Draws the sky, the asteroids, the coin, which is smaller than they, and the rocket."""
        canvas.gradient(*_SKY)
        sprites.stars(canvas, self.decoration(0), 50)
        sprites.coin_count(canvas, self._collected)
        for index, asteroid in enumerate(self._asteroids):
            self._draw_asteroid(canvas, index, asteroid)
        canvas.glow(*self._coin, 20, FLAME, 0.15)
        sprites.coin(canvas, *self._coin, _COIN_RADIUS)
        self._draw_rocket(canvas)
        if self._hit_steps > 0:
            canvas.tint(DANGER, 0.28)
        for x, y, step in self._pickups:
            sprites.pickup(canvas, x, y, self.time - step - 1)

    def _draw_asteroid(self, canvas: Canvas, index: int, asteroid: _Asteroid) -> None:
        """One that is out of sight yet shows as a dot at the edge."""
        x, y, reach = asteroid.x, asteroid.y, WINDOW + _ASTEROID_RADIUS
        if not (-_ASTEROID_RADIUS < x < reach and -_ASTEROID_RADIUS < y < reach):
            canvas.disc(clip(x, 0, WINDOW), clip(y, 0, WINDOW), 5, ROCK_LIGHT)
            return
        shape = self.decoration(1, index)
        turn = self.time * shape.uniform(-_SPIN, _SPIN)
        sprites.asteroid(canvas, x, y, _ASTEROID_RADIUS, turn, shape)

    def _draw_rocket(self, canvas: Canvas) -> None:
        """Always upright; the flame shows its speed."""
        x, y = self._x, self._y
        flame = 2 + 3 * math.hypot(self._vx, self._vy) + 1.5 * self.decoration(2, self.time).random()
        for width, length, color in ((4.0, flame, FLAME_TIP), (2.3, 0.6 * flame, FLAME)):
            canvas.polygon([(x - width, y + 8), (x + width, y + 8), (x, y + 9 + length)], color)
        for side in (-1, 1):
            fin = [(x + 4.5 * side, y), (x + 10 * side, y + 7), (x + 10 * side, y + 12), (x + 4.5 * side, y + 8)]
            canvas.polygon(fin, SHIP_RIM)
        hull = [(-5.5, 9), (-6.5, 2), (-5.5, -4), (-3, -10), (0, -14), (3, -10), (5.5, -4), (6.5, 2), (5.5, 9)]
        canvas.polygon([(x + right, y + down) for right, down in hull], SHIP)
        canvas.polygon([(x + right, y + down) for right, down in hull[4:]] + [(x + 2, y + 9)], SHIP_RIM, alpha=0.45)
        canvas.disc(x, y - 3, 3.2, SHIP_RIM)
        canvas.disc(x, y - 3, 2.2, SHIP_GLASS)
