"""Finds and builds ManiSkill environments: its own by their registered names, and ours.

Ours are not added to any registry of ManiSkill or Gymnasium: a program may have its own of the same name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from mani_skill.envs.sapien_env import BaseEnv
from mani_skill.envs.tasks.tabletop.pick_cube import PickCubeEnv
from mani_skill.utils.registration import REGISTERED_ENVS

from newt_bench.envs.maniskill.cartpole import SparseCartpoleBalanceEnv, SparseCartpoleSwingUpEnv
from newt_bench.envs.maniskill.reach import ReachEnv
from newt_bench.envs.maniskill.ycb import PickOneYCBEnv, PushYCBEnv

__all__ = ["build"]


@dataclasses.dataclass(frozen=True)
class _Entry:
    """An environment class with the arguments that make it the named environment."""

    environment: type[BaseEnv]
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)


_XARM = {"robot_uids": "xarm6_robotiq"}
_OURS = {
    "MS-CartpoleBalanceSparse-v1": _Entry(SparseCartpoleBalanceEnv),
    "MS-CartpoleSwingUpSparse-v1": _Entry(SparseCartpoleSwingUpEnv),
    "PickCubexArm6-v1": _Entry(PickCubeEnv, _XARM),
    "PickSingleYCB-v1": _Entry(PickOneYCBEnv),
    "PushYCB-v1": _Entry(PushYCBEnv),
    "Reach-v1": _Entry(ReachEnv),
    "ReachxArm6-v1": _Entry(ReachEnv, _XARM),
}


def build(name: str, render_backend: str, settings: Mapping[str, Any]) -> BaseEnv:
    """Builds an environment of one scene on CPU physics, without any wrapper.

    ManiSkill's own `make` is avoided: where files are missing it asks on the terminal, and waits.

    Args:
        name: Name of the environment, such as `PickCube-v1`.
        render_backend: `gpu` or `cpu`.
        settings: Further arguments of the environment, such as `control_mode`.
    """
    entry = _OURS.get(name) or _Entry(REGISTERED_ENVS[name].cls, REGISTERED_ENVS[name].default_kwargs)
    return entry.environment(
        num_envs=1,
        obs_mode="state",
        reward_mode="normalized_dense",
        sim_backend="physx_cpu",
        render_backend=render_backend,
        **entry.arguments,
        **settings,
    )
