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
) -> None:
    """Evaluate the random agent on three tasks and write results, a plot and a video."""
    made = run_quickstart(out)
    print_scores(made.results)
    typer.echo(f"results: {made.results_file}\nplot:    {made.plot_file}\nvideo:   {made.video_file}")
