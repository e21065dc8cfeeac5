"""The suite's cart: balancing two poles, or a long one."""

from __future__ import annotations

from typing import Any

from dm_control.rl import control
from dm_control.suite import cartpole as suite
from dm_control.suite import common
from dm_control.utils import containers
from lxml import etree

from newt_bench.envs.dmcontrol_ext.models import suite_model

__all__ = ["SUITE"]

SUITE = containers.TaggedTasks()

_TIME_LIMIT = 10  # seconds


@SUITE.add()
def balance_two_poles_sparse(random: Any = None) -> control.Environment:
    """The suite's `balance_sparse` with a pole on the pole."""
    model, _ = suite.get_model_and_assets(num_poles=2)
    return _environment(model, random)


@SUITE.add()
def balance_long_sparse(random: Any = None) -> control.Environment:
    """The suite's `balance_sparse` with half as long a pole again, twice as heavy."""
    model = suite_model("cartpole.xml")
    model.find(".//default[@class='pole']/geom").attrib.update({"fromto": "0 0 0 0 0 1.5", "mass": ".2"})
    return _environment(etree.tostring(model), random)


def _environment(model: bytes, random: Any) -> control.Environment:
    physics = suite.Physics.from_xml_string(model, common.ASSETS)
    return control.Environment(physics, suite.Balance(swing_up=False, sparse=True, random=random), _TIME_LIMIT)
