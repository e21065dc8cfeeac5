"""The lunar lander: landing, hovering and taking off, after Gymnasium's continuous lander."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import deque
from typing import Any

import numpy as np
from Box2D.b2 import contactListener, edgeShape, fixtureDef, polygonShape, revoluteJointDef, world
from numpy.typing import NDArray

__all__ = ["GRAVITY", "SCALE", "SIDE", "STEPS_PER_SECOND", "LunarLanderWorld", "Spark"]

#: Pixels per simulator unit of the published frames, the world's width and height in units, and the clock.
SCALE = 30.0
SIDE = 400 / SCALE
STEPS_PER_SECOND = 50
GRAVITY = 10.0

_PAD_HEIGHT = SIDE / 4
_BODY = [(-14, 17), (-17, 0), (-17, -10), (17, -10), (17, 0), (14, 17)]  # this and what follows: in pixels
_LEG_AWAY, _LEG_DOWN, _LEG_WIDTH, _LEG_HEIGHT = 20, 18, 2, 8
_NOZZLE, _THRUSTER_AWAY, _THRUSTER_SIDE, _THRUSTER_UP = 4, 12, 17, 14
_MAIN_IMPULSE, _SIDE_IMPULSE = 13.0, 0.6
_LEG_TORQUE = 40
_MAX_FORCE = 600.0
_TAKEOFF_STEPS = 6
_SPARK_MASSES = {"main": 3.5 * math.pi * 0.1**2, "side": 0.7 * math.pi * 0.1**2}
_SPARKS_KEPT = 64  # more than can glow at a time

_GROUND, _LANDER, _LEG = 0x001, 0x010, 0x020


@dataclasses.dataclass(frozen=True)
class Spark:
    """What an engine threw out in one simulator step. Sparks are drawn, and touch nothing.

    Attributes:
        step: Simulator step of the episode at which it flew off.
        position: Where, in units.
        velocity: In units per second.
        power: Power of the engine, in [0.5, 1].
    """

    step: int
    position: tuple[float, float]
    velocity: tuple[float, float]
    power: float


class _Contacts(contactListener):  # type: ignore[misc]
    """Notes whether the body has ever touched the ground, and which legs do now."""

    def __init__(self) -> None:
        super().__init__()
        self.body: Any = None
        self.legs: list[Any] = []
        self.crashed = False
        self.on_ground = [False, False]

    def BeginContact(self, contact: Any) -> None:  # noqa: N802 (Box2D calls it)
        touching = (contact.fixtureA.body, contact.fixtureB.body)
        self.crashed = self.crashed or self.body in touching
        self._note(touching, True)

    def EndContact(self, contact: Any) -> None:  # noqa: N802 (Box2D calls it)
        self._note((contact.fixtureA.body, contact.fixtureB.body), False)

    def _note(self, touching: tuple[Any, Any], value: bool) -> None:
        for i, leg in enumerate(self.legs):
            if leg in touching:
                self.on_ground[i] = value


class LunarLanderWorld:
    """Physics of the lander tasks; see `World`.

    Actions are the main engine (off up to 0, then from half to full power) and the side engines (off between -0.5
    and 0.5). Observations are position relative to the pad's middle, velocity, angle, angular velocity, and contact
    of the left and right leg, each scaled as in Gymnasium; `hover` and `takeoff` append the goal relative to the
    lander, in half widths of the window.

    Rewards of `land` are the changes of a potential that falls with distance from the pad, speed and tilt, less
    fuel; -100 at every step after a crash or outside the window; and 100 at every step at which the lander sleeps,
    wreck or not. Those of `hover` and `takeoff` fall from 1 at the goal to 0 at a distance of 6 units, less fuel,
    and are 0 below the height of a lander standing on the pad.

    Args:
        task: `land`, `hover` or `takeoff`.
        reward_wrecks: Whether a sleeping lander is rewarded even if its body touched the ground.
    """

    def __init__(self, task: str, reward_wrecks: bool = True) -> None:
        self._task = task
        self._reward_wrecks = reward_wrecks

    def reset(self, seed: int) -> NDArray[np.float32]:
        """See `World.reset`. Gravity, bodies and contacts are new, and so independent of earlier episodes."""
        self._rng = np.random.default_rng(seed)
        self._world: Any = world(gravity=(0, -GRAVITY))
        self._contacts = _Contacts()
        self._world.contactListener = self._contacts
        self.sparks: deque[Spark] = deque(maxlen=_SPARKS_KEPT)
        self.steps = 0
        self._make_ground()
        position, force = self._draw_start()
        self._make_lander(position)
        self.lander.ApplyForceToCenter(force, True)
        self.goal = self._draw_goal()
        self._potential: float | None = None
        for _ in range(_TAKEOFF_STEPS if self._task == "takeoff" else 1):
            observation, _ = self.step(np.zeros(2, np.float32))
        return observation

    def _make_ground(self) -> None:
        points = int(self._rng.choice([7, 9]))
        heights = self._rng.uniform(0, SIDE / 2, points + 1)
        middle = points // 2
        heights[middle - 2 : middle + 3] = _PAD_HEIGHT
        xs = [SIDE * i / (points - 1) for i in range(points)]
        ys = [0.33 * float(heights[i - 1] + heights[i] + heights[i + 1]) for i in range(points)]
        #: Ground line, and the ends of the pad.
        self.ground = list(zip(xs, ys, strict=True))
        self.pad = (xs[middle - 1], xs[middle + 1])
        ground = self._world.CreateStaticBody()
        for ends in (((0, 0), (SIDE, 0)), *itertools.pairwise(self.ground)):
            ground.CreateFixture(fixtureDef(shape=edgeShape(vertices=list(ends)), friction=0.1))

    def _draw_start(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Position of the lander, and the force on it during the first step."""
        draw = self._rng.uniform
        if self._task == "takeoff":
            left, right = self.pad
            x = draw(left + (right - left) / 4, right - (right - left) / 4)
            return (x, _PAD_HEIGHT + _LEG_DOWN / SCALE), (0.5 * draw(-_MAX_FORCE, _MAX_FORCE), -2 * _MAX_FORCE)
        y, x = 0.8 * SIDE * draw(0.95, 1.05), SIDE / 2 * draw(0.95, 1.05)
        return (x, y), (draw(-_MAX_FORCE, _MAX_FORCE), draw(-_MAX_FORCE, _MAX_FORCE))

    def _draw_goal(self) -> tuple[float, float] | None:
        draw = self._rng.uniform
        if self._task == "hover":
            return SIDE / 2 + draw(-1, 1), 2 * _PAD_HEIGHT + draw(-1, 1)
        if self._task == "takeoff":
            return draw(0.2, 0.8) * SIDE, draw(0.6, 0.8) * SIDE
        return None

    def _make_lander(self, position: tuple[float, float]) -> None:
        hull = polygonShape(vertices=[(x / SCALE, y / SCALE) for x, y in _BODY])
        self.lander = self._world.CreateDynamicBody(
            position=position,
            fixtures=fixtureDef(
                shape=hull, density=5.0, friction=0.1, restitution=0.0, categoryBits=_LANDER, maskBits=_GROUND
            ),
        )
        self.legs = [self._make_leg(position, side) for side in (-1, 1)]
        self._contacts.body, self._contacts.legs = self.lander, self.legs

    def _make_leg(self, position: tuple[float, float], side: int) -> Any:
        """Adds a leg on a weakly sprung joint; `side` is -1 or 1."""
        away = side * _LEG_AWAY / SCALE
        box = polygonShape(box=(_LEG_WIDTH / SCALE, _LEG_HEIGHT / SCALE))
        leg = self._world.CreateDynamicBody(
            position=(position[0] - away, position[1]),
            angle=0.05 * side,
            fixtures=fixtureDef(shape=box, density=1.0, restitution=0.0, categoryBits=_LEG, maskBits=_GROUND),
        )
        limits = (0.4, 0.9) if side < 0 else (-0.9, -0.4)
        joint = revoluteJointDef(
            bodyA=self.lander,
            bodyB=leg,
            localAnchorA=(0, 0),
            localAnchorB=(away, _LEG_DOWN / SCALE),
            enableMotor=True,
            enableLimit=True,
            maxMotorTorque=_LEG_TORQUE,
            motorSpeed=0.3 * side,
            lowerAngle=limits[0],
            upperAngle=limits[1],
        )
        self._world.CreateJoint(joint)
        return leg

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """See `World.step`."""
        main, side = float(action[0]), float(action[1])
        main_power = (main + 1) / 2 if main > 0 else 0.0
        side_power = abs(side) if abs(side) > 0.5 else 0.0
        self._fire(main_power, math.copysign(side_power, side))
        self._world.Step(1 / STEPS_PER_SECOND, 180, 60)
        self.steps += 1
        state = self._state()
        if self.goal is None:
            return np.array(state, np.float32), self._landing_reward(state, main_power, side_power)
        x, y = self.lander.position
        to_goal = self.goal[0] - x, self.goal[1] - y
        reward = 0.0
        if y >= _PAD_HEIGHT + _LEG_DOWN / SCALE:
            reward = 1 - math.hypot(*to_goal) / 6 - 0.03 * main_power - 0.003 * side_power
        state += [offset / (SIDE / 2) for offset in to_goal]
        return np.array(state, np.float32), min(max(reward, 0.0), 1.0)

    def _fire(self, main: float, side: float) -> None:
        """Applies the engines' impulses, which scatter a little.

        Args:
            main: Power of the main engine.
            side: Power of the side engines; positive pushes an upright lander to the right.
        """
        scatter, sideways = self._rng.uniform(-1, 1) / SCALE, self._rng.uniform(-1, 1) / SCALE
        angle = self.lander.angle
        tip, wing = (math.sin(angle), math.cos(angle)), (-math.cos(angle), math.sin(angle))
        if main:
            along = _NOZZLE / SCALE + 2 * scatter
            offset = tip[0] * along + wing[0] * sideways, -tip[1] * along - wing[1] * sideways
            self._push("main", offset, offset, _MAIN_IMPULSE * main, main)
        if side:
            across = 3 * sideways + math.copysign(_THRUSTER_AWAY / SCALE, side)
            offset = tip[0] * scatter + wing[0] * across, -tip[1] * scatter - wing[1] * across
            nozzle = (
                offset[0] - tip[0] * _THRUSTER_SIDE / SCALE,
                offset[1] + tip[1] * _THRUSTER_UP / SCALE,
            )
            self._push("side", offset, nozzle, _SIDE_IMPULSE * abs(side), abs(side))

    def _push(
        self, engine: str, offset: tuple[float, float], nozzle: tuple[float, float], strength: float, power: float
    ) -> None:
        """Applies an impulse of `strength` times `offset`, backwards, at `nozzle` from the centre; notes a spark."""
        x, y = self.lander.position
        point = x + nozzle[0], y + nozzle[1]
        impulse = strength * offset[0], strength * offset[1]
        self.lander.ApplyLinearImpulse((-impulse[0], -impulse[1]), point, True)
        mass = _SPARK_MASSES[engine]
        self.sparks.append(Spark(self.steps, point, (impulse[0] / mass, impulse[1] / mass), power))

    def _state(self) -> list[float]:
        x, y = self.lander.position
        speed = self.lander.linearVelocity
        half = SIDE / 2
        return [
            (x - half) / half,
            (y - _PAD_HEIGHT - _LEG_DOWN / SCALE) / half,
            speed[0] * half / STEPS_PER_SECOND,
            speed[1] * half / STEPS_PER_SECOND,
            self.lander.angle,
            20 * self.lander.angularVelocity / STEPS_PER_SECOND,
            float(self._contacts.on_ground[0]),
            float(self._contacts.on_ground[1]),
        ]

    def _landing_reward(self, state: list[float], main: float, side: float) -> float:
        potential = 10 * (state[6] + state[7]) - 100 * (
            math.hypot(state[0], state[1]) + math.hypot(state[2], state[3]) + abs(state[4])
        )
        before, self._potential = self._potential, potential
        crashed = self._contacts.crashed
        if not self.lander.awake and (self._reward_wrecks or not crashed):
            return 100.0
        if crashed or abs(state[0]) >= 1:
            return -100.0
        change = potential - before if before is not None else 0.0
        return change - 0.3 * main - 0.03 * side
