"""The `metaworld` domain: Meta-World's Sawyer tasks (arXiv 1910.10897) with observable goals drawn at every reset."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import Task
from newt_bench.envs import opengl
from newt_bench.envs.offscreen import OffscreenCamera

opengl.import_mujoco()
import mujoco  # noqa: E402
from metaworld.env_dict import ALL_V3_ENVIRONMENTS  # noqa: E402

__all__ = ["SawyerSimulation", "make"]

# The published scores were measured with this torque scale of the weld that drags the hand; the package has 5.0.
_WELD_TORQUE_SCALE = 3.75
_WELD_TORQUE_SCALE_INDEX = 10  # in the 11 numbers that MuJoCo keeps per weld

_CAMERA = "corner2"
_CAMERA_POSITION = (0.75, 0.075, 0.7)  # metres; closer to the table than the model's own

# Environments whose reset moves a body without computing where its parts are then.
_STALE_AFTER_RESET = frozenset({"dial-turn-v3"})


def make(task: Task) -> SawyerSimulation:
    """Builds the simulation of a Meta-World task; `task.simulator_id` is the name of a V3 environment."""
    environment = ALL_V3_ENVIRONMENTS[task.simulator_id](reward_function_version="v2")
    _observe_and_redraw_goals(environment)
    model = environment.model
    model.eq_data[model.eq_type == mujoco.mjtEq.mjEQ_WELD, _WELD_TORQUE_SCALE_INDEX] = _WELD_TORQUE_SCALE
    model.camera(_CAMERA).pos = _CAMERA_POSITION
    return SawyerSimulation(environment, task.action_repeat, task.simulator_id in _STALE_AFTER_RESET)


def _observe_and_redraw_goals(environment: Any) -> None:
    """Does what the package's goal-observable classes do, and draws goals from the environment's own generator."""
    environment._partially_observable = False
    del environment.sawyer_observation_space  # cached while the goal was hidden; observations are clipped to it
    environment._set_task_called = True
    environment._freeze_rand_vec = False
    environment.seeded_rand_vec = True


class SawyerSimulation:
    """Plays a Meta-World environment.

    The observation is Meta-World's own, shape (39,), in metres: position of the hand, opening of the gripper
    in [0, 1], positions and quaternions of two objects (zeros where there is none); the same 18 numbers one
    simulator step earlier; position of the goal. The four actions shift the hand's target by up to 1 cm per
    simulator step along x, y and z, and drive the fingers. The rewards of the repeats, each nominally in
    [0, 10], are summed; success is that of the last.

    Args:
        environment: A V3 environment that may be reset and stepped.
        action_repeat: Simulator steps per agent step.
        stale_after_reset: Whether reset leaves positions behind that belong to the episode before.
    """

    def __init__(self, environment: Any, action_repeat: int, stale_after_reset: bool) -> None:
        self._environment = environment
        self._action_repeat = action_repeat
        self._stale_after_reset = stale_after_reset
        self._camera = OffscreenCamera(environment.model, environment.data, _CAMERA)
        self._rest = np.zeros(environment.action_space.shape, np.float32)
        self.step_seconds = environment.dt * action_repeat

    def reset(self, seed: int) -> NDArray[np.float64]:
        """See `Simulation.reset`. The first observation comes after one simulator step at rest."""
        environment = self._environment
        environment.seed(seed)
        environment.reset()
        if self._stale_after_reset:
            mujoco.mj_forward(environment.model, environment.data)
            environment._prev_obs = environment._get_curr_obs_combined_no_goal()
        observation: NDArray[np.float64] = environment.step(self._rest)[0]
        return observation

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float64], float, float]:
        """See `Simulation.step`."""
        total = 0.0
        for _ in range(self._action_repeat):
            observation, reward, _, _, info = self._environment.step(action)
            total += float(reward)
        return observation, total, float(info["success"])

    def render(self, size: int) -> NDArray[np.uint8]:
        """See `Simulation.render`. The OpenGL context is made at the first call, in this process."""
        # The camera hangs upside down. As in the published benchmark only the rows are turned round, not the
        # columns, so that left and right are swapped.
        return np.ascontiguousarray(self._camera.render(size)[::-1])

    @property
    def renderer(self) -> str | None:
        """See `Simulation.renderer`."""
        return self._camera.renderer

    def close(self) -> None:
        """See `Simulation.close`."""
        self._camera.close()
        self._environment = None
