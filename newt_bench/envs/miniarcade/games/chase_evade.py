"""Chase and evade: tag for two in a round arena with orbiting pillars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from newt_bench.envs.miniarcade.canvas import Canvas, Color
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.geometry import clip, distance
from newt_bench.envs.miniarcade.palette import AGENT, AGENT_RIM, DANGER, INK, NIGHT, PAPER

__all__ = ["ChaseEvade"]

_CENTER_X, _CENTER_Y, _ARENA = 112.0, 118.0, 90.0
_PLAYER_RADIUS, _PILLAR_RADIUS = 8.0, 12.0
_CATCH, _CONTACT = 2 * _PLAYER_RADIUS, _PLAYER_RADIUS + _PILLAR_RADIUS
_LIMIT, _SWAP_LIMIT = 78.0, 67.0  # of the players' distance from the centre, in play and while roles change
_START = 75.0  # of the agent, from the centre
_SPEED, _EVADER_SPEED = 3.5, 3.325
_PILLARS, _ORBIT, _ORBIT_SPEED = 3, 40.0, 0.01  # the last in radians per frame
_SWAP_FRAMES, _SWAP_NEAR, _CENTERED, _STILL = 5, 2.0, 1.5, 0.01
_REWARD = 0.1

# How the opponent finds its way.
_SHY_OF_PILLARS, _SHY_OF_EDGE, _EDGE = 36.0, 0.5, 72.0
_HIDE, _ZIGZAG, _ALARM = 0.02, 0.2, 36.0

_FLASH, _FADE = 12, 10  # frames

_SURROUND: tuple[Color, Color] = ((38, 74, 92), (28, 96, 92))
_GROUND: Color = (24, 28, 38)
_RING: Color = (40, 46, 60)
_RIM: Color = (205, 210, 220)
_PILLAR: Color = (140, 144, 156)
_PILLAR_TOP: Color = (176, 180, 192)
_PILLAR_SIDE: Color = (88, 92, 104)
_RIVAL: Color = (96, 205, 112)
_RIVAL_RIM: Color = (46, 128, 66)
_SKIN: Color = (244, 208, 176)


@dataclass(slots=True)
class _Player:
    """Position, velocity, and the way walked so far, which moves the feet."""

    x: float
    y: float
    vx: float = 0.0
    vy: float = 0.0
    walked: float = 0.0

    def move(self, across: float, down: float) -> None:
        self.x += across
        self.y += down
        self.walked += math.hypot(across, down)

    def stay_within(self, radius: float) -> None:
        """Pulls the player back to a distance from the centre."""
        far = distance(self.x, self.y, _CENTER_X, _CENTER_Y)
        if far > radius:
            self.x = _CENTER_X + (self.x - _CENTER_X) * radius / (far + 1e-8)
            self.y = _CENTER_Y + (self.y - _CENTER_Y) * radius / (far + 1e-8)

    def walk_from_center(self, pace: float) -> None:
        """Walks away from the centre, or towards it if the pace is negative."""
        across, down = self.x - _CENTER_X, self.y - _CENTER_Y
        far = math.hypot(across, down)
        self.move(pace * across / far, pace * down / far)


def _mixed(first: Color, second: Color, share: float) -> Color:
    """A colour between two, with a share of the second."""
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(first, second, strict=True))
    return red, green, blue


class ChaseEvade(Game):
    """One player pursues, the other evades at 95% of its speed, and whoever is caught becomes the pursuer.

    Both are kept off the edge and bounce off the pillars. After a catch the new pursuer walks to the centre and the
    other away from it, whatever the agent does; then play goes on. The reward grows with the distance of the two,
    0.1 for the radius of the arena, and is positive for an evading agent and negative for a pursuing one.

    As published, the action's parts are scaled one by one, so the agent is faster along diagonals, and velocities
    keep their last values while roles change. Neither that phase nor the pillars' sense of rotation is observed.

    Observation (15): position (in 224ths) and velocity (by full speed) of the agent, then of the opponent; 1 if the
    agent evades; positions of the three pillars.
    """

    def setup(self) -> None:
        """Draws the agent's place at the edge, its role, and the pillars' angle and sense of rotation."""
        angle = self.rng.uniform(0, 2 * math.pi)
        self._agent = _Player(_CENTER_X + _START * math.cos(angle), _CENTER_Y + _START * math.sin(angle))
        self._opponent = _Player(_CENTER_X, _CENTER_Y)
        self._evading = bool(self.rng.random() < 0.5)  # of the agent
        self._pillar_angle = self.rng.uniform(0, 2 * math.pi)
        self._rotation = self._random_sign()
        self._swapping, self._swap_frames = False, 0
        self._flash, self._caught_at = 0, (_CENTER_X, _CENTER_Y)  # frames that the last catch is still shown
        self._blend = float(self._evading)  # how much of the background is in the agent's colour
        self._place_pillars()

    def _random_sign(self) -> float:
        return -1.0 if self.rng.random() < 0.5 else 1.0

    def _place_pillars(self) -> None:
        start = self._pillar_angle + self._rotation * _ORBIT_SPEED * self.time
        angles = [start + 2 * math.pi * k / _PILLARS for k in range(_PILLARS)]
        self._pillars = [(_CENTER_X + _ORBIT * math.cos(a), _CENTER_Y + _ORBIT * math.sin(a)) for a in angles]

    def advance(self, action: Sequence[float]) -> float:
        """Moves the pillars, then the agent, then the opponent, or both players to their places after a catch."""
        self._place_pillars()
        self._flash = max(self._flash - 1, 0)
        if self._swapping:
            self._change_roles()
        else:
            self._play(action)
        self._blend = clip(self._blend + (1 if self._evading else -1) / _FADE, 0, 1)
        agent, opponent = self._agent, self._opponent
        # The role after a catch counts in its frame already, as published.
        reward = _REWARD * distance(agent.x, agent.y, opponent.x, opponent.y) / _ARENA
        return reward if self._evading else -reward

    def _change_roles(self) -> None:
        """The new pursuer walks to the centre, and may overstep it; the other one away from it."""
        pursuer, evader = (self._opponent, self._agent) if self._evading else (self._agent, self._opponent)
        self._swap_frames += 1
        if distance(pursuer.x, pursuer.y, _CENTER_X, _CENTER_Y) > _CENTERED:
            pursuer.walk_from_center(-_SPEED)
        if distance(evader.x, evader.y, _CENTER_X, _CENTER_Y) > _STILL:
            evader.walk_from_center(_EVADER_SPEED)
        evader.stay_within(_SWAP_LIMIT)
        if self._swap_frames >= _SWAP_FRAMES and distance(pursuer.x, pursuer.y, _CENTER_X, _CENTER_Y) < _SWAP_NEAR:
            self._swapping = False

    def _play(self, action: Sequence[float]) -> None:
        agent, opponent = self._agent, self._opponent
        speed, rival_speed = (_EVADER_SPEED, _SPEED) if self._evading else (_SPEED, _EVADER_SPEED)
        self._walk(agent, speed * action[0], speed * action[1])
        across, down = self._pursuing_way() if self._evading else self._evading_way()
        far = math.hypot(across, down)
        pace = rival_speed / far if far > 1e-8 else rival_speed
        self._walk(opponent, pace * across, pace * down)
        if distance(agent.x, agent.y, opponent.x, opponent.y) < _CATCH:
            self._evading = not self._evading
            self._swapping, self._swap_frames = True, 0
            self._flash, self._caught_at = _FLASH, ((agent.x + opponent.x) / 2, (agent.y + opponent.y) / 2)

    def _walk(self, player: _Player, vx: float, vy: float) -> None:
        """Moves a player, then keeps it in the arena and out of the pillars, which reflect its velocity."""
        player.vx, player.vy = vx, vy
        player.move(vx, vy)
        player.stay_within(_LIMIT)
        for x, y in self._pillars:
            across, down = x - player.x, y - player.y
            far = math.hypot(across, down)
            if far >= _CONTACT:
                continue
            across /= far + 1e-8
            down /= far + 1e-8
            player.x -= (_CONTACT - far + 0.5) * across
            player.y -= (_CONTACT - far + 0.5) * down
            approach = player.vx * across + player.vy * down
            if approach > 0:
                player.vx -= 2 * approach * across
                player.vy -= 2 * approach * down

    def _way_to_agent(self) -> tuple[float, float]:
        """Unit vector from the opponent to the agent, or nothing if they are in one place."""
        across, down = self._agent.x - self._opponent.x, self._agent.y - self._opponent.y
        far = math.hypot(across, down)
        return (across / far, down / far) if far >= 1e-5 else (0.0, 0.0)

    def _pursuing_way(self) -> tuple[float, float]:
        """Straight to the agent, but shy of the pillars."""
        opponent = self._opponent
        across, down = self._way_to_agent()
        for x, y in self._pillars:
            far = distance(x, y, opponent.x, opponent.y)
            if far < _SHY_OF_PILLARS:
                push = (_SHY_OF_PILLARS - far) / _SHY_OF_PILLARS / (far + 1e-8)
                across += push * (opponent.x - x)
                down += push * (opponent.y - y)
        return across, down

    def _evading_way(self) -> tuple[float, float]:
        """Away from the agent, off the edge, behind pillars that stand in between, and zigzag when it is near."""
        agent, opponent = self._agent, self._opponent
        to_x, to_y = self._way_to_agent()
        across, down = -to_x, -to_y
        far = distance(opponent.x, opponent.y, _CENTER_X, _CENTER_Y)
        if far > _EDGE:
            across -= _SHY_OF_EDGE * (opponent.x - _CENTER_X) / far
            down -= _SHY_OF_EDGE * (opponent.y - _CENTER_Y) / far
        for x, y in self._pillars:
            if (agent.x - x) * (opponent.x - x) + (agent.y - y) * (opponent.y - y) < 0:
                across += _HIDE * (x - opponent.x)
                down += _HIDE * (y - opponent.y)
        if distance(agent.x, agent.y, opponent.x, opponent.y) < _ALARM:
            # The perpendicular, with a sign of its own for each axis, as published.
            across += _ZIGZAG * self._random_sign() * to_y
            down -= _ZIGZAG * self._random_sign() * to_x
        return across, down

    def observe(self) -> list[float]:
        """See the class."""
        values: list[float] = []
        for player in (self._agent, self._opponent):
            values += (player.x / 224, player.y / 224, player.vx / _SPEED, player.vy / _SPEED)
        values.append(float(self._evading))
        for x, y in self._pillars:
            values += (x / 224, y / 224)
        return values

    def draw(self, canvas: Canvas) -> None:
        """Draws the arena in the evader's colours, the pillars and the players, with what a catch brings."""
        tint = _mixed(_RIVAL, AGENT, self._blend)
        canvas.gradient(_mixed(_SURROUND[0], tint, 0.25), _mixed(_SURROUND[1], tint, 0.25))
        self._draw_arena(canvas)
        for pillar in self._pillars:
            self._draw_pillar(canvas, *pillar)
        players = [
            (self._agent, AGENT, AGENT_RIM, not self._evading),
            (self._opponent, _RIVAL, _RIVAL_RIM, self._evading),
        ]
        for player, color, rim, pursues in sorted(players, key=lambda entry: entry[0].y):
            self._draw_player(canvas, player, color, rim, pursues)
        self._draw_catch(canvas)

    def _draw_arena(self, canvas: Canvas) -> None:
        evader = AGENT if self._evading else _RIVAL
        canvas.disc(_CENTER_X, _CENTER_Y + 3, _ARENA + 3, NIGHT, alpha=0.35)
        canvas.disc(_CENTER_X, _CENTER_Y, _ARENA + 2, _RIM)
        canvas.disc(_CENTER_X, _CENTER_Y, _ARENA, _GROUND)
        canvas.disc(_CENTER_X, _CENTER_Y, _ORBIT + 0.75, _RING, outline=1.5)
        canvas.disc(_CENTER_X, _CENTER_Y, 7, _RING)
        canvas.line((_CENTER_X, _CENTER_Y + 4), (_CENTER_X, _CENTER_Y - 13), 1.6, _RIM)
        flag = [(_CENTER_X + 0.8, _CENTER_Y - 14), (_CENTER_X + 12, _CENTER_Y - 10), (_CENTER_X + 0.8, _CENTER_Y - 6)]
        canvas.polygon(flag, evader)
        canvas.rectangle(4, 3, 94, 15, NIGHT, corner=4, alpha=0.6)
        canvas.text("ORANGE EVADES" if self._evading else "GREEN EVADES", 51, 11, 14, evader)

    def _draw_pillar(self, canvas: Canvas, x: float, y: float) -> None:
        """A round stone with an arrowhead that points where it goes."""
        canvas.disc(x + 1.5, y + 3, _PILLAR_RADIUS, NIGHT, alpha=0.5)
        canvas.disc(x, y, _PILLAR_RADIUS, _PILLAR_SIDE)
        canvas.disc(x, y, _PILLAR_RADIUS - 1.2, _PILLAR)
        canvas.disc(x, y, _PILLAR_RADIUS - 4, _PILLAR_TOP)
        ahead_x, ahead_y = -self._rotation * (y - _CENTER_Y) / _ORBIT, self._rotation * (x - _CENTER_X) / _ORBIT
        tip = (x + 4 * ahead_x, y + 4 * ahead_y)
        wings = [(x - 2 * ahead_x + side * 4 * ahead_y, y - 2 * ahead_y - side * 4 * ahead_x) for side in (-1, 1)]
        canvas.path((wings[0], tip, wings[1]), 1.5, _PILLAR_SIDE)

    def _draw_player(self, canvas: Canvas, player: _Player, color: Color, rim: Color, pursues: bool) -> None:
        """A figure around the hit circle; the pursuer has a mark above its head."""
        x, y = player.x, player.y
        canvas.disc(x, y, _PLAYER_RADIUS, color, alpha=0.22)
        stride = 2.5 * math.sin(0.35 * player.walked)
        for side in (-1, 1):
            canvas.rectangle(x + 3 * side - 2, y + 5, 4, 6 + side * stride * 0.6, rim, corner=1.5)
            canvas.rectangle(x + 3 * side - 2.5, y + 10 + side * stride * 0.6, 5, 2.5, PAPER, corner=1.2)
            canvas.line((x + 5 * side, y - 0.5), (x + 7.6 * side, y + 4 - side * stride * 0.6), 3, rim)
        canvas.rectangle(x - 6, y - 4, 12, 11, rim, corner=3.5)
        canvas.rectangle(x - 5, y - 3.2, 10, 9.4, color, corner=3)
        canvas.disc(x, y - 7.5, 5.2, _SKIN)
        canvas.rectangle(x - 5.2, y - 12.7, 10.4, 4.6, color, corner=2.6)
        look = clip(player.vx, -1.6, 1.6)
        for side in (-1, 1):
            canvas.disc(x + look + 1.8 * side, y - 6.6, 0.9, INK)
        if pursues:
            canvas.polygon([(x - 4, y - 20), (x + 4, y - 20), (x, y - 14.5)], DANGER)

    def _draw_catch(self, canvas: Canvas) -> None:
        """A ring where the last catch was, and the countdown until play goes on."""
        pursuer = _RIVAL if self._evading else AGENT
        if self._flash:
            radius = 50 - 40 * abs(2 * self._flash / _FLASH - 1)
            canvas.disc(*self._caught_at, radius, pursuer, outline=3, alpha=0.8)
        number = 3 - self._swap_frames // 5
        if self._swapping and number > 0:
            canvas.text(str(number), _CENTER_X + 1, 81, 40, NIGHT)
            canvas.text(str(number), _CENTER_X, 80, 40, pursuer)
