"""The suite's hopper: hopping backward."""

from __future__ import annotations

from typing import Any

from dm_control.rl import control
from dm_control.suite import hopper as suite
from dm_control.utils import containers, rewards

from newt_bench.envs.dmcontrol_ext.shaping import fast

__all__ = ["SUITE", "Backward"]

SUITE = containers.TaggedTasks()

_TIME_LIMIT = 20  # seconds
_CONTROL_TIMESTEP = 0.02  # seconds
_HOP_SPEED = 1  # metres per second
_STAND_HEIGHTS = (0.6, 2)  # of the torso above the foot, in metres


@SUITE.add()
def hop_backward(random: Any = None) -> control.Environment:
    """Backward, the torso above the foot."""
    physics = suite.Physics.from_xml_string(*suite.get_model_and_assets())
    return control.Environment(physics, Backward(random), time_limit=_TIME_LIMIT, control_timestep=_CONTROL_TIMESTEP)


class Backward(suite.Hopper):
    """Hops backward."""

    def __init__(self, random: Any = None) -> None:
        super().__init__(hopping=False, random=random)

    def get_reward(self, physics: suite.Physics) -> float:
        """Proportional to the speed, while the torso is above the foot."""
        standing = rewards.tolerance(physics.height(), bounds=_STAND_HEIGHTS)
        return float(standing * fast(-physics.speed(), _HOP_SPEED))
