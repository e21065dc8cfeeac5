"""`newt-bench curves`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from newt_bench.atomic import write_text
from newt_bench.cli.options import console
from newt_bench.training import load_curve, plot_curves


def show_curves(
    runs: Annotated[list[Path], typer.Argument(help="Folders of training runs, finished or not.")],
    out: Annotated[Path | None, typer.Option(help="Write the numbers to this JSON file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them to this .png, .svg or .pdf file.")] = None,
    title: Annotated[str, typer.Option(help="Title of the picture.")] = "Learning curves",
) -> None:
    """Print the learning curves of training runs: mean scores of their evaluations."""
    curves = [load_curve(run) for run in runs]
    shown = console()
    for run, curve in zip(runs, curves, strict=True):
        shown.print(f"{run} ({curve.agent}, recipe {curve.recipe or '-'}, seed {curve.seed})", style="bold")
        for task, scores in {"steps": curve.steps, **curve.scores}.items():
            cells = (f"{value:>9,}" if task == "steps" else f"{value:9.3f}" for value in scores.tolist())
            shown.print(f"{task:<28}" + "".join(cells), no_wrap=True, overflow="ignore", crop=False)
    if out is not None:
        lines = ",\n".join(" " + json.dumps(curve.to_json()) for curve in curves)
        write_text(out, f"[\n{lines}\n]\n")
    if plot is not None:
        plot_curves(curves, plot, title)
