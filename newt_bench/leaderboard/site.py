"""Builds the leaderboard's static site: one page that needs nothing else, and the raw results beside it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from newt_bench.atomic import atomic_folder, recover_folder, write_text
from newt_bench.catalogue import tasks
from newt_bench.content import content_folder
from newt_bench.errors import InputError
from newt_bench.leaderboard.board import load_rows
from newt_bench.leaderboard.export import write_episodes
from newt_bench.leaderboard.page import Pictures, page_data, run_path
from newt_bench.leaderboard.ranking import boards
from newt_bench.progress import progress_bar

__all__ = ["Site", "build_site", "find_pictures", "render_page"]

#: The page's scripts, in the order in which they stand in it; they share one scope.
_SCRIPTS = ("dom", "state", "charts", "ranking", "domains", "profiles", "heatmap", "comparison", "details", "main")

_PAGE, _DATA, _TABLE, _RUNS, _PICTURES = "index.html", "data.json", "results.csv", "runs", "pictures"
_SUFFIXES = (".gif", ".png", ".webp")


@dataclasses.dataclass(frozen=True)
class Site:
    """What was built.

    Attributes:
        page: The page.
        rows: Number of submissions on it.
        pictures: Number of tasks with a picture.
    """

    page: Path
    rows: int
    pictures: int


def build_site(out: Path, folder: Path | None = None, pictures: Path | None = None, progress: bool = False) -> Site:
    """Builds the site from all submissions, or, where one of them is not in order, not at all.

    Args:
        out: Folder of the site. An older site in it is replaced once the new one is complete.
        folder: A folder laid out as `leaderboard/`; None for that of this release.
        pictures: A folder with pictures of tasks, see `find_pictures`.
        progress: Whether to show a progress bar, if standard error is a terminal.

    Returns:
        What was built.

    Raises:
        InputError: `out` holds something else than a site, or `pictures` holds no picture.
        LeaderboardError: A submission or the trust file is not in order.
    """
    recover_folder(out)
    _check_out(out)
    found = find_pictures(pictures) if pictures else {}
    rows = load_rows(folder)
    made = boards(rows)
    with progress_bar(progress, len(made), "boards") as advance:
        data = page_data(made, found, advance)
    with atomic_folder(out) as site:
        write_text(site / _PAGE, render_page(data))
        write_text(site / _DATA, json.dumps(data, allow_nan=False))
        write_episodes(rows, site / _TABLE)
        for row in rows:
            row.submission.save(site / run_path(row))
        for task, files in found.items():
            for suffix, path in files.items():
                (site / _PICTURES).mkdir(exist_ok=True)
                shutil.copyfile(path, site / _PICTURES / f"{task}.{suffix}")
    return Site(out / _PAGE, len(rows), len(found))


def _check_out(out: Path) -> None:
    """Refuses to replace a folder that is no site."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out} is a file; name a folder for the site")
    others = sorted({path.name for path in out.iterdir()} - {_PAGE, _DATA, _TABLE, _RUNS, _PICTURES})
    if others:
        raise InputError(f"{out} holds {others[0]!r}, which is no part of a site; name a new or an empty folder")


def find_pictures(folder: Path) -> Pictures:
    """Finds pictures of tasks: stills `<task>.png` or `<task>.webp`, clips `<task>.gif`, at any depth.

    That is how `newt-bench gallery` writes them. Of a still in both formats, the page shows the PNG.

    Returns:
        Files by task and suffix without the dot.

    Raises:
        InputError: There is none.
    """
    known = set(tasks().names)
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in _SUFFIXES and path.stem in known and path.is_file():
            found.setdefault(path.stem, {})[path.suffix.removeprefix(".")] = path
    if not found:
        raise InputError(
            f"{folder} holds no picture of a task, such as walker-run.png, walker-run.webp or walker-run.gif"
        )
    return found


def render_page(data: Mapping[str, Any]) -> str:
    """The page with its style, scripts and data inside, so that it works from a file and fetches nothing.

    A content security policy admits the style and the script by their hashes and nothing else, so that a text which
    became markup by mistake could still not run.
    """
    source = content_folder("leaderboard") / "site"
    style = (source / "style.css").read_text(encoding="utf-8")
    script = "\n".join((source / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        # Firefox does not take a page that was opened from a file for 'self'.
        "img-src 'self' file: data:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    parts = {
        "policy": html.escape(policy),
        "style": style,
        "script": script,
        "data": _inert(json.dumps(data, allow_nan=False)),
        "version": html.escape(str(data["version"])),
    }
    template = (source / _PAGE).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inert(document: str) -> str:
    """JSON that stays JSON within HTML, whatever its texts hold, such as the end of a script."""
    for character in "<>&":
        document = document.replace(character, f"\\u{ord(character):04x}")
    return document
