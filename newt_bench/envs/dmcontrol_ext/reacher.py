"""The suite's reacher with more links."""

from __future__ import annotations

from typing import Any

from dm_control.rl import control
from dm_control.suite import common
from dm_control.suite import reacher as suite
from dm_control.utils import containers
from lxml import etree

from newt_bench.envs.dmcontrol_ext.models import suite_model

__all__ = ["SUITE", "make_model"]

SUITE = containers.TaggedTasks()

_TIME_LIMIT = 20  # seconds
_BIG_TARGET = 0.05  # metres
_SMALL_TARGET = 0.015

_THREE_LINKS = 0.09  # length of each, in metres
_JOINT_RANGE = "-80 80"  # degrees


@SUITE.add()
def three_easy(random: Any = None) -> control.Environment:
    """Three links, large target."""
    return _environment(make_model(3, _THREE_LINKS), suite.Reacher(_BIG_TARGET, random))


@SUITE.add()
def three_hard(random: Any = None) -> control.Environment:
    """Three links, small target."""
    return _environment(make_model(3, _THREE_LINKS), suite.Reacher(_SMALL_TARGET, random))


def _environment(model: Any, task: suite.Reacher) -> control.Environment:
    physics = suite.Physics.from_xml_string(etree.tostring(model), common.ASSETS)
    return control.Environment(physics, task, time_limit=_TIME_LIMIT)


def make_model(n_links: int, link_length: float) -> Any:
    """The suite's reacher with `n_links` equal links, the last of which is the hand.

    Links `arm0`, `arm1`, ... turn at `shoulder0`, `shoulder1`, ..., and only the first of these joints is unlimited.
    The hand keeps the suite's capsule of 0.1 m, which is longer than the link and looks out behind the finger.

    Args:
        n_links: At least 2.
        link_length: In metres.
    """
    model = suite_model("reacher.xml")
    end = f"{link_length} 0 0"
    arm, hand, actuator = (model.find(path) for path in (".//body[@name='arm']", ".//body[@name='hand']", "actuator"))
    arm.set("name", "arm0")
    arm.find("joint").set("name", "shoulder0")
    arm.find("geom").attrib.update({"name": "arm0", "fromto": f"0 0 0 {end}"})
    actuator.find("motor").attrib.update({"name": "shoulder0", "joint": "shoulder0"})
    for i in range(1, n_links - 1):
        arm = etree.SubElement(arm, "body", name=f"arm{i}", pos=end)
        etree.SubElement(arm, "joint", name=f"shoulder{i}", limited="true", range=_JOINT_RANGE)
        etree.SubElement(
            arm, "geom", name=f"arm{i}", type="capsule", fromto=f"0 0 0 {end}", size=".01", material="self"
        )
        actuator.insert(i, etree.Element("motor", name=f"shoulder{i}", joint=f"shoulder{i}"))
    arm.append(hand)  # takes it from where it was
    hand.set("pos", end)
    hand.find("joint").set("range", _JOINT_RANGE)
    hand.find("body").set("pos", end)
    return model
