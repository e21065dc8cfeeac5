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
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

__all__ = ["StepsBar", "download_bars", "progress_bar", "steps_bar"]


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


class StepsBar:
    """The progress of something that counts steps. Called with the steps done and what there is to tell.

    On a terminal it is a bar; elsewhere, what is said with `say` becomes a line each.

    Args:
        bar: The bar.
        line: Its only line.
        total: Steps in all.
        console: Where lines go; None for nowhere.
    """

    def __init__(self, bar: Progress, line: TaskID, total: int, console: Console | None) -> None:
        self._bar, self._line, self._total, self._console = bar, line, total, console

    def __call__(self, done: int, description: str) -> None:
        """Moves the bar."""
        self._bar.update(self._line, completed=done, description=description)

    def say(self, done: int, description: str) -> None:
        """Moves the bar, or tells where there is none."""
        self(done, description)
        if self._console is not None:
            self._console.print(f"{done:,}/{self._total:,}  {description}", highlight=False, soft_wrap=True)


@contextmanager
def steps_bar(wanted: bool, total: int, done: int) -> Iterator[StepsBar]:
    """Shows the progress of a long run on standard error: a bar on a terminal, lines elsewhere.

    Args:
        wanted: Whether to show it at all.
        total: Steps in all.
        done: Steps that an earlier part of the run did.
    """
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    terminal = console.is_terminal
    with Progress(*columns, console=console, disable=not (wanted and terminal), speed_estimate_period=300) as bar:
        line = bar.add_task("starting", total=total, completed=done)
        yield StepsBar(bar, line, total, console if wanted and not terminal else None)
