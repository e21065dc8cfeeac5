"""The progress bar of everything that takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

__all__ = ["download_bars", "progress_bar"]


@contextmanager
def progress_bar(wanted: bool, total: int, unit: str) -> Iterator[Callable[[str], None]]:
    """Shows a progress bar on standard error, if that is a terminal.

    Args:
        wanted: Whether to show it at all.
        total: How many units there are to do.
        unit: What they are, in the plural.

    Yields:
        A function that takes a description of the unit that was finished, and adds one.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not (wanted and console.is_terminal)) as bar:
        line = bar.add_task("starting", total=total)
        yield lambda description: bar.update(line, advance=1, description=description)


@contextmanager
def download_bars(wanted: bool) -> Iterator[Callable[[str], Callable[[int, int | None], None]]]:
    """Shows a progress bar for every download on standard error, if that is a terminal.

    Args:
        wanted: Whether to show them at all.

    Yields:
        A function that takes the name of a file and returns what is told of the progress: bytes done and, if known,
        bytes expected. The bar appears when it is first told.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not (wanted and console.is_terminal), transient=True) as bars:

        def start(name: str) -> Callable[[int, int | None], None]:
            line = bars.add_task(name, total=None, visible=False)
            return lambda done, total: bars.update(line, completed=done, total=total, visible=True)

        yield start
