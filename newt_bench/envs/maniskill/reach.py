"""Reaching: a pick-and-place scene with nothing to pick, only a goal point for the gripper."""

from __future__ import annotations

from typing import Any

import sapien
import torch
from mani_skill.envs.sapien_env import BaseEnv
from mani_skill.sensors.camera import CameraConfig
from mani_skill.utils import sapien_utils
from mani_skill.utils.building import actors
from mani_skill.utils.scene_builder.table import TableSceneBuilder
from mani_skill.utils.structs.pose import Pose

__all__ = ["ReachEnv"]

_GOAL_RADIUS = 0.025  # metres; of the marker, and for success
_GOAL_HALF_RANGE = 0.1  # metres; of x and y around the middle of the table
_GOAL_MAX_HEIGHT = 0.3  # metres
_ROBOT_NOISE = 0.02  # radians; standard deviation of the initial joint angles


class ReachEnv(BaseEnv):  # type: ignore[misc]
    """Move the point between the fingers to a goal in the air above a table, and keep it there.

    The goal is uniform over a box of 0.2 x 0.2 x 0.3 m. The normalised reward of a control step is
    1 + [success] - tanh(5 d) with d the distance from the goal in metres; success is d <= 0.025.

    Observation: joint positions and velocities, pose of the gripper point (position, quaternion w x y z), goal,
    and goal minus gripper point.
    """

    SUPPORTED_ROBOTS = ("panda", "xarm6_robotiq")

    def __init__(self, *args: Any, robot_uids: str = "panda", **kwargs: Any) -> None:
        super().__init__(*args, robot_uids=robot_uids, **kwargs)

    @property
    def _default_human_render_camera_configs(self) -> CameraConfig:
        pose = sapien_utils.look_at(eye=[0.6, 0.7, 0.6], target=[0.0, 0.0, 0.35])
        return CameraConfig("render_camera", pose, 512, 512, fov=1, near=0.01, far=100)

    def _load_agent(self, options: dict[str, Any]) -> None:
        super()._load_agent(options, sapien.Pose(p=[-0.615, 0, 0]))

    def _load_scene(self, options: dict[str, Any]) -> None:
        self._table = TableSceneBuilder(self, robot_init_qpos_noise=_ROBOT_NOISE)
        self._table.build()
        self._goal = actors.build_sphere(
            self.scene,
            radius=_GOAL_RADIUS,
            color=[0, 1, 0, 1],
            name="goal",
            body_type="kinematic",
            add_collision=False,
            initial_pose=sapien.Pose(),
        )
        self._hidden_objects.append(self._goal)

    def _initialize_episode(self, env_idx: torch.Tensor, options: dict[str, Any]) -> None:
        self._table.initialize(env_idx)
        plane = (torch.rand(len(env_idx), 2) * 2 - 1) * _GOAL_HALF_RANGE
        height = torch.rand(len(env_idx), 1) * _GOAL_MAX_HEIGHT
        self._goal.set_pose(Pose.create_from_pq(torch.cat([plane, height], dim=1)))

    def _to_goal(self) -> torch.Tensor:
        """Goal minus gripper point, shape (1, 3), in metres."""
        offset: torch.Tensor = self._goal.pose.p - self.agent.tcp.pose.p
        return offset

    def evaluate(self) -> dict[str, torch.Tensor]:
        """Distance from the goal in metres, and success; each of shape (1,)."""
        distance = torch.linalg.norm(self._to_goal(), dim=1)
        return {"distance": distance, "success": distance <= _GOAL_RADIUS}

    def _get_obs_extra(self, info: dict[str, Any]) -> dict[str, torch.Tensor]:
        return {"tcp_pose": self.agent.tcp.pose.raw_pose, "goal": self._goal.pose.p, "to_goal": self._to_goal()}

    def compute_normalized_dense_reward(self, obs: Any, action: torch.Tensor, info: dict[str, Any]) -> torch.Tensor:
        """Reward of one control step, shape (1,), in (0, 2]."""
        success: torch.Tensor = info["success"]
        return 1 + success.float() - torch.tanh(5 * info["distance"])
