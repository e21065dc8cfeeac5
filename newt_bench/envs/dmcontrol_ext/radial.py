"""The family of round bodies with springy limbs in a vertical plane: the jumper and the spinners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dm_control.suite import cheetah
from lxml import etree

from newt_bench.envs.dmcontrol_ext.models import own_model
from newt_bench.envs.dmcontrol_ext.planar import Physics
from newt_bench.envs.dmcontrol_ext.shaping import high

__all__ = ["Jump", "make_model"]

_LIMB_LENGTH = 0.566  # metres
_JUMP_HEIGHT = 1.5


def make_model(limbs: Mapping[str, float]) -> Any:
    """Puts limbs on the torso of `radial.xml`, in the order of joints and motors.

    The limbs touch one another in the hub for good, which moves nothing.

    Args:
        limbs: Angles in degrees by name; 0 points up, 90 forward.
    """
    model = own_model("radial.xml")
    torso, actuator = model.find(".//body[@name='torso']"), model.find("actuator")
    for name, angle in limbs.items():
        limb = etree.SubElement(torso, "body", name=name, childclass="limb", euler=f"0 {angle} 0")
        etree.SubElement(limb, "joint", name=name)
        etree.SubElement(limb, "geom", type="capsule", fromto=f"0 0 0 0 0 {_LIMB_LENGTH}", size=".052")
        etree.SubElement(limb, "geom", type="sphere", pos=f"0 0 {_LIMB_LENGTH}", size=".078")
        etree.SubElement(actuator, "motor", name=name, joint=name)
    return model


class Jump(cheetah.Cheetah):
    """Lifts the torso. On its limbs the body stands a third as high as is enough."""

    def get_reward(self, physics: Physics) -> float:
        """For the torso's height."""
        return high(physics.height("torso"), _JUMP_HEIGHT)
