"""Finds the content folders (`tasks`, `demos`, `baselines`, `leaderboard`).

An installed wheel carries them inside the package, under `_content/`. A source checkout and an editable
install have them beside the package. Nothing depends on the current directory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from newt_bench.errors import NewtBenchError

__all__ = ["ContentFolder", "content_folder"]

ContentFolder = Literal["tasks", "demos", "baselines", "leaderboard"]

_PACKAGE = Path(__file__).resolve().parent


def content_folder(name: ContentFolder) -> Path:
    """Returns the path of one content folder.

    Args:
        name: One of `tasks`, `demos`, `baselines`, `leaderboard`.

    Returns:
        An existing directory: inside the installed package if it is there, else beside the package.

    Raises:
        NewtBenchError: The installation is incomplete.
    """
    candidates = (_PACKAGE / "_content" / name, _PACKAGE.parent / name)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise NewtBenchError(
        f"The content folder '{name}' is missing from this installation (looked in {candidates[0]} and "
        f"{candidates[1]}); reinstall with: pip install --force-reinstall newt-bench"
    )
