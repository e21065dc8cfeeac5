"""Plays a ManiSkill environment."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mani_skill.envs.sapien_env import BaseEnv
from numpy.typing import NDArray

from newt_bench.envs.maniskill.guards import quiet, rare_garbage_collection, usual_torch
from newt_bench.envs.maniskill.vulkan import Device

__all__ = ["ManiSkillSimulation"]


class ManiSkillSimulation:
    """Plays a ManiSkill environment of one scene, state observations and normalised dense rewards.

    The observation is the flattened state, unscaled; the rewards of the repeats are summed; success and
    failure end nothing. Frames come from the camera that the environment has for people to watch.

    Args:
        environment: The bare environment, as `environments.build` makes it.
        action_repeat: Control steps per agent step.
        device: What draws.
    """

    def __init__(self, environment: BaseEnv, action_repeat: int, device: Device) -> None:
        self._environment: Any = environment
        self._action_repeat = action_repeat
        self._device = device
        self._rebuild = False
        self._drawn = False
        self.step_seconds: float = environment.control_timestep * action_repeat

    def rebuild_at_next_reset(self) -> None:
        """See `Rebuildable`. A kept scene carries contacts of the last episode over, and with them forces."""
        self._rebuild = True

    def reset(self, seed: int) -> NDArray[np.float32]:
        """See `Simulation.reset`. ManiSkill draws from the global torch generator, in a copy it seeds."""
        with usual_torch(), quiet(), rare_garbage_collection():
            observation, _ = self._environment.reset(seed=seed, options={"reconfigure": self._rebuild})
        self._rebuild = False
        # The agent's own method looks for NaN first, which costs time and makes NumPy warn of torch.
        agent = self._environment.agent
        agent.set_action = agent.controller.set_action
        state: NDArray[np.float32] = observation[0].numpy()
        return state

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, float]:
        """See `Simulation.step`. Success is NaN in environments that report none."""
        total = 0.0
        with usual_torch():
            for _ in range(self._action_repeat):
                observation, reward, _, _, info = self._environment.step(action)
                total += float(reward)
        success = float(info["success"]) if "success" in info else math.nan
        return observation[0].numpy(), total, success

    def render(self, size: int) -> NDArray[np.uint8]:
        """See `Simulation.render`."""
        self._device.check_process()
        with usual_torch():
            self._resize_camera(size)
            frames = self._environment.render_rgb_array()
        self._drawn = True
        frame: NDArray[np.uint8] = frames[0].cpu().numpy()
        return frame

    def _resize_camera(self, size: int) -> None:
        """Replaces the cameras if they have another size. Later scenes get cameras of this size at once."""
        wanted = {"width": size, "height": size}
        if self._environment._custom_human_render_camera_configs != wanted:
            self._environment._custom_human_render_camera_configs = wanted
            self._environment._setup_sensors({})

    @property
    def renderer(self) -> str | None:
        """See `Simulation.renderer`."""
        return f"vulkan: {self._device.name}" if self._drawn else None

    def close(self) -> None:
        """See `Simulation.close`. ManiSkill looks for garbage here, and so frees scenes that were dropped before."""
        self._environment.close()
        self._environment = None
