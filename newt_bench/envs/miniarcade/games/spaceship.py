"""Spaceship: meet the waves of coins that scroll in from the right, and miss the asteroids among them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from newt_bench.envs.miniarcade import sprites
from newt_bench.envs.miniarcade.canvas import WINDOW, Canvas
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.geometry import Rect, clip
from newt_bench.envs.miniarcade.palette import (
    DANGER,
    FLAME,
    FLAME_TIP,
    GOLD,
    NIGHT,
    ROCK_LIGHT,
    SHIP,
    SHIP_GLASS,
    SHIP_RIM,
)

__all__ = ["Spaceship"]

_SHIP_WIDTH, _SHIP_HEIGHT = 28, 18
_START = (40.0, 112.0)  # of the ship's upper left corner, as all its positions
_THRUST, _DAMPING = 0.65, 0.95
_SPEED_SCALE = 10.0  # of the observation
_SCROLL = 12  # pixels per step

_COIN_RADIUS = 9
_MAX_COINS = 4
_COIN_SPACING = 27
_COIN_START = (244, 284)  # x of a wave's first coin; a whole number without the second, as the next two
_COIN_ROWS = (30, 194)
_STEP_CHANCE, _STEP = 0.6, 18  # of a change in height between neighbours
_COIN_TOP, _COIN_BOTTOM = 20, 204

_ASTEROID_RADIUS = 18
_ASTEROID_CHANCE = 0.5
_ASTEROID_SPREAD = 30
_ASTEROID_ROWS = (40, 184)
_CONTACT_REWARD = -2.0

_STAR_SCROLL, _SPIN = 6, 0.02


class Spaceship(Game):
    """A ship with inertia in a scrolling sky; coins come in waves of two to four, now and then with an asteroid.

    The next wave starts when every coin is taken or gone. The reward is 1 for a coin and -2 for every step of
    contact with the asteroid. Contact is that of the bounding rectangles.

    Observation (14):
        0, 1: x and y of the ship's upper left corner, / 224;
        2, 3: its velocity, / 10;
        4-11: x and y, / 224, of the wave's coins in order; -1, -1 for those taken and those there are not;
        12, 13: x and y of the asteroid, / 224; -1, -1 if there is none.

    Coins and asteroids are observed before they enter the window, and coins after they have left it, too.
    """

    def setup(self) -> None:
        """Puts the ship to the left and draws the first wave."""
        self._x, self._y = _START
        self._vx = self._vy = 0.0
        self._asteroid: tuple[float, float] | None = None
        self._asteroid_count = 0
        self._contact = False
        self._collected = 0
        self._pickups: deque[tuple[float, float, int]] = deque(maxlen=6)  # place and step
        self._start_wave()

    def _start_wave(self) -> None:
        """Draws the coins, and perhaps an asteroid behind them if there is none."""
        count = int(self.rng.integers(2, _MAX_COINS + 1))
        first, y = float(self.rng.integers(*_COIN_START)), float(self.rng.integers(*_COIN_ROWS))
        self._coins: list[tuple[float, float] | None] = [None] * _MAX_COINS
        for index in range(count):
            if index > 0 and self.rng.random() < _STEP_CHANCE:
                change = _STEP if self.rng.random() < 0.5 else -_STEP
                y = clip(y + change, _COIN_TOP, _COIN_BOTTOM)
            self._coins[index] = (first + _COIN_SPACING * index, y)
        if self._asteroid is None and self.rng.random() < _ASTEROID_CHANCE:
            behind = first + _COIN_SPACING * (count + 2)
            x = behind + self.rng.uniform(-_ASTEROID_SPREAD, _ASTEROID_SPREAD)
            self._asteroid = (x, float(self.rng.integers(*_ASTEROID_ROWS)))
            self._asteroid_count += 1

    def advance(self, action: Sequence[float]) -> float:
        """Moves the ship, the asteroid and the coins; a new wave starts before coins are taken."""
        self._move_ship(action)
        ship = Rect.truncated(self._x, self._y, _SHIP_WIDTH, _SHIP_HEIGHT)
        reward = self._move_asteroid(ship)
        self._coins = [coin and (coin[0] - _SCROLL, coin[1]) for coin in self._coins]
        if all(coin is None or coin[0] < -_COIN_RADIUS for coin in self._coins):
            self._start_wave()
        return reward + self._take_coins(ship)

    def _move_ship(self, action: Sequence[float]) -> None:
        """As published, the ship moves before its velocity is damped, and edges leave the velocity as it is."""
        self._vx += _THRUST * action[0]
        self._vy += _THRUST * action[1]
        self._x = clip(self._x + self._vx, 0, WINDOW - _SHIP_WIDTH)
        self._y = clip(self._y + self._vy, 0, WINDOW - _SHIP_HEIGHT)
        self._vx *= _DAMPING
        self._vy *= _DAMPING

    def _move_asteroid(self, ship: Rect) -> float:
        """The reward for contact with it."""
        self._contact = False
        if self._asteroid is None:
            return 0.0
        x, y = self._asteroid[0] - _SCROLL, self._asteroid[1]
        self._asteroid = None if x < -_ASTEROID_RADIUS else (x, y)
        self._contact = ship.overlaps(_square(x, y, _ASTEROID_RADIUS))
        return _CONTACT_REWARD if self._contact else 0.0

    def _take_coins(self, ship: Rect) -> float:
        """The number of coins taken."""
        taken = 0
        for index, coin in enumerate(self._coins):
            if coin is not None and ship.overlaps(_square(*coin, _COIN_RADIUS)):
                self._coins[index] = None
                self._pickups.append((*coin, self.time))
                taken += 1
        self._collected += taken
        return float(taken)

    def observe(self) -> list[float]:
        """See the class."""
        numbers = [self._x / 224, self._y / 224, self._vx / _SPEED_SCALE, self._vy / _SPEED_SCALE]
        for thing in (*self._coins, self._asteroid):
            numbers += (-1.0, -1.0) if thing is None else (thing[0] / 224, thing[1] / 224)
        return numbers

    def draw(self, canvas: Canvas) -> None:
        """Draws the sky, the coins, the asteroid and the ship; marks what waits beyond the right edge."""
        canvas.fill(NIGHT)
        sprites.stars(canvas, self.decoration(0), 60, _STAR_SCROLL * self.time)
        sprites.coin_count(canvas, self._collected)
        if self._asteroid is not None:
            shape = self.decoration(1, self._asteroid_count)
            sprites.asteroid(canvas, *self._asteroid, _ASTEROID_RADIUS, _SPIN * self.time, shape)
        for coin in self._coins:
            if coin is not None:
                sprites.coin(canvas, *coin, _COIN_RADIUS)
        self._draw_ship(canvas)
        if self._contact:
            canvas.tint(DANGER, 0.2)
        self._draw_marks(canvas)
        for x, y, step in self._pickups:
            sprites.pickup(canvas, x, y, self.time - step - 1)

    def _draw_marks(self, canvas: Canvas) -> None:
        if self._asteroid is not None and self._asteroid[0] >= WINDOW + _ASTEROID_RADIUS:
            # Taller than those of the coins, which may lie on it.
            canvas.rectangle(WINDOW - 4, self._asteroid[1] - 8, 4, 16, ROCK_LIGHT)
        for coin in self._coins:
            if coin is not None and coin[0] >= WINDOW + _COIN_RADIUS:
                canvas.edge_tick(coin[1], GOLD)

    def _draw_ship(self, canvas: Canvas) -> None:
        """Its flame shows its speed."""
        x, y = self._x, self._y
        middle = y + _SHIP_HEIGHT / 2
        flame = 4 + 1.6 * math.hypot(self._vx, self._vy) + 2 * self.decoration(2, self.time).random()
        for width, length, color in ((4.0, flame, FLAME_TIP), (2.2, 0.6 * flame, FLAME)):
            canvas.polygon([(x + 3, middle - width), (x + 3, middle + width), (x + 2 - length, middle)], color)
        for side in (-1, 1):
            wing = [(x + 18, middle + 3 * side), (x + 5, middle + 9 * side), (x, middle + 9 * side), (x + 4, middle)]
            canvas.polygon(wing, SHIP_RIM)
        hull = [(x + 28, middle), (x + 21, y + 5), (x + 9, y + 4), (x + 2, y + 6), (x + 2, y + 12), (x + 9, y + 14),
                (x + 21, y + 13)]  # fmt: skip
        canvas.polygon(hull, SHIP)
        canvas.polygon([hull[0], (x + 2, middle + 1), *hull[4:]], SHIP_RIM, alpha=0.45)
        canvas.polygon([(x + 22, middle - 0.5), (x + 18, y + 6), (x + 13, y + 6.5), (x + 13, middle)], SHIP_GLASS)


def _square(x: float, y: float, radius: float) -> Rect:
    """The bounding square of a disc, on the integer grid."""
    return Rect.truncated(x - radius, y - radius, 2 * radius, 2 * radius)
