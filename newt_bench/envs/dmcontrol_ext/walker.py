"""The suite's planar walker: backward gaits, gymnastics, and gaits on a slope."""

from __future__ import annotations

from typing import Any

from dm_control.rl import control
from dm_control.suite import base, common
from dm_control.suite import walker as suite
from dm_control.utils import containers
from lxml import etree

from newt_bench.envs.dmcontrol_ext.models import suite_model
from newt_bench.envs.dmcontrol_ext.shaping import fast, high, low

__all__ = ["SUITE", "Arabesque", "Backward", "Headstand", "LegsUp", "LieDown", "Physics", "Standing"]

SUITE = containers.TaggedTasks()

_TIME_LIMIT = 25  # seconds
_CONTROL_TIMESTEP = 0.025  # seconds

_WALK_SPEED = 1  # metres per second
_RUN_SPEED = 8

# Metres. The gymnastics pay for a torso, hips or a foot at the first height, and for both feet at the second.
_HIGH = 1.0
_FEET_HIGH = 1.1
_LYING = 0.08

# Reaches far behind the start, where the suite's is drawn for 2 metres only.
_FLOOR_SIZE = "500 .8 .2"
# Sine of 8 and cosine of 5 degrees, no unit vector: the published slope is one of 7.95 degrees.
_SLOPE_NORMAL = "-.139173 0 .996195"


@SUITE.add()
def walk_backward(random: Any = None) -> control.Environment:
    """Upright, backward at walking speed."""
    return _environment(_level(), Backward(_WALK_SPEED, random))


@SUITE.add()
def run_backward(random: Any = None) -> control.Environment:
    """Upright, backward at running speed."""
    return _environment(_level(), Backward(_RUN_SPEED, random))


@SUITE.add()
def stand_incline(random: Any = None) -> control.Environment:
    """The suite's `stand` on a slope."""
    return _environment(_incline(), suite.PlanarWalker(0, random))


@SUITE.add()
def walk_incline(random: Any = None) -> control.Environment:
    """The suite's `walk` up a slope."""
    return _environment(_incline(), suite.PlanarWalker(_WALK_SPEED, random))


@SUITE.add()
def run_incline(random: Any = None) -> control.Environment:
    """The suite's `run` up a slope."""
    return _environment(_incline(), suite.PlanarWalker(_RUN_SPEED, random))


@SUITE.add()
def arabesque(random: Any = None) -> control.Environment:
    """On the left foot, the right one lifted, the torso high and pitched over."""
    return _environment(_level(), Arabesque(random))


@SUITE.add()
def lie_down(random: Any = None) -> control.Environment:
    """Torso and hips on the floor."""
    return _environment(_level(), LieDown(random))


@SUITE.add()
def legs_up(random: Any = None) -> control.Environment:
    """Torso and hips on the floor, feet in the air."""
    return _environment(_level(), LegsUp(random))


@SUITE.add()
def headstand(random: Any = None) -> control.Environment:
    """Hips and feet in the air."""
    return _environment(_level(), Headstand(random))


def _level() -> Any:
    model = suite_model("walker.xml")
    model.find(".//geom[@name='floor']").set("size", _FLOOR_SIZE)
    return model


def _incline() -> Any:
    """The floor rises towards +x, through the point under the start."""
    model = _level()
    model.find(".//geom[@name='floor']").attrib.update({"pos": "0 0 0", "zaxis": _SLOPE_NORMAL})
    return model


def _environment(model: Any, task: base.Task) -> control.Environment:
    physics = Physics.from_xml_string(etree.tostring(model), common.ASSETS)
    return control.Environment(physics, task, time_limit=_TIME_LIMIT, control_timestep=_CONTROL_TIMESTEP)


class Physics(suite.Physics):
    """The walker, with the heights of its parts in metres above the origin; on a slope too."""

    def left_foot_height(self) -> float:
        """Height of the left foot's middle."""
        return self._height("left_foot")

    def right_foot_height(self) -> float:
        """Height of the right foot's middle."""
        return self._height("right_foot")

    def feet_height(self) -> float:
        """Mean height of the feet."""
        return (self.left_foot_height() + self.right_foot_height()) / 2

    def hips_height(self) -> float:
        """Mean height of the hip joints."""
        return (self._height("left_thigh") + self._height("right_thigh")) / 2

    def pitched_over(self) -> float:
        """0 for an upright torso, 0.5 for a horizontal, 1 for an inverted one."""
        return float((1 - self.torso_upright()) / 2)

    def _height(self, body: str) -> float:
        return float(self.named.data.xpos[body, "z"])


class Standing(suite.PlanarWalker):
    """The suite's walker, paid for an upright torso at standing height. The tasks below build on its start."""

    def __init__(self, random: Any = None) -> None:
        super().__init__(move_speed=0, random=random)


class Backward(Standing):
    """Moves backward, upright.

    Args:
        speed: Enough for the full reward, in metres per second.
        random: See the suite's `base.Task`.
    """

    def __init__(self, speed: float, random: Any = None) -> None:
        super().__init__(random)
        self._speed = speed

    def get_reward(self, physics: Physics) -> float:
        """A sixth for standing, the rest for standing and moving."""
        moving = fast(-physics.horizontal_velocity(), self._speed)
        return float(super().get_reward(physics) * (5 * moving + 1) / 6)


class Arabesque(Standing):
    """Balances on the left foot, the right one lifted, the torso high and pitched over."""

    def get_reward(self, physics: Physics) -> float:
        """Half for the torso's height, a sixth each for its pitch and the feet."""
        torso = high(physics.torso_height(), _HIGH)
        left_foot = low(physics.left_foot_height(), _LYING, margin=_HIGH / 2)
        right_foot = high(physics.right_foot_height(), _HIGH)
        return (3 * torso + left_foot + right_foot + physics.pitched_over()) / 6


class LieDown(Standing):
    """Lies with torso and hips on the floor; the feet may be anywhere."""

    def get_reward(self, physics: Physics) -> float:
        """Three fifths for the torso's height, a fifth each for its pitch and the hips."""
        return (3 * _lying(physics.torso_height()) + _lying(physics.hips_height()) + physics.pitched_over()) / 5


class LegsUp(Standing):
    """Lies with torso and hips on the floor, the feet in the air."""

    def get_reward(self, physics: Physics) -> float:
        """Three sevenths for the torso's height, two for the feet, one each for the torso's pitch and the hips."""
        torso, hips = _lying(physics.torso_height()), _lying(physics.hips_height())
        feet = high(physics.feet_height(), _FEET_HIGH)
        return (3 * torso + 2 * feet + hips + physics.pitched_over()) / 7


class Headstand(Standing):
    """Stands on its head."""

    def get_reward(self, physics: Physics) -> float:
        """Three fifths for the feet, two for the hips."""
        return (3 * high(physics.feet_height(), _FEET_HIGH) + 2 * high(physics.hips_height(), _HIGH)) / 5


def _lying(height: float) -> float:
    return low(height, _LYING, margin=_LYING / 2)
