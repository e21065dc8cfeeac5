"""What the bodies that run, jump or roll in a vertical plane have in common with the suite's cheetah."""

from __future__ import annotations

from typing import Any

from dm_control.rl import control
from dm_control.suite import base, cheetah, common
from lxml import etree

__all__ = ["Physics", "environment"]

_TIME_LIMIT = 10  # seconds


def environment(model: Any, task: base.Task) -> control.Environment:
    """An environment of such a body, with one control step per physics step.

    Args:
        model: Root element of its MJCF, with a body `torso` and its joints `rootx`, `rootz`, `rooty` first.
        task: Most derive from the suite's `Cheetah`, which starts an episode with all limbs at random, lets the body
            come to rest, and observes positions without `rootx` and all velocities.
    """
    physics = Physics.from_xml_string(etree.tostring(model), common.ASSETS)
    return control.Environment(physics, task, time_limit=_TIME_LIMIT)


class Physics(cheetah.Physics):
    """Measures of a planar body."""

    def height(self, body: str) -> float:
        """Height of the origin of a part's frame, in metres."""
        return float(self.named.data.xpos[body, "z"])

    def angular_momentum(self) -> float:
        """Of the whole body about its centre of mass, in kg m^2/s; positive when rolling towards +x.

        MuJoCo keeps it up to date for models with a `subtreelinvel` sensor only.
        """
        return float(self.named.data.subtree_angmom["torso", "y"])
