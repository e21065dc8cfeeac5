"""Highway: drive along a lane's centre with open road ahead, among slower traffic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from newt_bench.envs.miniarcade.canvas import WINDOW, Canvas, Color
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.geometry import Rect, clip
from newt_bench.envs.miniarcade.palette import DANGER, PAPER

__all__ = ["Highway"]

_TOP, _BOTTOM = 18, 206  # edges of the road
_LANES = 5
_LANE_HEIGHT = (_BOTTOM - _TOP) / _LANES
_CENTERS = tuple(_TOP + (lane + 0.5) * _LANE_HEIGHT for lane in range(_LANES))
_LENGTH, _WIDTH = 28, 18  # of the player's car; all traffic is as wide
_HIGHEST_X, _HIGHEST_Y = 196, 188
_PUSH, _DAMPING = 0.65, 0.95
_SCROLL, _FAST = 6.0, 7.2  # speeds of the traffic, to the left
_SLOTS = 4
_SPACE = 18  # between cars of a lane, at least, when one appears
_PLACES = (244.0, 284.0)  # where cars appear
_TRIES = 8
_LAST_STEP = 499  # by which the quota of cars has risen to four
_HELD = 5  # steps that a collision lasts
_FLASH = 3
_BITE = 27  # the player's front overlaps a car that it has hit by one pixel
_FREE = 70  # clearance that makes a neighbouring lane free
_CLOSE = 84  # clearance below which the road ahead is not clear

_GRASS: Color = (97, 133, 80)
_BUSHES: tuple[Color, Color] = ((74, 112, 62), (120, 158, 92))
_ROAD: tuple[Color, Color] = ((66, 66, 70), (58, 58, 62))
_EDGE: Color = (206, 206, 206)
_DASH: Color = (220, 220, 220)
_PLAYER: Color = (226, 58, 58)
_TYRE: Color = (18, 18, 20)
_GLASS: Color = (36, 48, 64)
_LAMP: Color = (255, 246, 196)
_BRAKE: Color = (150, 20, 20)


class _Kind(NamedTuple):
    length: int
    color: Color
    truck: bool = False
    fast: bool = False


_BLUE = _Kind(28, (95, 135, 212))
_YELLOW = _Kind(28, (227, 188, 34), fast=True)
_TRUCK = _Kind(56, (82, 148, 66), truck=True)
_KINDS = (_BLUE, _YELLOW, _TRUCK)


@dataclass(slots=True)
class _Car:
    wait: int  # steps until it may appear
    active: bool = False
    kind: _Kind = _BLUE
    lane: int = 0
    x: float = 0.0  # its left edge
    held: int = 0  # steps that a collision with it still lasts

    @property
    def end(self) -> float:
        return self.x + self.kind.length


class Highway(Game):
    """The actions accelerate the car along and across a road of five lanes, which traffic crosses to the left.

    Who hits a car loses speed and place to it: both drift back together for five steps, then the car is gone and the
    player's stands still. Up to four cars are on the road at once, more of them as time goes on.

    The reward has these parts: up to 0.01 for driving at the centre of a lane; 0.01 for a lane without a car ahead,
    0.005 with one at 84 pixels or more, and down to -0.02 as it comes nearer; -0.0005 times the squared length of the
    action; -1 in the step of a collision.

    Observation (24), clearances from the car's front in pixels over 224, 1 at most:
        0-3: Left edge over 224, middle height over 224, velocity over 10.
        4: 1, 2/3, 1/3, 0 from a collision on.
        5: Clearance in the player's lane; -1 if no car is ahead.
        6, 7: 1 if the lane above, and below, has no car within 70 pixels ahead, else 0; 0 if there is no such lane.
        8, 9: Clearance in the lane above, and below; -1 if no car is ahead or there is no such lane.
        10, 11: Offset from the lane's centre over half its height, number of the lane over 4.
        12-23: For each of four slots: left edge and middle height over 224, 1 for a truck; -1 three times if empty.
    """

    def setup(self) -> None:
        """Puts the player into one of the three inner lanes, and a first car beyond the right edge."""
        self._x = float(self.rng.uniform(20, 60))
        self._y = _CENTERS[int(self.rng.integers(1, 4))] - _WIDTH / 2
        self._vx, self._vy = self.rng.uniform(-0.2, 0.2, 2).tolist()
        self._cars = [_Car(wait) for wait in self.rng.integers(0, 7, _SLOTS).tolist()]
        self._held: _Car | None = None  # the car of a collision under way
        self._flash = 0
        self._appear(self._cars[0], 264.0)

    def advance(self, action: Sequence[float]) -> float:
        """Moves the player, then the traffic, and rewards the state they are in."""
        self._flash = max(self._flash - 1, 0)
        self._steer(action)
        if self._held is not None:
            self._drift(self._held)
        collided = self._move_traffic()
        effort = 0.0005 * (action[0] * action[0] + action[1] * action[1])
        return self._shaping() - effort - (1.0 if collided else 0.0)

    def _steer(self, action: Sequence[float]) -> None:
        self._vx += _PUSH * action[0]
        self._vy += _PUSH * action[1]
        # At the borders the speed is kept, as published.
        self._x = clip(self._x + self._vx, 0, _HIGHEST_X)
        self._y = clip(self._y + self._vy, _TOP, _HIGHEST_Y)
        self._vx *= _DAMPING
        self._vy *= _DAMPING

    def _drift(self, car: _Car) -> None:
        """Takes the player back with the car that it has hit."""
        speed, limit = self._follow(car)
        place, pushed = car.x - speed, self._x - speed
        if pushed < 0 or place < _BITE:
            self._release(car)
            return
        car.x = max(place, limit)
        car.held -= 1
        # Whatever the side of the hit, the player ends up at the car's left, as published.
        self._x = min(pushed, place - _BITE)
        if car.end < 0 or car.held <= 0:
            self._release(car)

    def _release(self, car: _Car) -> None:
        self._clear(car)
        self._vx = self._vy = 0.0
        self._held = None

    def _clear(self, car: _Car) -> None:
        car.active, car.held = False, 0
        car.wait = int(self.rng.integers(4, 11))

    def _move_traffic(self) -> bool:
        """Moves the cars in the order of the slots, lets new ones appear; whether the player hits one."""
        quota = 1 + 3 * self.time // _LAST_STEP
        player = Rect.truncated(self._x, self._y, _LENGTH, _WIDTH)
        collided, count = False, 0
        for car in self._cars:
            if not car.active:
                car.wait = max(car.wait - 1, 0)
                # Only cars in slots before this one count: there can be more cars than the quota, as published.
                if car.wait == 0 and count < quota:
                    self._appear(car)
                    count += car.active
                continue
            count += 1
            if car is self._held:
                continue
            speed, limit = self._follow(car)
            car.x = max(car.x - speed, limit)
            if self._held is None and player.overlaps(self._body(car)):
                car.held, self._held, self._flash, collided = _HELD, car, _FLASH, True
            if car.end < 0:
                self._clear(car)
        return collided

    @staticmethod
    def _body(car: _Car) -> Rect:
        return Rect.truncated(car.x, _CENTERS[car.lane] - _WIDTH / 2, car.kind.length, _WIDTH)

    def _appear(self, car: _Car, x: float | None = None) -> None:
        """Puts a car of a random kind onto a lane where there is space, beyond the right edge, or fails."""
        kind = _KINDS[int(self.rng.integers(len(_KINDS)))]
        car.wait = 1
        for _ in range(_TRIES):
            lane = int(self.rng.integers(_LANES))
            place = float(self.rng.uniform(*_PLACES)) if x is None else x
            others = (other for other in self._cars if other.active and other.lane == lane)
            if all(abs(other.x - place) >= max(kind.length, other.kind.length) + _SPACE for other in others):
                car.active, car.kind, car.lane, car.x, car.held = True, kind, lane, place, 0
                return

    def _follow(self, car: _Car) -> tuple[float, float]:
        """A car's speed, and how far to the left it may come. Only yellow cars heed the next one on their way."""
        if not car.kind.fast:
            return _SCROLL, -math.inf
        others = (o for o in self._cars if o.active and o is not car and o.lane == car.lane and o.x < car.x)
        ahead = max((o for o in others if o.end <= car.x), key=lambda o: o.end, default=None)
        if ahead is None:
            return _FAST, -math.inf
        close = car.x - ahead.end <= max(car.kind.length, ahead.kind.length)
        return _SCROLL if close else _FAST, ahead.end + 1

    def _lane(self) -> int:
        """The lane whose centre is nearest; the upper one of two."""
        return min(max(math.ceil((self._y + _WIDTH / 2 - _TOP) / _LANE_HEIGHT) - 1, 0), _LANES - 1)

    def _clearances(self) -> list[float]:
        """For each lane, the distance from the player's front to the next car; infinite if there is none.

        A car beside the player, or one that it has hit, is not ahead, as published.
        """
        front = self._x + _LENGTH
        clearances = [math.inf] * _LANES
        for car in self._cars:
            if car.active and front <= car.x < front + clearances[car.lane]:
                clearances[car.lane] = car.x - front
        return clearances

    def _shaping(self) -> float:
        lane = self._lane()
        off = (self._y + _WIDTH / 2 - _CENTERS[lane]) / (_LANE_HEIGHT / 2)
        clearance = self._clearances()[lane]
        ahead = 0.01
        if clearance < _CLOSE:
            ahead = -0.02 * (1 - clearance / _CLOSE)
        elif clearance < math.inf:
            ahead = 0.005
        return 0.01 * math.exp(-off * off) + ahead

    def observe(self) -> list[float]:
        """See the class."""
        lane, middle = self._lane(), self._y + _WIDTH / 2
        gaps = self._clearances()
        above = gaps[lane - 1] if lane > 0 else None
        below = gaps[lane + 1] if lane < _LANES - 1 else None
        obs = [self._x / 224, middle / 224, self._vx / 10, self._vy / 10, self._flash / _FLASH, _seen(gaps[lane])]
        obs += (float(gap is not None and gap > _FREE) for gap in (above, below))
        obs += (_seen(above), _seen(below))
        obs += (clip((middle - _CENTERS[lane]) / (_LANE_HEIGHT / 2), -1, 1), lane / 4)
        for car in self._cars:
            if car.active:
                obs += (car.x / 224, _CENTERS[car.lane] / 224, float(car.kind.truck))
            else:
                obs += (-1.0, -1.0, -1.0)
        return obs

    def draw(self, canvas: Canvas) -> None:
        """Draws the road, the traffic and the player's car; a red veil after a collision."""
        self._draw_road(canvas)
        for car in self._cars:
            if car.active and car.x >= WINDOW:
                canvas.edge_tick(_CENTERS[car.lane], car.kind.color)
            elif car.active:
                self._draw_traffic(canvas, car)
        self._draw_beams(canvas)
        _draw_car(canvas, self._x, self._y, _LENGTH, _PLAYER)
        canvas.rectangle(self._x + 5, self._y + 8, _LENGTH - 9, 2, PAPER, alpha=0.8)
        if self._flash:
            canvas.tint(DANGER, 0.08 + 0.06 * self._flash)

    def _draw_road(self, canvas: Canvas) -> None:
        way = _SCROLL * self.time
        canvas.fill(_GRASS)
        bushes = self.decoration(0).uniform((0, 3, 2), (264, 13, 4.5), (26, 3)).tolist()
        for number, (start, depth, radius) in enumerate(bushes):
            x, y = (start - way) % 264 - 20, depth if number % 2 else WINDOW - depth
            canvas.disc(x + 1, y + 1.5, radius, _BUSHES[0])
            canvas.disc(x, y, radius - 0.8, _BUSHES[number % 3 == 0])
        canvas.gradient(*_ROAD, 0, _TOP, WINDOW, _BOTTOM - _TOP)
        for y in (_TOP, _BOTTOM - 2):
            canvas.rectangle(0, y, WINDOW, 2, _EDGE)
        for border in range(1, _LANES):
            for dash in range(11):
                x = 24 * dash - way % 24
                canvas.rectangle(x, _TOP + border * _LANE_HEIGHT - 1, 14, 2, _DASH, alpha=0.85)

    def _draw_traffic(self, canvas: Canvas, car: _Car) -> None:
        y = _CENTERS[car.lane] - _WIDTH / 2
        _draw_car(canvas, car.x, y, car.kind.length, car.kind.color)
        if car.kind.truck:
            self._draw_trailer(canvas, car.x, y)
        if car is self._held:
            canvas.rectangle(car.x - 2, y - 2, car.kind.length + 4, _WIDTH + 4, PAPER, corner=5, outline=1.5)
            x, middle = car.x, clip(self._y + _WIDTH / 2, y, y + _WIDTH)
            for ray in range(7):  # sparks where the two touch
                angle = 2 * math.pi * ray / 7 + car.held
                tip = (x + 9 * math.cos(angle), middle + 9 * math.sin(angle))
                canvas.line((x, middle), tip, 1.6, _LAMP)

    @staticmethod
    def _draw_trailer(canvas: Canvas, x: float, y: float) -> None:
        canvas.rectangle(x, y, 38, _WIDTH, _shade(_TRUCK.color, 0.55), corner=2)
        canvas.rectangle(x + 1, y + 1, 36, _WIDTH - 2, _shade(_TRUCK.color, 1.18), corner=1.5)
        for rib in range(1, 6):
            canvas.line((x + 6 * rib, y + 2.5), (x + 6 * rib, y + _WIDTH - 2.5), 0.8, _TRUCK.color)

    def _draw_beams(self, canvas: Canvas) -> None:
        """The headlights' light points to where the car is going."""
        front, bend = self._x + _LENGTH, 0.6 * self._vy
        for y in (self._y + 4, self._y + _WIDTH - 4):
            canvas.polygon([(front, y - 1.5), (front + 18, y - 5 + bend), (front + 18, y + 5 + bend), (front, y + 1.5)],
                           _LAMP, alpha=0.14)  # fmt: skip


