"""The suite's pendulum: spinning."""

from __future__ import annotations

from typing import Any

from dm_control.rl import control
from dm_control.suite import pendulum as suite
from dm_control.utils import containers

from newt_bench.envs.dmcontrol_ext.shaping import fast

__all__ = ["SUITE", "Spin"]

SUITE = containers.TaggedTasks()

_TIME_LIMIT = 20  # seconds
_SPIN_SPEED = 9  # radians per second


@SUITE.add()
def spin(random: Any = None) -> control.Environment:
    """Round and round, either way."""
    physics = suite.Physics.from_xml_string(*suite.get_model_and_assets())
    return control.Environment(physics, Spin(random), time_limit=_TIME_LIMIT)


class Spin(suite.SwingUp):
    """Turns the pole, from anywhere at rest."""

    def get_reward(self, physics: suite.Physics) -> float:
        """Proportional to the angular speed."""
        return fast(abs(physics.angular_velocity().item()), _SPIN_SPEED)
