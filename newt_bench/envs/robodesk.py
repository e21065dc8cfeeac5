"""The `robodesk` domain: a robot arm at a desk (Kannan et al. 2021, github.com/google-research/robodesk)."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import Task
from newt_bench.envs import opengl
from newt_bench.envs.environment_variables import kept_environment
from newt_bench.envs.global_random import seeded_global_numpy
from newt_bench.envs.suite_camera import SuiteCamera

__all__ = ["DeskSimulation", "make"]


@contextmanager
def _gym_kept_quiet() -> Iterator[None]:
    """Undoes what the first import of `gym` does to the process.

    RoboDesk is built on that retired package. It prints a notice of its age, sets environment variables (as
    does OpenCV, which it imports where it is installed), and adds a warnings filter.
    """
    try:
        notices: dict[str, str] = importlib.import_module("gym_notices.notices").notices
    except ImportError:
        notices = {}
    kept_notices = dict(notices)
    notices.clear()
    try:
        with warnings.catch_warnings(), kept_environment():
            yield
    finally:
        notices.update(kept_notices)


opengl.import_dm_control()
with _gym_kept_quiet():
    from robodesk import RoboDesk

# RoboDesk solves its inverse kinematics once per repeat, which lasts this many physics steps.
_PHYSICS_STEPS_PER_REPEAT = 10

# In the published benchmark's order. Both entries on objects hold velocities; that slip of RoboDesk is part
# of the task.
_OBSERVATION_KEYS = ("end_effector", "qpos_objects", "qpos_robot", "qvel_objects", "qvel_robot")

# Metres and degrees: the desk with its bin, from above the robot's shoulder.
_CAMERA_POSE = {"lookat": (0.0, 0.535, 1.1), "distance": 1.4, "azimuth": 90.0, "elevation": -60.0}


def make(task: Task) -> DeskSimulation:
    """Builds the simulation of a RoboDesk task; `task.simulator_id` is RoboDesk's own name of it."""
    environment = RoboDesk(task.simulator_id, reward="dense", action_repeat=task.action_repeat, episode_length=None)
    # RoboDesk draws with every observation, by means of a function that Pillow no longer has.
    environment.render = lambda *_, **__: None
    return DeskSimulation(environment)


class DeskSimulation:
    """Plays a RoboDesk environment.

    The observation has shape (73,): position of the end effector in metres (3), velocities of the objects
    (26), joint positions of the robot (9), the velocities of the objects once more, joint velocities of the
    robot (9). The five actions shift the end effector by up to 1 cm per repeat along x, y and z, turn the
    wrist, and set the opening of the fingers, so zero holds them half open. The rewards of the repeats, each
    in [0, 1], are summed; success is RoboDesk's criterion after the last.

    Args:
        environment: RoboDesk, with a `render` that draws nothing.
    """

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._physics = environment.physics
        self._reward_function = environment.reward_functions[environment.task]
        self._rest = np.zeros(environment.action_dim, np.float32)
        self._camera = SuiteCamera(self._physics, _CAMERA_POSE)
        self.step_seconds = environment.action_repeat * _PHYSICS_STEPS_PER_REPEAT * self._physics.timestep()

    def reset(self, seed: int) -> NDArray[np.float64]:
        """See `Simulation.reset`. The first observation comes after one agent step at rest."""
        with seeded_global_numpy(seed):
            self._environment.reset()
        return self.step(self._rest)[0]

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float64], float, float]:
        """See `Simulation.step`."""
        with _inverse_kinematics_kept_quiet():
            entries, reward, *_ = self._environment.step(action)
        observation = np.concatenate([entries[key] for key in _OBSERVATION_KEYS])
        # Some criteria come as a flag, others as an array that holds one.
        success = np.asarray(self._reward_function("success")).item()
        return observation, float(reward), float(success)

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
        self._environment.physics_copy.free()
        self._physics.free()


class _FromInverseKinematics(logging.Filter):
    """Drops what dm_control's solver logs: a target out of reach is nothing to tell the user of."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.module != "inverse_kinematics"


@contextmanager
def _inverse_kinematics_kept_quiet() -> Iterator[None]:
    logger, silencer = logging.getLogger("absl"), _FromInverseKinematics()
    logger.addFilter(silencer)
    try:
        yield
    finally:
        logger.removeFilter(silencer)
