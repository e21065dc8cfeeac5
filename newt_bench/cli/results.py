"""`newt-bench results`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newt_bench.cli.evaluate import print_scores
from newt_bench.results import load_results


def show_results(file: Annotated[Path, typer.Argument(help="A results file that 'evaluate --out' wrote.")]) -> None:
    """Check a results file and print its scores."""
    results = load_results(file)
    typer.echo(
        f"{results.agent['name']}, {results.provenance['started']}, newt-bench {results.provenance['newt_bench']}"
    )
    print_scores(results)
