"""The `mujoco` domain: Gymnasium's MuJoCo environments of version 4."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import load_env_creator
from numpy.typing import NDArray

from newt_bench.catalogue import Task
from newt_bench.envs import opengl
from newt_bench.envs.images import resize
from newt_bench.envs.offscreen import FreeView, OffscreenCamera

opengl.import_mujoco()
import gymnasium.envs.mujoco.mujoco_env  # noqa: E402 (what it misses must be missed on import)
import mujoco  # noqa: E402

__all__ = ["GymnasiumSimulation", "make"]

#: Frames are drawn at this size at least, and shrunk to what is asked for.
DRAWN_SIZE = 480

#: Reward of one simulator step, from the environment's reward, whether it calls for termination at this step, and
#: whether it has called for it in this episode.
RewardRule = Callable[[float, bool, bool], float]


def _plain(reward: float, terminated: bool, ever_terminated: bool) -> float:
    return reward


def _never_negative_while_healthy(reward: float, terminated: bool, ever_terminated: bool) -> float:
    """For robots that call for termination whenever they are unhealthy: they may recover."""
    return -1.0 if terminated else max(0.0, reward)


def _until_terminated(reward: float, terminated: bool, ever_terminated: bool) -> float:
    return float(not ever_terminated)


# Episodes do not end with a fall, so the robots' rewards must tell that they have fallen.
_REWARD_RULES: dict[str, RewardRule] = {
    "Hopper-v4": _never_negative_while_healthy,
    "Walker2d-v4": _never_negative_while_healthy,
    "InvertedPendulum-v4": _until_terminated,
}
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "Ant-v4": {"terminate_when_unhealthy": False},  # so that its bonus for health ends with its health
}


def make(task: Task) -> GymnasiumSimulation:
    """Builds the simulation of a task; `task.simulator_id` is the id of Gymnasium's environment."""
    # The registered class itself: `gymnasium.make` would warn that there is a version 5, which is another task.
    spec = gymnasium.registry[task.simulator_id]
    creator = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
    assert creator is not None
    environment = creator(**{**spec.kwargs, **_ARGUMENTS.get(task.simulator_id, {})})
    return GymnasiumSimulation(environment, task.action_repeat, _REWARD_RULES.get(task.simulator_id, _plain))


class GymnasiumSimulation:
    """Plays one of Gymnasium's MuJoCo environments past its own terminations.

    Observations are the environment's own. Actions in [-1, 1] are scaled by the upper bound of its action
    space, which is symmetric.

    Args:
        environment: A freshly built `gymnasium.envs.mujoco.MujocoEnv`.
        action_repeat: Simulator steps per agent step.
        reward_rule: Reward of one simulator step; the rewards of the repeats are summed.
    """

    def __init__(self, environment: Any, action_repeat: int, reward_rule: RewardRule) -> None:
        self._environment = environment
        self._action_repeat = action_repeat
        self._reward_rule = reward_rule
        self._action_scale = environment.action_space.high
        self._ever_terminated = False
        self._camera = OffscreenCamera(environment.model, environment.data, _view(environment))
        self.step_seconds = environment.dt * action_repeat

    def reset(self, seed: int) -> NDArray[np.float64]:
        """See `Simulation.reset`. The noise is drawn from the environment's own generator."""
        self._ever_terminated = False
        observation: NDArray[np.float64] = self._environment.reset(seed=seed)[0]
        return observation

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float64], float, float]:
        """See `Simulation.step`. The tasks define no success."""
        control = action * self._action_scale
        total = 0.0
        for _ in range(self._action_repeat):
            observation, reward, terminated, _, _ = self._environment.step(control)
            self._ever_terminated = self._ever_terminated or terminated
            total += self._reward_rule(float(reward), terminated, self._ever_terminated)
        return observation, total, math.nan

    def render(self, size: int) -> NDArray[np.uint8]:
        """See `Simulation.render`. The OpenGL context is made at the first call, in this process."""
        return resize(self._camera.render(max(DRAWN_SIZE, size)), size)

    @property
    def renderer(self) -> str | None:
        """See `Simulation.renderer`."""
        return self._camera.renderer

    def close(self) -> None:
        """See `Simulation.close`."""
        self._camera.close()
        self._environment.close()


def _view(environment: Any) -> str | FreeView:
    """The model's tracking camera; where there is none, Gymnasium's free camera.

    Gymnasium points that at the middle of the model as it stands at the first frame. Here it is the middle of the
    model's own pose, so that frames do not depend on earlier episodes.
    """
    model, data = environment.model, environment.data
    if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, "track") >= 0:
        return "track"
    mujoco.mj_forward(model, data)
    x, y, z = np.median(data.geom_xpos, axis=0)
    distance = environment.mujoco_renderer.default_cam_config.get("distance", model.stat.extent)
    return FreeView(lookat=(x, y, z), distance=distance, azimuth=90.0, elevation=-45.0)
