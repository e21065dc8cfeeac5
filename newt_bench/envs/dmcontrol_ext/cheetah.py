"""The suite's cheetah: running backward or on one leg, and jumping."""

from __future__ import annotations

from typing import Any

from dm_control.rl import control
from dm_control.suite import cheetah as suite
from dm_control.utils import containers, rewards

from newt_bench.envs.dmcontrol_ext.models import suite_model
from newt_bench.envs.dmcontrol_ext.planar import Physics, environment
from newt_bench.envs.dmcontrol_ext.shaping import fast, high

__all__ = ["SUITE", "Backward", "Jump", "OneLegged"]

SUITE = containers.TaggedTasks()

_BACKWARD_SPEED = 8  # metres per second
_ONE_LEGGED_SPEED = 6
_DRIFT_SPEED = 0.5  # either way, while jumping
_HIGH = 1.2  # metres

# Reaches far behind the start, where the suite's is drawn for 2 metres only.
_GROUND_SIZE = "200 .8 .5"


@SUITE.add()
def run_backward(random: Any = None) -> control.Environment:
    """Backward, however it looks."""
    return environment(_model(), Backward(random))


@SUITE.add()
def run_front(random: Any = None) -> control.Environment:
    """Forward on the front leg, the hind foot in the air."""
    return environment(_model(), OneLegged("bfoot", random))


@SUITE.add()
def run_back(random: Any = None) -> control.Environment:
    """Forward on the hind leg, the front foot in the air."""
    return environment(_model(), OneLegged("ffoot", random))


@SUITE.add()
def jump(random: Any = None) -> control.Environment:
    """Torso and feet high, without travelling."""
    return environment(_model(), Jump(random))


def _model() -> Any:
    model = suite_model("cheetah.xml")
    model.find(".//geom[@name='ground']").set("size", _GROUND_SIZE)
    return model


class Backward(suite.Cheetah):
    """Runs backward."""

    def get_reward(self, physics: Physics) -> float:
        """Proportional to the speed."""
        return fast(-physics.speed(), _BACKWARD_SPEED)


class OneLegged(suite.Cheetah):
    """Runs forward with one foot and the torso lifted.

    Args:
        lifted: `bfoot` or `ffoot`, whose frame is at the ankle.
        random: See the suite's `base.Task`.
    """

    def __init__(self, lifted: str, random: Any = None) -> None:
        super().__init__(random=random)
        self._lifted = lifted

    def get_reward(self, physics: Physics) -> float:
        """A sixth for the pose, the rest for pose and speed."""
        pose = (3 * high(physics.height(self._lifted), _HIGH) + 2 * high(physics.height("torso"), _HIGH)) / 5
        return pose * (5 * fast(physics.speed(), _ONE_LEGGED_SPEED) + 1) / 6


class Jump(suite.Cheetah):
    """Lifts torso and feet. Standing on one leg pays well too: the two feet are paid one by one."""

    def get_reward(self, physics: Physics) -> float:
        """Five sixths for height, the rest for staying in place."""
        torso = physics.height("torso")
        feet = [physics.height("bfoot"), physics.height("ffoot")]
        lifted = sum(high((torso + foot) / 2, _HIGH) for foot in feet) / 2
        bounds = (-_DRIFT_SPEED, _DRIFT_SPEED)
        still = rewards.tolerance(physics.speed(), bounds, margin=_DRIFT_SPEED, value_at_margin=0, sigmoid="linear")
        return float(5 * lifted + still) / 6
