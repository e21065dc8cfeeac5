"""The `box2d` domain: variants of Gymnasium's bipedal walker and lunar lander."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import Task
from newt_bench.envs.images import resize
from newt_bench.errors import InputError

with warnings.catch_warnings():
    # SWIG's own types lack an attribute that newer Pythons want.
    warnings.simplefilter("ignore", DeprecationWarning)
    import Box2D  # noqa: F401
    import pygame  # noqa: F401  (Gymnasium's Box2D environments import it too, with an error of their own)

from newt_bench.envs.box2d import painting
from newt_bench.envs.box2d.bipedal_walker import BipedalWalkerWorld
from newt_bench.envs.box2d.lunar_lander import STEPS_PER_SECOND, LunarLanderWorld

__all__ = ["Box2DSimulation", "World", "make"]


class World(Protocol):
    """The physics of one task, without action repeat and drawing."""

    def reset(self, seed: int) -> NDArray[np.float32]:
        """Starts an episode in a new Box2D world and returns the first observation."""
        ...

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """Plays one simulator step and returns observation and reward."""
        ...


def make(task: Task, reward_wrecks: bool = True) -> Box2DSimulation:
    """Builds the simulation of a task; `task.simulator_id` is `BipedalWalker/<terrain>` or `LunarLander/<task>`.

    Args:
        task: The task.
        reward_wrecks: Of `lunarlander-land` alone: whether a lander at rest is rewarded even if it crashed, as in
            the published benchmark. With False, only one whose body never touched the ground is.

    Raises:
        InputError: `reward_wrecks` is False for another task.
    """
    family, _, name = task.simulator_id.partition("/")
    if not reward_wrecks and name != "land":
        raise InputError(f"{task.id} has no option 'reward_wrecks': only lunarlander-land rewards wrecks")
    world: World = BipedalWalkerWorld(name) if family == "BipedalWalker" else LunarLanderWorld(name, reward_wrecks)
    return Box2DSimulation(task, world, _REWARD_TRANSFORMS.get(name, _clipped_progress))


def _clipped_progress(reward: float) -> float:
    return min(max(reward, -1.0), 10.0)


def _clipped_landing(reward: float) -> float:
    return min(max(reward, -5.0), 10.0) / 20


def _unchanged(reward: float) -> float:
    return reward


# By the second half of the simulator id. All walkers share the one that `make` falls back on.
_REWARD_TRANSFORMS: dict[str, Callable[[float], float]] = {
    "land": _clipped_landing,
    "hover": _unchanged,
    "takeoff": _unchanged,
}


class Box2DSimulation:
    """Plays a Box2D world past falls and crashes.

    Args:
        task: The task.
        world: Its physics.
        reward_transform: Applied to the reward of each simulator step, before they are summed over the repeats.
    """

    step_seconds: float

    def __init__(self, task: Task, world: World, reward_transform: Callable[[float], float]) -> None:
        self._task = task
        self._world = world
        self._reward_transform = reward_transform
        self._seed = 0
        self._steps = 0
        self._painter: Any = None  # of this episode
        self._renderer: str | None = None
        self.step_seconds = task.action_repeat / STEPS_PER_SECOND

    def reset(self, seed: int) -> NDArray[np.float32]:
        """See `Simulation.reset`. Colours have a generator of their own: drawing does not change the physics."""
        self._seed, self._steps, self._painter = seed, 0, None
        return self._world.reset(seed)

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, float]:
        """See `Simulation.step`. The tasks define no success."""
        total = 0.0
        for _ in range(self._task.action_repeat):
            observation, reward = self._world.step(action)
            total += self._reward_transform(reward)
        self._steps += 1
        return observation, total, math.nan

    def render(self, size: int) -> NDArray[np.uint8]:
        """See `Simulation.render`."""
        if self._painter is None:
            self._painter = painting.make_painter(self._world, np.random.default_rng((self._seed, 1)))
            self._renderer = painting.RENDERER
        frame: NDArray[np.uint8] = self._painter.paint(max(size, self._painter.drawn_size), self._steps)
        return resize(frame, size)

    @property
    def renderer(self) -> str | None:
        """See `Simulation.renderer`."""
        return self._renderer

    def close(self) -> None:
        """See `Simulation.close`."""
        self._painter = None
        del self._world
