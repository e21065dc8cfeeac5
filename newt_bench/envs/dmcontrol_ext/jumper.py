"""A round body on two springy legs."""

from __future__ import annotations

from typing import Any

from dm_control.rl import control
from dm_control.utils import containers

from newt_bench.envs.dmcontrol_ext import radial
from newt_bench.envs.dmcontrol_ext.planar import environment

__all__ = ["LEGS", "SUITE"]

SUITE = containers.TaggedTasks()

#: Angles in degrees, clockwise from straight up.
LEGS = {"leg_0": 144, "leg_1": 216}


@SUITE.add()
def jump(random: Any = None) -> control.Environment:
    """The torso high."""
    return environment(radial.make_model(LEGS), radial.Jump(random))
