"""Reads MJCF: the suite's own models, and those that lie in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dm_control.suite import common
from lxml import etree

__all__ = ["own_model", "suite_model"]


def suite_model(filename: str) -> Any:
    """Root element of one of the suite's models, such as `walker.xml`."""
    return etree.fromstring(common.read_model(filename))


def own_model(filename: str) -> Any:
    """Root element of a model in this folder. It may include the suite's `common.ASSETS`."""
    return etree.fromstring((Path(__file__).parent / filename).read_bytes())