def _seen(gap: float | None) -> float:
    """A clearance as the observation shows it."""
    return -1.0 if gap is None or gap == math.inf else min(gap / 224, 1.0)


def _shade(color: Color, factor: float) -> Color:
    red, green, blue = (min(round(factor * part), 255) for part in color)
    return red, green, blue


def _draw_car(canvas: Canvas, x: float, y: float, length: float, color: Color) -> None:
    """A car from above, driving to the right; all of it lies in its rectangle."""
    canvas.rectangle(x + 1, y + 2, length + 1, _WIDTH, _TYRE, corner=4, alpha=0.35)
    for wheel in (x + 4, x + length - 10):
        for side in (y, y + _WIDTH - 3):
            canvas.rectangle(wheel, side, 6, 3, _TYRE, corner=1)
    canvas.rectangle(x, y + 1, length, _WIDTH - 2, _shade(color, 0.55), corner=4)
    canvas.rectangle(x + 1, y + 2, length - 2, _WIDTH - 4, color, corner=3.5)
    cabin = x + length - 22
    canvas.rectangle(cabin, y + 3.5, 14, _WIDTH - 7, _GLASS, corner=3)
    canvas.rectangle(cabin + 3, y + 4, 7, _WIDTH - 8, _shade(color, 1.15), corner=1.5)
    for side in (y + 3, y + _WIDTH - 6):
        canvas.rectangle(x + length - 2.5, side, 2, 3, _LAMP, corner=1)
        canvas.rectangle(x + 0.5, side, 1.5, 3, _BRAKE)
