"""A round body with five springy limbs all around, or four of them."""

from __future__ import annotations

from typing import Any

from dm_control.rl import control
from dm_control.suite import cheetah
from dm_control.utils import containers

from newt_bench.envs.dmcontrol_ext import radial
from newt_bench.envs.dmcontrol_ext.planar import Physics, environment
from newt_bench.envs.dmcontrol_ext.shaping import fast

__all__ = ["FIVE_LIMBS", "FOUR_LIMBS", "SUITE", "Spin"]

SUITE = containers.TaggedTasks()

#: Angles in degrees, clockwise from straight up.
FIVE_LIMBS = {f"limb_{i}": 72 * i for i in range(5)}
#: The same with the last one missing, so that the body is lopsided.
FOUR_LIMBS = {f"limb_{i}": 72 * i for i in range(4)}

_SPEED = 8  # metres per second
_ANGULAR_MOMENTUM = 8  # kg m^2/s


@SUITE.add()
def spin(random: Any = None) -> control.Environment:
    """Rolls forward."""
    return environment(radial.make_model(FIVE_LIMBS), Spin(1, random))


@SUITE.add()
def spin_backward(random: Any = None) -> control.Environment:
    """Rolls backward."""
    return environment(radial.make_model(FIVE_LIMBS), Spin(-1, random))


@SUITE.add()
def jump(random: Any = None) -> control.Environment:
    """The torso high."""
    return environment(radial.make_model(FIVE_LIMBS), radial.Jump(random))


@SUITE.add()
def spin_four(random: Any = None) -> control.Environment:
    """Rolls forward on four limbs."""
    return environment(radial.make_model(FOUR_LIMBS), Spin(1, random))


@SUITE.add()
def spin_backward_four(random: Any = None) -> control.Environment:
    """Rolls backward on four limbs."""
    return environment(radial.make_model(FOUR_LIMBS), Spin(-1, random))


@SUITE.add()
def jump_four(random: Any = None) -> control.Environment:
    """The torso high, with four limbs."""
    return environment(radial.make_model(FOUR_LIMBS), radial.Jump(random))


class Spin(cheetah.Cheetah):
    """Rolls along the ground.

    Args:
        direction: 1 towards +x, -1 the other way.
        random: See the suite's `base.Task`.
    """

    def __init__(self, direction: int, random: Any = None) -> None:
        super().__init__(random=random)
        self._direction = direction

    def get_reward(self, physics: Physics) -> float:
        """Two fifths for turning, three for travelling."""
        turning = fast(self._direction * physics.angular_momentum(), _ANGULAR_MOMENTUM)
        travelling = fast(self._direction * physics.speed(), _SPEED)
        return (2 * turning + 3 * travelling) / 5
