"""`newt-bench baselines`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newt_bench.errors import InputError
from newt_bench.suites import collected, get_suite, publish, published, run_suite, suite_table, suites

app = typer.Typer(help="The baselines side by side: suites, runs, tables.", no_args_is_help=True)

SuiteOption = Annotated[str, typer.Option("--suite", help="One of those that 'newt-bench baselines list' lists.")]


@app.command("list")
def list_suites() -> None:
    """List suites with their agents."""
    for suite in suites().values():
        typer.echo(f"{suite.name}: {suite.description} Agents: {', '.join(suite.agents)}; seeds {suite.seeds}.")


@app.command("run")
def run(
    suite: SuiteOption,
    out: Annotated[Path | None, typer.Option(help="Folder of the runs. Default: runs/<suite>.")] = None,
    agents: Annotated[str | None, typer.Option(help="Only these agents, separated by commas.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Only these seeds, separated by commas.")] = None,
) -> None:
    """Train and evaluate all agents of a suite, hours long. Ctrl-C saves; the same command goes on."""
    chosen, folder = get_suite(suite), out or Path("runs") / suite
    try:
        results = run_suite(
            chosen,
            folder,
            agents=agents.split(",") if agents else None,
            seeds=[_number(seed) for seed in seeds.split(",")] if seeds else None,
            begin=lambda run: typer.echo(run, err=True),
        )
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on", err=True)
        raise typer.Exit(130) from None
    typer.echo(suite_table(chosen, results))


@app.command("table")
def show_table(
    suite: SuiteOption,
    out: Annotated[Path | None, typer.Option(help="Folder of the runs. Default: the results that ship.")] = None,
) -> None:
    """Print the table of a suite as Markdown."""
    chosen = get_suite(suite)
    typer.echo(suite_table(chosen, published(chosen) if out is None else collected(chosen, out)))


@app.command("publish")
def publish_results(
    suite: SuiteOption,
    out: Annotated[Path | None, typer.Option(help="Folder of the runs. Default: runs/<suite>.")] = None,
) -> None:
    """Put finished results into baselines/ of this checkout, and renew the table in its README."""
    for path in publish(get_suite(suite), out or Path("runs") / suite):
        typer.echo(f"wrote {path}", err=True)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"A seed is a whole number, not {text!r}") from None
