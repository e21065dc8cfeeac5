"""The leaderboard's own page, as a folder of the site."""

from __future__ import annotations

from pathlib import Path

from newt_bench.leaderboard import build_site

__all__ = ["link_to_board", "write_board"]

_FOLDER = "board"


def link_to_board(text: str) -> str:
    """The text of `leaderboard.md` with a link to the page under its title.

    Only the site has that page: a link in the file would lead nowhere in the repository. It is HTML, for Sphinx knows
    no page of that name.
    """
    title, rest = text.split("\n", 1)
    return f'{title}\n\n<p><a class="board" href="{_FOLDER}/index.html">Open the leaderboard</a></p>\n{rest}'


def write_board(site: Path, docs: Path) -> None:
    """Builds the page from all submissions of this release, with the stills that are kept with the site."""
    build_site(site / _FOLDER, docs.parent / "leaderboard", docs / "stills")
