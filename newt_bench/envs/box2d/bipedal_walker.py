"""The bipedal walker: Gymnasium's, with other terrains, and with its progress paid twice."""

from __future__ import annotations

import itertools
import math
from typing import Any

import Box2D
import numpy as np
from gymnasium.envs.box2d.bipedal_walker import BipedalWalker
from numpy.typing import NDArray

from newt_bench.envs.box2d.terrain import LENGTH, SPACING, TERRAINS

__all__ = ["SCALE", "VIEWPORT", "BipedalWalkerWorld"]

#: Side of the published frames in pixels, and pixels per simulator unit. Gymnasium's are 600 x 400 and 30; as its
#: environment does, the task measures velocity and progress in them. Bodies and terrain keep Gymnasium's sizes.
VIEWPORT = 224
SCALE = 15.0

_VELOCITY_SCALE = 0.3 * (VIEWPORT / SCALE) / 50
_EXTRA_PROGRESS = 130 * (1 / SCALE - 1 / 30)
_FALLEN = -100.0
_CLOUDS = LENGTH // 20


class _Environment(BipedalWalker):
    """Gymnasium's environment on one of our terrains, in a new Box2D world each episode.

    The stock environment reuses one world, in which an episode depends slightly on those before.

    Args:
        terrain: Key of `TERRAINS`.
    """

    def __init__(self, terrain: str) -> None:
        super().__init__()
        self._make_terrain = TERRAINS[terrain]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode in a new world."""
        self.world.contactListener = None  # breaks the reference cycle that would keep the old world
        self.world, self.terrain = Box2D.b2World(), []
        state: NDArray[np.float32]
        state, info = super().reset(seed=seed, options=options)
        return state, info

    def _generate_terrain(self, hardcore: bool) -> None:
        """Called by the stock reset."""
        terrain = self._make_terrain(self.np_random)
        self.terrain_x = [i * SPACING for i in range(LENGTH)]
        self.terrain_y = terrain.heights
        self.boxes = terrain.boxes
        points = list(zip(self.terrain_x, self.terrain_y, strict=True))
        for box in terrain.boxes:
            self.fd_polygon.shape.vertices = list(box)
            self.terrain.append(self.world.CreateStaticBody(fixtures=self.fd_polygon))
        for ends in itertools.pairwise(points):
            self.fd_edge.shape.vertices = list(ends)
            self.terrain.append(self.world.CreateStaticBody(fixtures=self.fd_edge))
        self.terrain.reverse()

    def _generate_clouds(self) -> None:
        """Called by the stock reset. As many draws as there, since the initial push is drawn afterwards."""
        self.clouds = [self._cloud() for _ in range(_CLOUDS)]

    def _cloud(self) -> list[tuple[float, float]]:
        """Corners of an irregular pentagon three quarters up the window."""
        x, y = self.np_random.uniform(0, LENGTH) * SPACING, VIEWPORT / SCALE * 3 / 4
        jitter = self.np_random.uniform(0, 5 * SPACING, size=(5, 2))
        angles = 2 * 3.14 * np.arange(5) / 5  # the stock environment's pi
        corners = np.stack([x + 15 * SPACING * np.sin(angles), y + 5 * SPACING * np.cos(angles)], axis=1) + jitter
        return [(float(a), float(b)) for a, b in corners]


class BipedalWalkerWorld:
    """Physics of the walker tasks; see `World`.

    Observations are Gymnasium's 24: hull angle and angular velocity, the hull's horizontal and vertical velocity
    (times 0.0896), angle and speed of each hip and knee with the contact flag of each leg, and ten lidar ranges as
    fractions of 5.33 units. The four actions are the motors' torques, with their direction.

    The reward is the change of 130 x / 15 - 5 |hull angle|, less 0.028 per full torque, and -100 at every step after
    the hull has touched the ground, and while x is negative.

    Args:
        terrain: Key of `TERRAINS`.
    """

    def __init__(self, terrain: str) -> None:
        #: Gymnasium's environment; the painter looks at its bodies.
        self.environment: Any = _Environment(terrain)
        self._x = math.nan

    def reset(self, seed: int) -> NDArray[np.float32]:
        """See `World.reset`."""
        state, _ = self.environment.reset(seed=seed)
        self._x = self.environment.hull.position[0]
        return self._rescaled(state)

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """See `World.step`."""
        environment = self.environment
        state, reward, *_ = environment.step(action)
        before, self._x = self._x, environment.hull.position[0]
        if environment.game_over or self._x < 0:
            return self._rescaled(state), _FALLEN
        return self._rescaled(state), float(reward) + _EXTRA_PROGRESS * (self._x - before)

    def _rescaled(self, state: NDArray[np.float32]) -> NDArray[np.float32]:
        state[2:4] = [_VELOCITY_SCALE * speed for speed in self.environment.hull.linearVelocity]
        return state
