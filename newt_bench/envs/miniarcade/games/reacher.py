"""Reacher: turn the two joints of a flat arm until its tip lies on a target, and keep it there."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from newt_bench.envs.miniarcade.canvas import Canvas, Color, Point
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.geometry import clip, distance
from newt_bench.envs.miniarcade.palette import AGENT, AGENT_RIM, DANGER, NIGHT, OPPONENT, PAPER

__all__ = ["ARMS", "Reacher"]


class Arm(NamedTuple):
    """Lengths of an arm's links and radius of its target, in metres."""

    upper: float
    forearm: float
    target_radius: float


#: Arms by variant. `easy` and `hard` are published; the others are this project's own.
ARMS: dict[str, Arm] = {
    "easy": Arm(0.11, 0.11, 0.04),
    "hard": Arm(0.11, 0.11, 0.025),
    "var1": Arm(0.14, 0.08, 0.04),
    "var2": Arm(0.08, 0.14, 0.04),
}


class Joint(NamedTuple):
    """How a joint's speed answers to the action: gain, and drag that is linear and quadratic in the speed."""

    gain: float
    linear: float
    quadratic: float

    def accelerated(self, speed: float, action: float) -> float:
        """The speed after one time step."""
        change = self.gain * action - self.linear * speed - self.quadratic * abs(speed) * speed
        return clip(speed + _TIME_STEP * change, -_MAX_SPEED, _MAX_SPEED)


_TIME_STEP = 0.02  # seconds
_MAX_SPEED = 30.0  # radians per second
_SHOULDER = Joint(90, 4, 1.2)
_ELBOW = Joint(180, 38, 0.05)
_ELBOW_LIMIT = math.radians(160)
_TARGET_DISTANCE = (0.05, 0.20)  # from the shoulder, in metres

_NEAR, _SIDE, _CENTER = 20, 184, 112.0  # of the panel, in pixels
_SCALE = 376.36  # pixels per metre
_TRAIL = 16

_PANEL: tuple[Color, ...] = ((22, 74, 82), (48, 38, 98), (104, 34, 86))  # from corner to corner
_CYAN: Color = (60, 220, 255)
_MAGENTA: Color = (255, 70, 200)
_UPPER_RIM: Color = (105, 110, 124)
_TARGET_RIM: Color = (140, 30, 34)
_SHADOW: Color = (0, 0, 0)


