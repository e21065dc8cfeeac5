"""The `dmcontrol` domain: stock tasks of the DeepMind Control suite (arXiv 2006.12983)."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import Task
from newt_bench.envs import opengl
from newt_bench.envs.suite_camera import SuiteCamera

opengl.import_dm_control()
from dm_control import suite  # noqa: E402

__all__ = ["SuiteSimulation", "make"]


def make(task: Task) -> SuiteSimulation:
    """Builds the simulation of a suite task; `task.simulator_id` is `<domain>/<task>`."""
    domain, _, name = task.simulator_id.partition("/")
    environment = suite.load(domain, name)
    with warnings.catch_warnings():
        # The quadruped looks its sensors up once per model, through a NumPy function that warns of its age.
        warnings.simplefilter("ignore", DeprecationWarning)
        environment.task.get_observation(environment.physics)
    return SuiteSimulation(environment, task.action_repeat, camera=int(task.settings.get("camera", 0)))


class SuiteSimulation:
    """Plays a dm_control environment.

    The observation is the suite's dictionary, flattened and concatenated in its own order. Actions in
    [-1, 1] are mapped linearly onto the actuators' ranges; the rewards of the repeats are summed.

    Args:
        environment: A freshly built suite environment.
        action_repeat: Control steps per agent step.
        camera: Index of the model's camera that `render` uses.
    """

    def __init__(self, environment: Any, action_repeat: int, camera: int = 0) -> None:
        self._environment = environment
        self._physics = environment.physics
        self._task = environment.task
        self._action_repeat = action_repeat
        self._camera = SuiteCamera(self._physics, camera)
        self._substeps = round(environment.control_timestep() / self._physics.timestep())
        spec = environment.action_spec()
        self._action_low = spec.minimum
        self._action_scale = (spec.maximum - spec.minimum) / 2
        self.step_seconds = environment.control_timestep() * action_repeat

    def reset(self, seed: int) -> NDArray[np.float32]:
        """See `Simulation.reset`. The suite draws from the task's own legacy `RandomState`."""
        self._task.random.seed(seed)
        self._environment.reset()
        return self._observe()

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, float]:
        """See `Simulation.step`. The suite defines no success."""
        control = self._action_low + self._action_scale * (action.astype(np.float64) + 1)
        reward = 0.0
        # `Environment.step` would compute the observation after every repeat; only the last one is seen.
        for _ in range(self._action_repeat):
            self._task.before_step(control, self._physics)
            self._physics.step(self._substeps)
            self._task.after_step(self._physics)
            reward += float(self._task.get_reward(self._physics))
        return self._observe(), reward, math.nan

    def _observe(self) -> NDArray[np.float32]:
        entries = tuple(self._task.get_observation(self._physics).values())
        return np.concatenate(entries, axis=None, dtype=np.float32)  # no axis: flattens every entry

    def render(self, size: int) -> NDArray[np.uint8]:
        """See `Simulation.render`."""
        return self._camera.render(size)

    @property
    def renderer(self) -> str | None:
        """See `Simulation.renderer`."""
        return self._camera.renderer

    def close(self) -> None:
        """See `Simulation.close`."""
        self._camera.close()
        self._environment.close()
        self._physics.free()
