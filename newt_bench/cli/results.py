"""`newt-bench results`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newt_bench.cli.evaluate import print_scores
from newt_bench.errors import InputError
from newt_bench.results import load_results, merge_results


def show_results(
    files: Annotated[list[Path], typer.Argument(help="Results files: one, or those of several seeds of one agent.")],
    out: Annotated[Path | None, typer.Option(help="Write several as one to this file.")] = None,
) -> None:
    """Check results files and print their scores; several are taken together, for intervals over seeds."""
    if out is not None and out.exists():
        raise InputError(f"{out} exists; name another file")
    results = merge_results([load_results(file) for file in files])
    typer.echo(
        f"{results.agent['name']}, {results.provenance['started']}, newt-bench {results.provenance['newt_bench']}"
    )
    print_scores(results)
    if out is not None:
        results.save(out)
        typer.echo(f"results: {out}", err=True)
