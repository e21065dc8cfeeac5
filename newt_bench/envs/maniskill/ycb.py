"""Environments with one object of the YCB set (Calli et al., arXiv 1502.03143), the same in every episode."""

from __future__ import annotations

from typing import Any

import numpy as np
import sapien
import torch
from mani_skill.envs.tasks.tabletop.pick_single_ycb import PickSingleYCBEnv
from mani_skill.envs.tasks.tabletop.push_cube import PushCubeEnv
from mani_skill.utils.building import actors
from mani_skill.utils.building.actors import ycb
from mani_skill.utils.scene_builder.table import TableSceneBuilder

__all__ = ["PickOneYCBEnv", "PushYCBEnv"]

_TABLE_CONTACT = 0.005  # metres above its resting height up to which an object counts as on the table


class PickOneYCBEnv(PickSingleYCBEnv):  # type: ignore[misc]
    """The stock environment with one object in place of a random one. No other object's files are read.

    Args:
        *args: As the stock environment.
        model_id: YCB id, such as `013_apple`.
        **kwargs: As the stock environment.
    """

    def __init__(self, *args: Any, model_id: str, **kwargs: Any) -> None:
        self._only_model = model_id
        super().__init__(*args, **kwargs)

    def _load_scene(self, options: dict[str, Any]) -> None:
        self.all_model_ids = np.array([self._only_model])
        super()._load_scene(options)


class PushYCBEnv(PushCubeEnv):  # type: ignore[misc]
    """The stock pushing environment with an object of the YCB set in place of the cube.

    The stock formulas stay, with 0.04 for the cube's half size: it is the height at which the object
    appears and falls from, the one it should keep, and how far behind it the hand should be.

    Args:
        *args: As the stock environment.
        model_id: YCB id, such as `013_apple`.
        settled_height: Whether success asks for the object's own resting height (its half height, plus 0.005 m)
            instead of 0.045 m, above which an upright can lies forever.
        **kwargs: As the stock environment.
    """

    cube_half_size = 0.04

    def __init__(self, *args: Any, model_id: str, settled_height: bool = False, **kwargs: Any) -> None:
        self._model = model_id
        self._settled_height = settled_height
        super().__init__(*args, **kwargs)

    def _load_scene(self, options: dict[str, Any]) -> None:
        self.table_scene = TableSceneBuilder(self, robot_init_qpos_noise=self.robot_init_qpos_noise)
        self.table_scene.build()
        builder = actors.get_actor_builder(self.scene, id=f"ycb:{self._model}")
        builder.initial_pose = sapien.Pose(p=[0, 0, self.cube_half_size])
        self.obj = builder.build(name=self._model)
        self.goal_region = actors.build_red_white_target(
            self.scene,
            radius=self.goal_radius,
            thickness=1e-5,
            name="goal_region",
            body_type="kinematic",
            add_collision=False,
            initial_pose=sapien.Pose(p=[0, 0, 1e-3]),
        )

    def evaluate(self) -> dict[str, torch.Tensor]:
        """Success, shape (1,): the object's centre is over the target, and low enough."""
        if not self._settled_height:
            stock: dict[str, torch.Tensor] = super().evaluate()
            return stock
        position = self.obj.pose.p
        offset = torch.linalg.norm(position[:, :2] - self.goal_region.pose.p[:, :2], dim=1)
        return {
            "success": (offset < self.goal_radius) & (position[:, 2] < _resting_height(self._model) + _TABLE_CONTACT)
        }


def _resting_height(model: str) -> float:
    """Height of an object's centre when it stands on the table as its model does, in metres."""
    metadata = ycb.YCB_DATASET["model_data"][model]
    return float(-metadata["bbox"]["min"][2] * metadata["scales"][0])
