"""`newt-bench baselines`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from newt_bench.anchors import ANCHOR_SEED, Policy, check_anchors
from newt_bench.catalogue import Anchor, tasks
from newt_bench.cli.options import console
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


@app.command("anchors")
def anchors(
    policy: Annotated[Policy, typer.Option(help="Whose returns.")] = "random",
    domain: Annotated[list[str] | None, typer.Option(help="Only this domain; repeat for several.")] = None,
    names: Annotated[str | None, typer.Option("--tasks", help="Only these tasks, separated by commas.")] = None,
    episodes: Annotated[int, typer.Option(help="Episodes per task.")] = 20,
    seed: Annotated[int, typer.Option(help="Of starts and random actions.")] = ANCHOR_SEED,
    workers: Annotated[int, typer.Option(help="Processes that share the work.")] = 1,
) -> None:
    """Measure the catalogue's anchors anew, and fail where one does not hold."""
    chosen = tasks(names.split(",") if names else None, domain=domain or None)
    checks = check_anchors(policy, chosen, episodes=episodes, seed=seed, workers=workers)
    table = Table("task", "anchor", "found", "holds", box=None, header_style="bold", pad_edge=False)
    for check in checks:
        table.add_row(check.task, _shown(check.anchor), _shown(check.found), "yes" if check.holds else "NO")
    console().print(table)
    if not all(check.holds for check in checks):
        raise typer.Exit(1)


def _shown(anchor: Anchor) -> str:
    return f"{anchor.mean:.4g} +- {anchor.sem:.2g} ({anchor.episodes})"


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"A seed is a whole number, not {text!r}") from None
