"""`newt-bench gallery`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newt_bench.catalogue import tasks
from newt_bench.cli.options import SplitOption
from newt_bench.gallery import make_gallery


def draw_gallery(
    out: Annotated[Path, typer.Option(help="Folder for a contact sheet per domain and a picture per task.")],
    domain: Annotated[list[str] | None, typer.Option(help="Only this domain; repeat for several.")] = None,
    split: SplitOption = None,
    steps: Annotated[int, typer.Option(help="Random steps before each picture.")] = 20,
    clips: Annotated[int, typer.Option(help="Random steps of a GIF per task; 0 makes none.")] = 0,
    size: Annotated[int, typer.Option(help="Height and width in pixels.", min=16, max=2048)] = 224,
    file_format: Annotated[
        str, typer.Option("--format", help="Of the pictures: png, or webp for small files.")
    ] = "png",
    sheets: Annotated[bool, typer.Option(help="Whether to make contact sheets.")] = True,
) -> None:
    """Draw a picture of every task, and a contact sheet per domain."""
    chosen = tasks(domain=domain or None, split=split)  # type: ignore[arg-type]
    gallery = make_gallery(chosen, out, steps, clips=clips, size=size, suffix=f".{file_format}", sheets=sheets)
    for sheet in gallery.sheets:
        typer.echo(f"wrote {sheet}")
    for name, reason in gallery.failures.items():
        typer.echo(f"{name}: {reason}", err=True)
    raise typer.Exit(1 if gallery.failures else 0)
