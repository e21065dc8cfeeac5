"""A two-legged giraffe: the cheetah's legs under a short torso, and a long neck that a motor moves."""

from __future__ import annotations

from typing import Any

from dm_control.rl import control
from dm_control.suite import cheetah
from dm_control.utils import containers

from newt_bench.envs.dmcontrol_ext.models import own_model
from newt_bench.envs.dmcontrol_ext.planar import Physics, environment
from newt_bench.envs.dmcontrol_ext.shaping import fast, high

__all__ = ["SUITE", "Run"]

SUITE = containers.TaggedTasks()

_RUN_SPEED = 10  # metres per second
_HEAD_UP = 0.5  # metres; half as high as it is at rest


@SUITE.add()
def run(random: Any = None) -> control.Environment:
    """Forward, the head up."""
    return environment(own_model("giraffe.xml"), Run(random))


class Run(cheetah.Cheetah):
    """Runs with the head up."""

    def get_reward(self, physics: Physics) -> float:
        """A quarter for the head, the rest for head and speed."""
        return high(physics.height("head"), _HEAD_UP) * (3 * fast(physics.speed(), _RUN_SPEED) + 1) / 4
