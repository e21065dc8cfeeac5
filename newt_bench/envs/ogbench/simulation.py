"""Plays one of OGBench's robots by the rules of a task."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from newt_bench.envs.offscreen import OffscreenCamera

__all__ = ["RobotSimulation", "Rules"]


class Rules(Protocol):
    """What a task adds to its robot: starts, goals, observations, rewards. Everything is in metres."""

    def begin(self, random: np.random.RandomState) -> None:
        """Sets an episode up on a robot that was just reset.

        Args:
            random: The episode's own generator, which the rules may keep.
        """
        ...

    def observe(self) -> NDArray[np.float64]:
        """The state observation, shape (obs_dim,), in a new array."""
        ...

    def before_step(self) -> None:
        """Comes before every simulator step, repeats included."""
        ...

    def judge(self) -> tuple[float, float]:
        """Comes once at the end of an agent step.

        Returns:
            The reward of the agent step, and the success flag (0, 1, or NaN where there is none).
        """
        ...


class RobotSimulation:
    """Plays a robot environment of OGBench; the rewards and terminations of OGBench's own are ignored.

    Args:
        robot: A Gymnasium MuJoCo environment of OGBench.
        rules: The task.
        camera: Draws the robot's model.
        action_repeat: Simulator steps per agent step.
    """

    def __init__(self, robot: Any, rules: Rules, camera: OffscreenCamera, action_repeat: int) -> None:
        self._robot = robot
        self._rules = rules
        self._camera = camera
        self._action_repeat = action_repeat
        self.step_seconds: float = robot.dt * action_repeat

    def reset(self, seed: int) -> NDArray[np.float64]:
        """See `Simulation.reset`.

        Joint noise comes from the robot's own generator. OGBench draws the rest from NumPy's global one; the
        same legacy generator, apart, gives the same numbers.
        """
        self._robot.reset(seed=seed)
        self._rules.begin(np.random.RandomState(seed))
        return self._rules.observe()

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float64], float, float]:
        """See `Simulation.step`."""
        for _ in range(self._action_repeat):
            self._rules.before_step()
            self._robot.step(action)
        reward, success = self._rules.judge()
        return self._rules.observe(), reward, success

    def render(self, size: int) -> NDArray[np.uint8]:
        """See `Simulation.render`. The OpenGL context is made at the first call."""
        return self._camera.render(size)

    @property
    def renderer(self) -> str | None:
        """See `Simulation.renderer`."""
        return self._camera.renderer

    def close(self) -> None:
        """See `Simulation.close`."""
        self._camera.close()
        self._robot.close()