class Reacher(Game):
    """An arm of two links that turns about the middle of a panel; the elbow goes to 160 degrees either way.

    The joints do not feel each other, and there is no gravity. Torques act against strong drag: at full torque the
    shoulder turns at 7.15 rad/s and the elbow at 4.71 rad/s. The reward is 1 while the tip lies on the target.

    Observation (6), without scaling:
        0, 1: angles of the shoulder (any number of turns) and the elbow, in radians, counterclockwise;
        2, 3: the target's offset from the tip, in metres, y upwards;
        4, 5: the two joints' speeds, in radians per second.

    The target's radius is not observed.

    Args:
        variant: A key of `ARMS`.
    """

    frames_per_second: ClassVar[int] = 50
    #: Left and up turn counterclockwise, as positive angles do.
    controls: ClassVar[Mapping[str, tuple[int, float]]] = {
        "left": (0, 1.0),
        "right": (0, -1.0),
        "up": (1, 1.0),
        "down": (1, -1.0),
    }

    def __init__(self, variant: str) -> None:
        self._arm = ARMS[variant]

    def setup(self) -> None:
        """Draws the arm's pose and the target."""
        self._shoulder = self.rng.uniform(-math.pi, math.pi)
        self._elbow = self.rng.uniform(-_ELBOW_LIMIT, _ELBOW_LIMIT)
        self._shoulder_speed = self._elbow_speed = 0.0
        direction = self.rng.uniform(0, 2 * math.pi)
        far = self.rng.uniform(*_TARGET_DISTANCE)
        self._target = (far * math.cos(direction), far * math.sin(direction))
        self._trail: deque[Point] = deque(maxlen=_TRAIL)

    def _joints(self) -> tuple[Point, Point]:
        """Where the elbow and the tip are, in metres from the shoulder."""
        bend = self._shoulder + self._elbow
        x, y = self._arm.upper * math.cos(self._shoulder), self._arm.upper * math.sin(self._shoulder)
        return (x, y), (x + self._arm.forearm * math.cos(bend), y + self._arm.forearm * math.sin(bend))

    def _on_target(self) -> bool:
        return distance(*self._joints()[1], *self._target) <= self._arm.target_radius

    def advance(self, action: Sequence[float]) -> float:
        """Turns the joints with their new speeds; the elbow stops dead at its limits."""
        self._trail.append(self._joints()[1])
        self._shoulder_speed = _SHOULDER.accelerated(self._shoulder_speed, action[0])
        self._elbow_speed = _ELBOW.accelerated(self._elbow_speed, action[1])
        self._shoulder += _TIME_STEP * self._shoulder_speed
        self._elbow += _TIME_STEP * self._elbow_speed
        if abs(self._elbow) > _ELBOW_LIMIT:
            self._elbow = math.copysign(_ELBOW_LIMIT, self._elbow)
            self._elbow_speed = 0.0
        return float(self._on_target())

    def observe(self) -> tuple[float, ...]:
        """See the class."""
        (target_x, target_y), (x, y) = self._target, self._joints()[1]
        return (
            *(self._shoulder, self._elbow, target_x - x, target_y - y),
            *(self._shoulder_speed, self._elbow_speed),
        )

    def draw(self, canvas: Canvas) -> None:
        """Draws the panel, the target and the arm; the target lights up under the tip."""
        self._draw_panel(canvas)
        self._draw_target(canvas)
        for age, (x, y) in enumerate(reversed(self._trail)):
            canvas.disc(*_pixel((x, y)), 2.4 - 1.6 * age / _TRAIL, PAPER, alpha=0.5 * (1 - age / _TRAIL))
        self._draw_arm(canvas)

    def _draw_panel(self, canvas: Canvas) -> None:
        canvas.fill(NIGHT)
        canvas.diagonal(_PANEL, _NEAR, _NEAR, _SIDE, _SIDE)
        # A frame in the colour of the surroundings rounds the corners, then come the two neon lines.
        for grow, width, corner, color in ((6, 6, 18, NIGHT), (1, 3, 13, _CYAN), (-3.5, 1, 8.5, _MAGENTA)):
            low, side = _NEAR - grow, _SIDE + 2 * grow
            canvas.rectangle(low, low, side, side, color, corner=corner, outline=width)

    def _draw_target(self, canvas: Canvas) -> None:
        x, y = _pixel(self._target)
        radius = self._arm.target_radius * _SCALE
        if self._on_target():
            canvas.glow(x, y, radius + 12, PAPER, 0.5)
        canvas.disc(x, y, radius, PAPER if self._on_target() else _TARGET_RIM)
        canvas.disc(x, y, radius - 1.5, DANGER)

    def _draw_arm(self, canvas: Canvas) -> None:
        base = (_CENTER, _CENTER)
        elbow, tip = (_pixel(joint) for joint in self._joints())
        shadow = [(x + 2, y + 3) for x, y in (base, elbow, tip)]
        canvas.path(shadow, 7, _SHADOW, alpha=0.3)
        for start, end, color, rim in ((base, elbow, OPPONENT, _UPPER_RIM), (elbow, tip, AGENT, AGENT_RIM)):
            canvas.line(start, end, 7, rim)
            canvas.line(start, end, 5, color)
        for (x, y), radius in ((base, 6.5), (elbow, 5)):
            canvas.disc(x, y, radius, _UPPER_RIM)
            canvas.disc(x, y, radius - 1.5, PAPER)
            canvas.disc(x, y, radius - 3.5, NIGHT)
        canvas.disc(*tip, 3, PAPER)


def _pixel(point: Point) -> Point:
    """A point of the panel, given in metres from the shoulder."""
    return _CENTER + _SCALE * point[0], _CENTER - _SCALE * point[1]
