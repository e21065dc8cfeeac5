"""Bird attack: shoot a marching flock from below, and keep out of its fire."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from newt_bench.envs.miniarcade.canvas import WINDOW, Canvas, Color
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.geometry import clip
from newt_bench.envs.miniarcade.palette import AGENT, AGENT_RIM, DANGER, GOAL, GOLD, NIGHT, PAPER

__all__ = ["BirdAttack"]

_NEAR, _FAR = 20.0, 204.0  # edges of the play area, in x and in y
_SIDE = _FAR - _NEAR

_SHIP_START, _SHIP_X, _SHIP_Y = 105.0, (20.0, 190.0), 184.0  # its left and upper edge
_SHIP_WIDTH, _SHIP_HEIGHT, _SHIP_MIDDLE = 14.0, 8.0, 188.0  # the last in y
_SPEED, _STUNNED_SPEED = 6.0, 1.2
_MUZZLE_Y, _RELOAD, _STUN = 178.0, 8, 16

_ROWS, _COLUMNS, _SPACING, _FIRST = 2, 8, 20.0, 40.0
_FLOCK = _ROWS * _COLUMNS
_BIRD_WIDTH, _BIRD_HEIGHT, _LIVES = 14.0, 12.0, 2
_DROP, _FIRING = 4.0, 0.0075  # pixels at a turn; probability per bird and frame
_SHOT_SPEED, _SHOT_WIDTH, _SHOT_HEIGHT = 7.0, 4.0, 6.0
_SHOWN_OWN, _SHOWN_ENEMY = 5, 10  # shots in the observation

_BIG_TIME, _BIG_X, _BIG_Y = 250, 112.0, 40.0
_BIG_SWAY = (0.03 * _SIDE, 0.01 * _SIDE)
_BIG_RELOAD, _BIG_FADE = 50, 5
_BIG_SHOT_SPEED, _BIG_SHOT_RADIUS, _BIG_SHOT_GONE = 5.0, 10.0, 214.0
_BIG_SHOT_HITS = (17.0, 14.0)  # nearer than this to the ship, in x and in y

_BURST = 8  # frames
_STARS = 50

_SKY: tuple[Color, Color] = ((8, 10, 20), (22, 26, 48))
_BIRD: Color = (205, 210, 222)
_BIG_BIRD: Color = (150, 150, 172)
_DANGER_CORE: Color = (255, 170, 160)


@dataclass(slots=True)
class _Bird:
    """A bird of the flock: left and upper edge of its box, and the hits that it still takes."""

    x: float
    y: float
    lives: int = _LIVES


@dataclass(slots=True)
class _BigBird:
    """The indestructible bird: its centre, frames until it fires, frames until it is there in full."""

    x: float = _BIG_X
    y: float = _BIG_Y
    reload: int = _BIG_RELOAD
    fade: int = _BIG_FADE


@dataclass(slots=True)
class _BigShot:
    x: float
    y: float
    vx: float
    vy: float


class BirdAttack(Game):
    """A ship at the bottom, sixteen birds that march sideways and come lower at each turn, two hits for each.

    The second action fires where it is positive, once per 8 frames at most. Birds fire at random; a big bird, that
    nothing can hurt, comes after half the episode and aims at the ship. A hit makes the ship slow, and unable to
    fire, for 16 frames. Rewards: 1 per bird shot down, -2 per hit taken, and 1 per frame once the sky is clear.

    Observation (55), positions in 224ths: left edge of the ship; reload time in fifths; share of birds left; left
    edges of the birds left, filled with zeros to 16; upper edge of the lowest bird; 5 own and 10 enemy shots (x, y),
    oldest first; stun time in tenths; position and velocity (in fifths) of the big bird's shot.
    """

    controls: ClassVar[Mapping[str, tuple[int, float]]] = {
        "left": (0, -1.0),
        "right": (0, 1.0),
        "up": (1, 1.0),
        "space": (1, 1.0),
    }

    def setup(self) -> None:
        """Lines up the flock; nothing is left to chance."""
        self._x = _SHIP_START
        self._reload, self._stun = 0, 0
        self._birds = [
            _Bird(_FIRST + _SPACING * column, _FIRST + _SPACING * row)
            for row in range(_ROWS)
            for column in range(_COLUMNS)
        ]
        self._heading = 1.0
        self._own_shots: list[tuple[float, float]] = []
        self._enemy_shots: list[tuple[float, float]] = []
        self._big: _BigBird | None = None
        self._big_shot: _BigShot | None = None
        self._bursts: list[tuple[float, float, int]] = []  # position and age of what was shot down, to look at

    def advance(self, action: Sequence[float]) -> float:
        """Moves the ship, the flock and all shots, then settles the hits."""
        self._bursts = [(x, y, age + 1) for x, y, age in self._bursts if age < _BURST]
        self._steer(action)
        self._own_shots = [(x, y - _SHOT_SPEED) for x, y in self._own_shots if y - _SHOT_SPEED > _NEAR]
        self._march()
        self._enemy_shots = [(x, y + _SHOT_SPEED) for x, y in self._enemy_shots if y + _SHOT_SPEED < _FAR]
        reward = self._hit_birds() + self._hit_ship()
        self._move_big_bird()
        reward += self._move_big_shot()
        return reward if self._birds else reward + 1.0

    def _steer(self, action: Sequence[float]) -> None:
        """Moves the ship and fires."""
        speed = _STUNNED_SPEED if self._stun else _SPEED
        self._x = clip(self._x + speed * action[0], *_SHIP_X)
        if self._stun:
            self._stun -= 1
        if action[1] > 0 and self._reload == 0:
            self._own_shots.append((self._x + _SHIP_WIDTH / 2, _MUZZLE_Y))
            self._reload = _RELOAD
        if self._reload:
            self._reload -= 1

    def _march(self) -> None:
        """Moves the flock, or turns it at the edges; each bird may fire."""
        birds = self._birds
        if not birds:
            return
        across, down = self._heading, 0.0
        if (
            max(bird.x for bird in birds) + _BIRD_WIDTH + across > _FAR
            or min(bird.x for bird in birds) + across < _NEAR
        ):
            self._heading, across, down = -across, 0.0, _DROP
        for bird, chance in zip(birds, self.rng.random(len(birds)).tolist(), strict=True):
            bird.x += across
            bird.y += down
            if chance < _FIRING:
                self._enemy_shots.append((bird.x + _BIRD_WIDTH / 2, bird.y + _BIRD_HEIGHT))

    def _hit_birds(self) -> float:
        """Settles own shots against the flock, at most one per bird; returns the reward."""
        if not self._own_shots:
            return 0.0
        reward = 0.0
        for bird in self._birds:
            middle_x, middle_y = bird.x + _BIRD_WIDTH / 2, bird.y + _BIRD_HEIGHT / 2
            for index, (x, y) in enumerate(self._own_shots):
                if abs(x - middle_x) < _BIRD_WIDTH / 2 and abs(y - middle_y) < _BIRD_HEIGHT / 2:
                    del self._own_shots[index]
                    bird.lives -= 1
                    break
            if bird.lives == 0:
                reward += 1.0
                self._bursts.append((middle_x, middle_y, 0))
        if reward:
            self._birds = [bird for bird in self._birds if bird.lives]
        return reward

    def _hit_ship(self) -> float:
        """Settles the flock's shots against the ship; returns the reward."""
        middle, reward, index = self._x + _SHIP_WIDTH / 2, 0.0, 0
        while index < len(self._enemy_shots):
            x, y = self._enemy_shots[index]
            if abs(x - middle) < _SHIP_WIDTH / 2 and abs(y - _SHIP_MIDDLE) < _SHIP_HEIGHT / 2:
                del self._enemy_shots[index]
                reward += self._stun_ship()
            index += 1  # after a hit, too: the next shot is passed over in this frame, as published
        return reward

    def _stun_ship(self) -> float:
        self._stun = self._reload = _STUN
        return -2.0

    def _move_big_bird(self) -> None:
        """Brings the big bird in when it is time, sways it, and lets it fire."""
        if self._big is None and self.time >= _BIG_TIME:
            self._big = _BigBird()
        big = self._big
        if big is None:
            return
        if big.fade:
            big.fade -= 1
            return
        big.x = _BIG_X + self.rng.uniform(-_BIG_SWAY[0], _BIG_SWAY[0])
        big.y = _BIG_Y + self.rng.uniform(-_BIG_SWAY[1], _BIG_SWAY[1])
        big.reload -= 1
        if big.reload <= 0 and self._big_shot is None:
            across, down = self._x + _SHIP_WIDTH / 2 - big.x, _SHIP_MIDDLE - (big.y + 8)
            pace = _BIG_SHOT_SPEED / math.hypot(across, down)
            self._big_shot = _BigShot(big.x, big.y + 8, pace * across, pace * down)
            big.reload = _BIG_RELOAD

    def _move_big_shot(self) -> float:
        """Moves the big bird's shot and settles it against the ship; returns the reward."""
        shot = self._big_shot
        if shot is None:
            return 0.0
        shot.x += shot.vx
        shot.y += shot.vy
        if shot.x - _BIG_SHOT_RADIUS < _NEAR or shot.x + _BIG_SHOT_RADIUS > _FAR:
            shot.vx = -shot.vx
        if shot.y >= _BIG_SHOT_GONE:
            self._big_shot = None
            return 0.0
        near_x, near_y = _BIG_SHOT_HITS
        if abs(shot.x - (self._x + _SHIP_WIDTH / 2)) < near_x and abs(shot.y - _SHIP_MIDDLE) < near_y:
            self._big_shot = None
            return self._stun_ship()
        return 0.0

    def observe(self) -> list[float]:
        """See the class."""
        birds, shot = self._birds, self._big_shot
        values = [self._x / 224, self._reload / 5, len(birds) / _FLOCK]
        values += [bird.x / 224 for bird in birds]
        values += [0.0] * (_FLOCK - len(birds))
        values.append(max((bird.y for bird in birds), default=_NEAR) / 224)
        for shots, shown in ((self._own_shots, _SHOWN_OWN), (self._enemy_shots, _SHOWN_ENEMY)):
            for x, y in shots[:shown]:
                values += (x / 224, y / 224)
            values += [0.0] * (2 * (shown - len(shots)))
        values.append(self._stun / 10)
        if shot is None:
            return [*values, 0.0, 0.0, 0.0, 0.0]
        return [
            *values,
            *(clip(shot.x / 224, 0, 1), clip(shot.y / 224, 0, 1)),
            *(clip(shot.vx / _BIG_SHOT_SPEED, -1, 1), clip(shot.vy / _BIG_SHOT_SPEED, -1, 1)),
        ]

    def draw(self, canvas: Canvas) -> None:
        """Draws the sky, the birds, all shots, the ship and the number of birds shot down."""
        self._draw_sky(canvas)
        canvas.tint(DANGER, 0.55 * self._stun / _STUN, _NEAR, _NEAR, _SIDE, _SIDE)
        for bird in self._birds:
            self._draw_bird(canvas, bird)
        for x, y, age in self._bursts:
            canvas.disc(x, y, 4 + age, _BIRD, outline=1.5, alpha=1 - age / (_BURST + 1))
        if self._big is not None:
            self._draw_big_bird(canvas, self._big)
        self._draw_shots(canvas)
        self._draw_ship(canvas)
        self._draw_frame(canvas)

    def _draw_sky(self, canvas: Canvas) -> None:
        canvas.gradient(*_SKY, _NEAR, _NEAR, _SIDE, _SIDE)
        stars = self.decoration().uniform((_NEAR, _NEAR, 0.1), (_FAR, _FAR, 0.5), (_STARS, 3))
        for x, y, light in stars.tolist():
            canvas.disc(x, y, 0.5 + light, PAPER, alpha=light)

    def _draw_frame(self, canvas: Canvas) -> None:
        """Covers what sticks out of the play area, and counts."""
        for left, top, width, height in (
            (0, 0, WINDOW, _NEAR),
            (0, _FAR, WINDOW, _NEAR),
            (0, 0, _NEAR, WINDOW),
            (_FAR, 0, _NEAR, WINDOW),
        ):
            canvas.rectangle(left, top, width, height, NIGHT)
        canvas.rectangle(_NEAR - 2, _NEAR - 2, _SIDE + 4, _SIDE + 4, PAPER, outline=2, corner=2)
        down = _FLOCK - len(self._birds)
        canvas.text(f"{down} / {_FLOCK}", _NEAR, 10, 15, PAPER if self._birds else GOAL, "left")

    def _draw_bird(self, canvas: Canvas, bird: _Bird) -> None:
        """Full, or hollow after the first hit; it looks where the flock is heading."""
        x, y = bird.x, bird.y
        wing = y if self.time // 8 % 2 else y + 2.5
        body = [(x, wing), (x + 5, y + 2.5), (x + 9, y + 2.5), (x + 14, wing), (x + 11, y + 7), (x + 7, y + 12),
                (x + 3, y + 7)]  # fmt: skip
        if bird.lives == _LIVES:
            canvas.polygon(body, _BIRD)
        else:
            inner = [(px + 0.1 * (x + 7 - px), py + 0.1 * (y + 6 - py)) for px, py in body]
            canvas.polygon(inner, _BIRD, outline=1.2)
        eye = x + 7 + 1.8 * self._heading
        canvas.disc(eye, y + 5, 1.1, _SKY[0] if bird.lives == _LIVES else _BIRD)
        canvas.polygon([(x + 5.5, y + 9), (x + 8.5, y + 9), (x + 7, y + 12)], GOLD)

    def _draw_big_bird(self, canvas: Canvas, big: _BigBird) -> None:
        x, y, alpha = big.x, big.y, 1 - big.fade / _BIG_FADE
        for side in (-1, 1):
            wing = [(0, -1), (16, -8), (23, -4), (32, 8), (24, 3), (17, 3), (10, 8), (0, 6)]
            canvas.polygon([(x + side * across, y + down) for across, down in wing], _BIG_BIRD, alpha=alpha)
        canvas.disc(x, y + 1, 7, _BIG_BIRD, alpha=alpha)
        for side in (-1, 1):
            canvas.disc(x + 2.4 * side, y, 1.3, DANGER, alpha=alpha)
        canvas.polygon([(x - 2, y + 3), (x + 2, y + 3), (x, y + 8)], GOLD, alpha=alpha)

    def _draw_shots(self, canvas: Canvas) -> None:
        for shots, color, core in ((self._own_shots, AGENT, AGENT), (self._enemy_shots, DANGER, _DANGER_CORE)):
            for x, y in shots:
                left, top = x - _SHOT_WIDTH / 2, y - _SHOT_HEIGHT / 2
                canvas.rectangle(left, top, _SHOT_WIDTH, _SHOT_HEIGHT, color, corner=1.5)
                canvas.disc(x, y, 1, core)
        shot = self._big_shot
        if shot is not None:
            canvas.disc(shot.x, shot.y, _BIG_SHOT_RADIUS, DANGER)
            canvas.disc(shot.x, shot.y, _BIG_SHOT_RADIUS - 4, _DANGER_CORE, alpha=0.6)

    def _draw_ship(self, canvas: Canvas) -> None:
        """The ship, its muzzle flash, and a bar that fills up while it reloads."""
        left, top, middle = self._x, _SHIP_Y, self._x + _SHIP_WIDTH / 2
        canvas.rectangle(left, top, _SHIP_WIDTH, _SHIP_HEIGHT, AGENT, corner=2)
        canvas.rectangle(left, top + 5, _SHIP_WIDTH, 3, AGENT_RIM, corner=1.5)
        canvas.polygon([(middle - 4, top), (middle + 4, top), (middle, top - 6)], AGENT)
        if self._reload == _RELOAD - 1 and not self._stun:
            canvas.glow(middle, top - 8, 8, GOLD, 0.8)
        if self._reload:
            ready = 1 - self._reload / (_STUN if self._stun else _RELOAD)
            canvas.rectangle(left, top + 10, _SHIP_WIDTH, 1.5, AGENT_RIM, alpha=0.5)
            canvas.rectangle(left, top + 10, _SHIP_WIDTH * ready, 1.5, AGENT)
