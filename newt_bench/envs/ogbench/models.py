"""Robots of OGBench in surroundings of our own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

__all__ = ["Geometry", "add", "add_target", "make_robot"]

Geometry = ET.Element


def make_robot(robot_class: Any, furnish: Callable[[Geometry], None], **arguments: Any) -> Any:
    """Builds a robot environment whose model has been changed.

    Args:
        robot_class: One of OGBench's, with the attribute `xml_file`.
        furnish: Changes the model's `worldbody` in place.
        **arguments: For the constructor of `robot_class`.
    """
    tree = ET.parse(robot_class.xml_file)  # noqa: S314 (OGBench's own file)
    world = tree.find("worldbody")
    assert world is not None
    furnish(world)
    # Gymnasium reads models from files only, and reads them at once.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        tree.write(path)
        return robot_class(xml_file=str(path), **arguments)


def add(parent: Geometry, kind: str, **attributes: object) -> Geometry:
    """Adds an element; tuples become MuJoCo's lists of numbers."""
    values = {
        name: " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for name, value in attributes.items()
    }
    return ET.SubElement(parent, kind, values)


def add_target(world: Geometry, radius: float) -> None:
    """Adds the flat disc that shows the goal: the geom `target`, which touches nothing."""
    add(
        world,
        "geom",
        name="target",
        type="cylinder",
        size=(radius, 0.05),
        pos=(0, 0, 0.05),
        material="target",
        contype=0,
        conaffinity=0,
    )
