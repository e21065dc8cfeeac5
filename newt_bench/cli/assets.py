"""`newt-bench assets`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from newt_bench import assets, catalogue, downloads
from newt_bench.cli.options import SplitOption, console, select_tasks

app = typer.Typer(help="Files that some tasks need beside their simulator.", no_args_is_help=True)

TasksOption = Annotated[
    str | None, typer.Option("--tasks", help="Task names, separated by commas. Default: all tasks.")
]


@app.command("list")
def list_assets(tasks: TasksOption = None, split: SplitOption = None) -> None:
    """List the files that tasks need, and whether they are there."""
    users = _users(tasks, split)
    absent = set(assets.missing(users))
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("asset", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("needed by")
    for name, needed_by in users.items():
        status = "[yellow]missing[/yellow]" if name in absent else "[green]there[/green]"
        table.add_row(name, status, ", ".join(needed_by))
    console().print(table)
    typer.echo(f"{len(absent)} of {len(users)} missing below {assets.data_folder()}", err=True)


@app.command("download")
def download_assets(tasks: TasksOption = None, split: SplitOption = None) -> None:
    """Download the files that are missing. What is there already is left alone."""
    with _progress() as progress:

        def report(pack: assets.Pack) -> downloads.Report:
            progress.console.print(f"{pack.name}: {pack.source}")
            bar = progress.add_task(pack.name, total=None, visible=isinstance(pack.source, assets.WebFile))
            return lambda done, total: progress.update(bar, completed=done, total=total)

        packs = assets.download(_users(tasks, split), report)
    for pack in packs:
        typer.echo(f"{pack.name}: in {assets.data_folder() / pack.folder}")
    if not packs:
        typer.echo("nothing to download: everything is there")


def _users(names: str | None, split: str | None) -> dict[str, list[str]]:
    """Names of the tasks that need each asset."""
    chosen = catalogue.tasks() if names is None and split is None else select_tasks(names, split)
    users: dict[str, list[str]] = {}
    for task in chosen:
        for name in task.assets:
            users.setdefault(name, []).append(task.name)
    return users


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """A progress bar on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress
