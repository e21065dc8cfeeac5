"""Imports ManiSkill, which fixes where it looks for downloaded files while it is being imported."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from newt_bench import assets
from newt_bench.envs.environment_variables import environment_variable, kept_environment
from newt_bench.envs.maniskill.guards import usual_torch

__all__ = ["asset_folder", "import_mani_skill"]


def import_mani_skill() -> None:
    """Imports ManiSkill, reading downloads from `assets.data_folder()`.

    If the program imported it before, it stays as it is, and so does its folder.
    """
    folder = assets.data_folder().parent
    with kept_environment(), environment_variable("MS_ASSET_DIR", str(folder)), usual_torch():
        importlib.import_module("mani_skill.envs")  # with it OpenCV, which sets variables for its windows


def asset_folder() -> Path:
    """Where the imported ManiSkill looks for downloaded files."""
    return Path(sys.modules["mani_skill"].ASSET_DIR)
