"""`newt-bench leaderboard build`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newt_bench.cli.leaderboard import FolderOption
from newt_bench.leaderboard.site import build_site


def build_leaderboard(
    out: Annotated[Path, typer.Option(help="Folder of the site; an older site in it is replaced.")],
    pictures: Annotated[
        Path | None,
        typer.Option(help="Folder with pictures of tasks, <task>.png, .webp or .gif, as 'newt-bench gallery' makes."),
    ] = None,
    folder: FolderOption = None,
) -> None:
    """Build the static site: a page that works from a file, and all results as one CSV."""
    site = build_site(out, folder, pictures, progress=True)
    typer.echo(f"wrote {site.page}: {site.rows} submissions, {site.pictures} tasks with a picture")
