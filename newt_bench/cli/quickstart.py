"""`newt-bench quickstart`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newt_bench.cli.evaluate import print_scores
from newt_bench.quickstart import run_quickstart


def first_run(
    out: Annotated[Path, typer.Option(help="Folder for the files; an earlier quickstart's are replaced.")] = Path(
        "quickstart"
    ),
    seed: Annotated[int, typer.Option(help="Seed of the run.")] = 0,
    steps: Annotated[int | None, typer.Option(help="Environment steps. Default: those of the recipe.")] = None,
) -> None:
    """Train Newt on a small game: scores, learning curve, videos before and after. Ctrl-C saves; repeat to go on."""
    try:
        made = run_quickstart(out, seed=seed, steps=steps)
    except KeyboardInterrupt:
        typer.echo("interrupted; run the same command again to go on", err=True)
        raise typer.Exit(130) from None
    print_scores(made.run.results)
    typer.echo(
        f"results: {made.run.folder / 'results.json'}\ncurve:   {made.run.folder / 'curves.png'}\n"
        f"before:  {made.before}\nafter:   {made.after}\nagent:   {made.run.checkpoint}"
    )
