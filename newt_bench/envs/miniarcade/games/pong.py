"""Pong: get the ball past the paddle on the right, and let none past the one on the left."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import ClassVar

from newt_bench.envs.miniarcade.canvas import Canvas, Color
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.geometry import Rect, clip
from newt_bench.envs.miniarcade.palette import AGENT, AGENT_RIM, MUTED, NIGHT, OPPONENT, PAPER

__all__ = ["Pong"]

_NEAR, _FAR = 20, 204  # the court's edges, in x and in y
_SIDE = _FAR - _NEAR
_CENTER = 112.0

_PADDLE_WIDTH, _PADDLE_HEIGHT = 6, 40
_AGENT_LEFT, _OPPONENT_LEFT = 30, 188
_PADDLE_START = 92.0
_PADDLE_LOWEST = _FAR - _PADDLE_HEIGHT  # of a paddle's upper edge
_PADDLE_SPEED = 8.5  # pixels per step

_BALL_SPEED = 8.0
_BALL_SIDE = 7
_BALL_REACH = 7  # half a side of the ball as the walls feel it: as published, larger than paddles find it

_ATTENTION = 0.3  # the opponent heeds the ball beyond this part of the court
_FULL_ATTENTION = 0.95  # where it moves fastest
_SLOWEST, _FASTEST = 0.5, 0.85  # of the agent's speed
_REACTION = (2, 6)  # steps that it waits when the ball comes to its notice, both included

_TRAIL = 6
_FLASH = 10  # steps that a point is shown

_COURT: tuple[Color, Color] = ((16, 18, 28), (8, 9, 14))
_LINES: Color = (42, 48, 64)
_OPPONENT_RIM: Color = (112, 118, 134)


class Pong(Game):
    """Two paddles and a ball of constant speed, served from the middle into any direction.

    The ball bounces off the walls above and below, and off paddles without spin: its slope stays the same from
    serve to point. The opponent heeds the ball in the right 70 % of the court only, after a short reaction time,
    and then follows it, faster the closer it comes. The reward is 1 for a point won, -1 for a point lost.

    Observation (6):
        0, 1: the ball's center x and y, / 224;
        2, 3: its velocity, / 8;
        4, 5: the upper edges of the agent's and the opponent's paddle, / 224.

    After a point it shows the next serve already. The opponent's reaction time is not observed.
    """

    controls: ClassVar[Mapping[str, tuple[int, float]]] = {"up": (0, -1.0), "down": (0, 1.0)}

    def setup(self) -> None:
        """Puts the paddles in the middle and serves."""
        self._agent = self._opponent = _PADDLE_START
        self._attentive = False
        self._reaction = 0
        self._won = self._lost = 0
        self._last_point: tuple[int, bool] | None = None  # its step, and whether the agent won it
        self._serve()

    def _serve(self) -> None:
        slope = self.rng.uniform(-math.pi / 2, math.pi / 2)
        side = 1 if self.rng.random() < 0.5 else -1
        self._x = self._y = _CENTER
        self._vx = _BALL_SPEED * side * math.cos(slope)
        self._vy = _BALL_SPEED * math.sin(slope)
        self._trail: deque[tuple[float, float]] = deque(maxlen=_TRAIL)

    def advance(self, action: Sequence[float]) -> float:
        """Moves the agent, then the opponent, who looks at the ball before it moves, then the ball."""
        self._agent = clip(self._agent + _PADDLE_SPEED * action[0], _NEAR, _PADDLE_LOWEST)
        self._move_opponent()
        self._move_ball()
        if _NEAR <= self._x <= _FAR:
            return 0.0
        won = self._x > _FAR
        self._won += won
        self._lost += not won
        self._last_point = (self.time, won)
        self._serve()
        return 1.0 if won else -1.0

    def _move_opponent(self) -> None:
        depth = (self._x - _NEAR) / _SIDE
        if depth <= _ATTENTION:
            self._attentive = False
            return
        if not self._attentive:
            self._attentive = True
            self._reaction = int(self.rng.integers(_REACTION[0], _REACTION[1] + 1))
        if self._reaction > 0:
            self._reaction -= 1
            return
        closeness = clip((depth - _ATTENTION) / (_FULL_ATTENTION - _ATTENTION), 0, 1)
        move = _PADDLE_SPEED * (_SLOWEST + (_FASTEST - _SLOWEST) * closeness)
        # As published: it never rests, and trembles once it is level with the ball.
        below = self._y - _PADDLE_HEIGHT / 2 > self._opponent
        self._opponent = clip(self._opponent + (move if below else -move), _NEAR, _PADDLE_LOWEST)

    def _move_ball(self) -> None:
        self._trail.append((self._x, self._y))
        self._x += self._vx
        self._y += self._vy
        # As published, a bounce turns the ball where it is: it may lie a little inside the wall.
        if self._y - _BALL_REACH < _NEAR:
            self._vy = abs(self._vy)
        elif self._y + _BALL_REACH > _FAR:
            self._vy = -abs(self._vy)
        paddle, left = (self._agent, _AGENT_LEFT) if self._vx < 0 else (self._opponent, _OPPONENT_LEFT)
        ball = Rect.truncated(self._x - _BALL_SIDE / 2, self._y - _BALL_SIDE / 2, _BALL_SIDE, _BALL_SIDE)
        if ball.overlaps(Rect.truncated(left, paddle, _PADDLE_WIDTH, _PADDLE_HEIGHT)):
            self._vx = -self._vx

    def observe(self) -> tuple[float, ...]:
        """See the class."""
        return (
            *(self._x / 224, self._y / 224, self._vx / _BALL_SPEED, self._vy / _BALL_SPEED),
            *(self._agent / 224, self._opponent / 224),
        )

    def draw(self, canvas: Canvas) -> None:
        """Draws the court, the score, the paddles and the ball with its trail."""
        canvas.fill(NIGHT)
        canvas.gradient(*_COURT, _NEAR, _NEAR, _SIDE, _SIDE)
        self._draw_last_point(canvas)
        for y in range(_NEAR + 5, _FAR, 12):
            canvas.rectangle(_CENTER - 1, y, 2, 6, _LINES)
        canvas.disc(_CENTER, _CENTER, 24, _LINES, outline=2)
        canvas.rectangle(_NEAR - 2, _NEAR - 2, _SIDE + 4, _SIDE + 4, PAPER, corner=3, outline=2)
        canvas.text(str(self._won), _NEAR, 9.5, 24, AGENT, "left")
        canvas.text(str(self._lost), _FAR, 9.5, 24, OPPONENT, "right")
        self._draw_paddle(canvas, _AGENT_LEFT, self._agent, AGENT, AGENT_RIM)
        self._draw_paddle(canvas, _OPPONENT_LEFT, self._opponent, OPPONENT, _OPPONENT_RIM)
        self._draw_ball(canvas)

    def _draw_last_point(self, canvas: Canvas) -> None:
        """Lights up the edge that the ball has crossed, in the colour of who won the point."""
        if self._last_point is None:
            return
        step, won = self._last_point
        age = self.time - step - 1
        if age < _FLASH:
            left = _OPPONENT_LEFT + _PADDLE_WIDTH if won else _NEAR
            canvas.tint(AGENT if won else OPPONENT, 0.6 * (1 - age / _FLASH), left, _NEAR, 10, _SIDE)

    def _draw_paddle(self, canvas: Canvas, left: float, top: float, color: Color, rim: Color) -> None:
        canvas.rectangle(left, top, _PADDLE_WIDTH, _PADDLE_HEIGHT, rim, corner=2)
        canvas.rectangle(left + 1, top + 1, _PADDLE_WIDTH - 2, _PADDLE_HEIGHT - 2, color, corner=1.5)

    def _draw_ball(self, canvas: Canvas) -> None:
        for age, (x, y) in enumerate(reversed(self._trail)):
            half = 2.8 - 0.3 * age
            canvas.rectangle(x - half, y - half, 2 * half, 2 * half, MUTED, alpha=0.6 * (1 - age / _TRAIL))
        corner = _BALL_SIDE / 2
        canvas.rectangle(self._x - corner, self._y - corner, _BALL_SIDE, _BALL_SIDE, PAPER, corner=0.8)
