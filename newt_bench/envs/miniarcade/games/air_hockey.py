"""Air hockey: score in the goal at the top, against an opponent with human-like reactions."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from newt_bench.envs.miniarcade.canvas import Canvas, Color
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.geometry import clip
from newt_bench.envs.miniarcade.palette import AGENT, AGENT_RIM, OPPONENT, PAPER

__all__ = ["AirHockey"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 33.0, 191.0, 24.0, 200.0  # edges of the rink
_MIDDLE_X, _MIDDLE_Y = 112.0, 112.0
_MOUTH = (84.0, 140.0)  # of both goals, in x
_TOP_GOAL, _BOTTOM_GOAL = 14.0, 210.0  # goal lines, behind the edges
_PUCK_RADIUS, _MALLET_RADIUS = 6.0, 10.0
_CONTACT = _PUCK_RADIUS + _MALLET_RADIUS

_MALLET_X = (43.0, 181.0)  # limits of both mallets' centres
_AGENT_Y, _OPPONENT_Y = (122.0, 190.0), (34.0, 102.0)
_AGENT_START, _OPPONENT_START = (112.0, 170.0), (112.0, 54.0)

_LAUNCH_SPEED, _LAUNCH_ANGLE = 6.0, 0.35 * math.pi
_AGENT_SPEED, _OPPONENT_SPEED = 7.5, 6.375
_PUCK_SPEED = 12.0  # at most
_BOUNCE, _CARRY, _GLIDE = 0.9, 0.35, 0.998

_HOME = (112.0, 52.0)  # where the opponent waits
_JITTER = 0.25  # standard deviation of its hand
_ALARM_Y = 120.0  # it reacts to pucks that approach beyond this line
_AHEAD, _DEEPEST = 12.0, 83.0  # it aims beyond the puck, down to this y

_TRAIL, _FLASH = 8, 20  # frames

_SURROUND: Color = (12, 14, 20)
_ICE: tuple[Color, Color] = ((28, 38, 56), (36, 48, 70))
_POCKET: Color = (18, 24, 36)
_MARKING: Color = (74, 92, 124)
_EDGE: Color = (205, 210, 220)
_PUCK: Color = (250, 250, 252)
_OPPONENT_RIM: Color = (104, 110, 124)


@dataclass(slots=True)
class _Body:
    """Something round that glides: its centre and its velocity, for mallets the commanded one."""

    x: float
    y: float
    vx: float = 0.0
    vy: float = 0.0

    def glide(self, x_limits: tuple[float, float], y_limits: tuple[float, float]) -> None:
        """Moves by the velocity up to the limits, which leave the velocity as it is."""
        self.x = clip(self.x + self.vx, *x_limits)
        self.y = clip(self.y + self.vy, *y_limits)


class AirHockey(Game):
    """The agent's mallet keeps to the lower half of the rink, the opponent's to the upper half.

    Both push the puck, which bounces off the boards and loses a little speed. The opponent waits at its home point;
    when the puck approaches it needs some frames to react, fewer for a fast puck, and then drives at it. After a
    goal the puck starts from the centre towards the side that conceded. The reward is 1 for a goal and -1 for one
    conceded.

    As published, a mallet held by its limit keeps its commanded velocity and can hit the puck with it.

    Observation (12): position (in 224ths) and velocity of the puck (in 12ths), of the agent's mallet and of the
    opponent's (velocity in 7.5ths).
    """

    def setup(self) -> None:
        """Launches the puck towards either side."""
        self._goals, self._conceded = 0, 0
        self._engaged, self._delay = False, 0  # whether the opponent has noticed the puck, and what it still waits
        self._flash = 0  # frames since the last goal was shown, towards zero; negative for the opponent's
        self._puck = _Body(_MIDDLE_X, _MIDDLE_Y)
        self._trail: deque[tuple[float, float]] = deque(maxlen=_TRAIL)
        self._restart(-1.0 if self.rng.random() < 0.5 else 1.0)

    def _restart(self, side: float) -> None:
        """Puts the mallets to their places and launches the puck, upwards for side -1, downwards for 1."""
        self._agent, self._opponent = _Body(*_AGENT_START), _Body(*_OPPONENT_START)
        angle = self.rng.uniform(-_LAUNCH_ANGLE, _LAUNCH_ANGLE)
        across = -1.0 if self.rng.random() < 0.5 else 1.0
        puck = self._puck
        puck.x, puck.y = _MIDDLE_X, _MIDDLE_Y
        puck.vx = across * _LAUNCH_SPEED * math.cos(angle)
        puck.vy = side * _LAUNCH_SPEED * abs(0.7 * math.sin(angle) + 0.3)
        self._trail.clear()

    def advance(self, action: Sequence[float]) -> float:
        """Moves the mallets and the puck, then settles contacts, boards and goals."""
        agent, puck = self._agent, self._puck
        agent.vx, agent.vy = _AGENT_SPEED * action[0], _AGENT_SPEED * action[1]
        agent.glide(_MALLET_X, _AGENT_Y)
        self._move_opponent(*self._opponent_target())
        self._trail.append((puck.x, puck.y))
        puck.x += puck.vx
        puck.y += puck.vy
        self._strike(agent)
        self._strike(self._opponent)
        self._bounce_off_sides()
        self._flash -= (self._flash > 0) - (self._flash < 0)
        reward = self._bounce_off_ends()
        self._slow_down()
        return reward

    def _opponent_target(self) -> tuple[float, float]:
        """Where the opponent wants to be; it sees the puck before this frame's motion."""
        puck = self._puck
        # The delay outlives goals and the end of a threat, as published: only a new threat draws one.
        if not (puck.y < _ALARM_Y and puck.vy < 0):
            self._engaged = False
            return _HOME
        if not self._engaged:
            pressure = clip((math.hypot(puck.vx, puck.vy) - 2) / 8, 0, 1)
            fastest, slowest = math.floor(5 - 4 * pressure), math.floor(10 - 6 * pressure)
            self._delay = int(self.rng.integers(fastest, slowest, endpoint=True))
            self._engaged = True
        if self._delay > 0:
            self._delay -= 1
            return _HOME
        # It aims at the agent's side of the puck, so it can knock the puck into its own goal, as published.
        return clip(puck.x, *_MALLET_X), min(puck.y + _AHEAD, _DEEPEST)

    def _move_opponent(self, x: float, y: float) -> None:
        """Heads for (x, y) with an unsteady hand."""
        opponent = self._opponent
        across, along = x - opponent.x, y - opponent.y
        far = math.hypot(across, along)
        if far > 1e-5:
            pace = min(_OPPONENT_SPEED, far) / far
            opponent.vx = pace * across + self.rng.normal(0, _JITTER)
            opponent.vy = pace * along + self.rng.normal(0, _JITTER)
        else:
            opponent.vx = opponent.vy = 0.0
        opponent.glide(_MALLET_X, _OPPONENT_Y)

    def _strike(self, mallet: _Body) -> None:
        """Pushes the puck out of a mallet and, if they approach each other, bounces it off."""
        puck = self._puck
        across, along = puck.x - mallet.x, puck.y - mallet.y
        far = math.hypot(across, along)
        if far >= _CONTACT:
            return
        across /= far + 1e-8
        along /= far + 1e-8
        puck.x += (_CONTACT - far + 0.5) * across
        puck.y += (_CONTACT - far + 0.5) * along
        parting = (puck.vx - mallet.vx) * across + (puck.vy - mallet.vy) * along
        if parting < 0:
            impulse = (1 + _BOUNCE) * parting
            puck.vx += _CARRY * mallet.vx - impulse * across
            puck.vy += _CARRY * mallet.vy - impulse * along

    def _bounce_off_sides(self) -> None:
        puck = self._puck
        nearest, farthest = _LEFT + _PUCK_RADIUS, _RIGHT - _PUCK_RADIUS
        if puck.x < nearest or puck.x > farthest:
            puck.x = clip(puck.x, nearest, farthest)
            puck.vx *= -_BOUNCE

    def _bounce_off_ends(self) -> float:
        """Bounces the puck off the boards beside the goals, or counts a goal; returns the reward."""
        puck = self._puck
        if _MOUTH[0] <= puck.x <= _MOUTH[1]:
            if puck.y <= _TOP_GOAL:
                self._goals += 1
                return self._score(1.0)
            if puck.y >= _BOTTOM_GOAL:
                self._conceded += 1
                return self._score(-1.0)
            return 0.0
        # As published, a puck behind the edge that drifts sideways out of the mouth is put back onto the rink.
        highest, lowest = _TOP + _PUCK_RADIUS, _BOTTOM - _PUCK_RADIUS
        if puck.y < highest or puck.y > lowest:
            puck.y = clip(puck.y, highest, lowest)
            puck.vy *= -_BOUNCE
        return 0.0

    def _score(self, reward: float) -> float:
        """Restarts after a goal; a relaunched puck is slowed in the same frame, as published."""
        self._flash = int(math.copysign(_FLASH, reward))
        self._restart(-reward)
        return reward

    def _slow_down(self) -> None:
        puck = self._puck
        puck.vx *= _GLIDE
        puck.vy *= _GLIDE
        speed = math.hypot(puck.vx, puck.vy)
        if speed > _PUCK_SPEED:
            puck.vx *= _PUCK_SPEED / (speed + 1e-8)
            puck.vy *= _PUCK_SPEED / (speed + 1e-8)

    def observe(self) -> list[float]:
        """See the class."""
        values: list[float] = []
        for body, speed in ((self._puck, _PUCK_SPEED), (self._agent, _AGENT_SPEED), (self._opponent, _AGENT_SPEED)):
            values += (body.x / 224, body.y / 224, body.vx / speed, body.vy / speed)
        return values

    def draw(self, canvas: Canvas) -> None:
        """Draws the rink, the puck with its trail, the mallets and the goals scored."""
        canvas.fill(_SURROUND)
        self._draw_rink(canvas)
        self._draw_goals(canvas)
        for age, (x, y) in enumerate(reversed(self._trail)):
            canvas.disc(x, y, _PUCK_RADIUS - 0.5 * age, _PUCK, alpha=0.16 * (1 - age / _TRAIL))
        self._draw_mallet(canvas, self._opponent, OPPONENT, _OPPONENT_RIM)
        self._draw_mallet(canvas, self._agent, AGENT, AGENT_RIM)
        self._draw_alarm(canvas)
        puck = self._puck
        canvas.disc(puck.x + 1, puck.y + 2, _PUCK_RADIUS, _SURROUND, alpha=0.45)
        canvas.disc(puck.x, puck.y, _PUCK_RADIUS, _PUCK)
        canvas.disc(puck.x, puck.y, _PUCK_RADIUS - 1.8, _MARKING, outline=0.8, alpha=0.6)
        canvas.text(str(self._conceded), _MIDDLE_X, 7, 16, OPPONENT)
        canvas.text(str(self._goals), _MIDDLE_X, 218, 16, AGENT)

    def _draw_rink(self, canvas: Canvas) -> None:
        width, height = _RIGHT - _LEFT, _BOTTOM - _TOP
        canvas.gradient(*_ICE, _LEFT, _TOP, width, height)
        canvas.rectangle(_LEFT, _MIDDLE_Y - 0.75, width, 1.5, _MARKING)
        canvas.disc(_MIDDLE_X, _MIDDLE_Y, 24, _MARKING, outline=1.5)
        canvas.disc(_MIDDLE_X, _MIDDLE_Y, 2.5, _MARKING)
        for x in (_LEFT - 2, _RIGHT):
            canvas.rectangle(x, _TOP - 2, 2, height + 4, _EDGE)
        for y in (_TOP - 2, _BOTTOM):
            canvas.rectangle(_LEFT, y, _MOUTH[0] - _LEFT, 2, _EDGE)
            canvas.rectangle(_MOUTH[1], y, _RIGHT - _MOUTH[1], 2, _EDGE)

    def _draw_goals(self, canvas: Canvas) -> None:
        """The pockets behind the mouths, which light up for a while after a goal."""
        (left, right), width = _MOUTH, _MOUTH[1] - _MOUTH[0]
        for mouth, back, color, light in (
            (_TOP, _TOP_GOAL, _OPPONENT_RIM, self._flash),
            (_BOTTOM, _BOTTOM_GOAL, AGENT_RIM, -self._flash),
        ):
            top, depth = min(mouth, back), abs(mouth - back)
            canvas.rectangle(left, top, width, depth, _POCKET)
            for x in range(int(left) + 7, int(right), 7):
                canvas.line((x, mouth), (x, back), 0.6, _ICE[1])
            canvas.tint(PAPER, 0.9 * max(light, 0) / _FLASH, left, top, width, depth)
            canvas.path(((left - 1, mouth), (left - 1, back), (right + 1, back), (right + 1, mouth)), 2, color)

    def _draw_mallet(self, canvas: Canvas, mallet: _Body, color: Color, rim: Color) -> None:
        canvas.disc(mallet.x + 1.5, mallet.y + 3, _MALLET_RADIUS, _SURROUND, alpha=0.45)
        canvas.disc(mallet.x, mallet.y, _MALLET_RADIUS, rim)
        canvas.disc(mallet.x, mallet.y, _MALLET_RADIUS - 1.8, color)
        canvas.disc(mallet.x, mallet.y, 4.6, rim)
        canvas.disc(mallet.x, mallet.y, 3.4, color)

    def _draw_alarm(self, canvas: Canvas) -> None:
        """A light on the opponent's knob: dim while it has yet to react to the puck, bright when it does."""
        if self._engaged:
            alpha = 0.4 if self._delay else 1.0
            canvas.disc(self._opponent.x, self._opponent.y, 2.4, _PUCK, alpha=alpha)
