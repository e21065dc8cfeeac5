"""Pages that are made while the site is built: of tasks, of the command line, of platforms, of the leaderboard.

They are written to `docs/tasks/` and `docs/generated/`, which git ignores, before Sphinx looks for sources. The
leaderboard's page is none of Sphinx's: it is written into the site that Sphinx made.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes

from site_pages import command_line, platforms, task_pages
from site_pages.board import link_to_board, write_board
from site_pages.writing import REPOSITORY, Writer

__all__ = ["setup"]

#: A link out of `docs/`, to a file of the repository.
_OUTWARD = re.compile(r"\]\((?:\.\./)+([^)\s]+)\)")


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", lead_outward_links_to_the_repository)
    app.connect("source-read", lead_to_the_board)
    app.connect("doctree-read", link_no_words)
    app.connect("doctree-read", load_pictures_in_sight)
    app.connect("autodoc-process-docstring", protect_code_of_properties, priority=400)  # before Napoleon's, at 500
    app.connect("build-finished", add_board)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(app: Any) -> None:
    """Writes all pages; those that did not change keep their times, so that Sphinx need not read them again."""
    docs = Path(app.srcdir)
    for folder, write in (
        (docs / "tasks", task_pages.write),
        (docs / "generated", command_line.write),
        (docs / "generated", platforms.write),
    ):
        write(Writer(folder), docs)


def protect_code_of_properties(app: Any, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    """Doubles the backticks in what properties say: Napoleon takes a colon in `egl: a driver` for the end of a type."""
    if what in ("property", "attribute"):
        lines[:] = [re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line) for line in lines]


def link_no_words(app: Any, doctree: Any) -> None:
    """Leaves out what Sphinx takes for references: lower-case words in the types of docstrings, such as `bytes`.

    It would link them to any attribute of that name. Types of this project are capitalised.
    """
    for reference in list(doctree.findall(addnodes.pending_xref)):
        if reference.get("refdomain") == "py" and re.fullmatch(r"[a-z_0-9]+", reference["reftarget"]):
            reference.replace_self(reference.children)


def load_pictures_in_sight(app: Any, doctree: Any) -> None:
    """Lets a reader's browser load the gallery's hundreds of pictures as they come into sight."""
    for image in doctree.findall(nodes.image):
        image["loading"] = "lazy"


def lead_outward_links_to_the_repository(app: Any, page: str, source: list[str]) -> None:
    """Links from a page to files of the repository that are not part of the site go to the repository.

    In the repository they are relative, so that they work there, too.
    """
    docs = Path(app.srcdir)
    here = (docs / page).parent

    def target(match: re.Match[str]) -> str:
        path = (here / match[0][2:-1]).resolve()
        if docs.resolve() in path.parents:
            return match[0]
        return f"]({REPOSITORY}/blob/main/{path.relative_to(docs.parent.resolve()).as_posix()})"

    source[0] = _OUTWARD.sub(target, source[0])


def lead_to_the_board(app: Any, page: str, source: list[str]) -> None:
    """Links the leaderboard's rules to its page."""
    if page == "leaderboard":
        source[0] = link_to_board(source[0])


def add_board(app: Any, failure: Exception | None) -> None:
    """Adds the leaderboard's page to a site that was built."""
    if failure is None and app.builder.format == "html":
        write_board(Path(app.outdir), Path(app.srcdir))
