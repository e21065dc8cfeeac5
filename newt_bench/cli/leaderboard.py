"""`newt-bench leaderboard ...` and `newt-bench reproduce`."""

from __future__ import annotations

import shlex
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from newt_bench.cli.options import console, parse_options, search_current_directory
from newt_bench.content import content_folder
from newt_bench.errors import InputError
from newt_bench.leaderboard import (
    LEVELS,
    Board,
    SubmissionError,
    Trust,
    Verification,
    add_trust,
    boards,
    check_folder,
    find_row,
    load_rows,
    read_submission,
    reproduction_commands,
    tracks,
    verify,
    write_csv,
)
from newt_bench.leaderboard.tracks import budget_label
from newt_bench.leaderboard.trust import TRUST_FILE
from newt_bench.training import agent_folder

app = typer.Typer(help="The leaderboard: tracks, rows, and what maintainers do.", no_args_is_help=True)

FolderOption = Annotated[
    Path | None, typer.Option("--folder", help="Folder laid out as leaderboard/. Default: that of this release.")
]


@app.command("tracks")
def list_tracks() -> None:
    """List tracks with their task sets and budgets."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("track", "tasks", "budgets", "observations", "what"):
        table.add_column(heading, no_wrap=heading == "track")
    for track in tracks().values():
        sets = ", ".join(dict.fromkeys(name.partition(":")[0] + ":*" * (":" in name) for name in track.tasks))
        budgets = ", ".join(map(budget_label, track.budgets)) or "-"
        table.add_row(track.name, sets, budgets, ", ".join(track.obs_types), track.summary)
    console().print(table)


@app.command("show")
def show_boards(
    track: Annotated[str | None, typer.Option(help="Only this track.")] = None, folder: FolderOption = None
) -> None:
    """Print all boards, ranked."""
    if track is not None and track not in tracks():
        raise InputError(f"There is no track {track!r}; there are {', '.join(tracks())}")
    found = [board for board in boards(load_rows(folder)) if track in (None, board.track.name)]
    for board in found:
        console().print(_table(board))
    if not found:
        typer.echo("no rows yet", err=True)


def _table(board: Board) -> Table:
    table = Table(title=board.title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for heading in ("rank", "row", "iqm", "mean", "P(> next)", "trust", "flags"):
        table.add_column(heading, no_wrap=heading != "flags")
    for place in board.rows:
        aggregate = place.row.aggregate
        table.add_row(
            str(place.rank),
            place.row.id,
            escape(str(aggregate["iqm"])),
            escape(str(aggregate["mean"])),
            escape(str(place.improvement)) if place.improvement else "",
            place.row.trust.level,
            escape("; ".join(place.row.flags)),
        )
    return table


@app.command("validate")
def validate_folder(
    folder: Annotated[Path | None, typer.Argument(help="Folder laid out as leaderboard/, or one submission.")] = None,
) -> None:
    """Check every submission and the trust file. Exit code 1 if something is wrong."""
    target = folder or content_folder("leaderboard")
    if target.is_file():
        try:
            typer.echo(f"accepted: {read_submission(target).id}")
        except SubmissionError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        return
    problems = check_folder(target)
    for texts in problems.values():
        for text in texts:
            typer.echo(text, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{len(load_rows(target))} submissions, all accepted")


@app.command("export")
def export_results(
    out: Annotated[Path, typer.Argument(help="CSV file.")],
    folder: FolderOption = None,
) -> None:
    """Write all results as one flat CSV: a line per row, task and seed."""
    rows = load_rows(folder)
    write_csv(rows, out)
    typer.echo(f"wrote {out}: {len(rows)} submissions")


@app.command("verify")
def verify_submission(
    submission: Annotated[Path, typer.Argument(help="A submission's file.")],
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Checkpoint or run to evaluate; in a checkpoint, {task} and {seed} stand for task and seed."),
    ] = None,
    agent: Annotated[
        str | None, typer.Option(help="Name or import path of the agent. Default: the submission's, if installed.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="key=value to build the agent with, in place of the submission's; repeat.")
    ] = None,
    tasks: Annotated[str, typer.Option(help="How many tasks to draw, or names separated by commas.")] = "5",
    seed: Annotated[int, typer.Option(help="Which training run.")] = 0,
    episodes: Annotated[int | None, typer.Option(help="Episodes per task. Default: as many as submitted.")] = None,
    sample_seed: Annotated[int | None, typer.Option(help="Seed of the drawing of tasks.")] = None,
    workers: Annotated[int, typer.Option(help="Processes to play in.")] = 1,
    record: Annotated[
        str | None,
        typer.Option(help=f"If it holds, record {' or '.join(LEVELS[1:])} in the trust file of --folder."),
    ] = None,
    folder: FolderOption = None,
) -> None:
    """Evaluate a sample of tasks anew and compare. Exit code 1 if a claim lies outside its interval."""
    search_current_directory()
    if record is not None and record not in LEVELS[1:]:
        raise InputError(f"--record takes {' or '.join(LEVELS[1:])}, not {record!r}")
    claimed = read_submission(submission)
    result = verify(
        claimed,
        int(tasks) if tasks.isdigit() else [name.strip() for name in tasks.split(",")],
        agent=agent,
        checkpoint=None if checkpoint is None else str(agent_folder(checkpoint)),
        options=parse_options(option or []),
        seed=seed,
        episodes=episodes,
        sample_seed=sample_seed,
        workers=workers,
    )
    _print_verification(result)
    if not result.holds:
        raise typer.Exit(1)
    if record is not None:
        today = datetime.now(timezone.utc).date().isoformat()
        path = (folder or content_folder("leaderboard")) / TRUST_FILE
        add_trust(path, claimed.id, Trust(record, claimed.digest, today, str(result)))
        typer.echo(f"recorded in {path}")


def _print_verification(result: Verification) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("task", "claimed", "found", "difference", "holds"):
        table.add_column(heading, justify="left" if heading == "task" else "right")
    for check in result.checks:
        difference = f"{check.claimed - check.found:+.3f} [{check.low:+.3f}, {check.high:+.3f}]"
        cells = (f"{check.claimed:.3f}", f"{check.found:.3f}", escape(difference), "yes" if check.holds else "NO")
        table.add_row(check.task, *cells)
    console().print(table)
    verdict = "the claims hold" if result.holds else "claims lie outside their intervals"
    typer.echo(f"{verdict}: {result}")


def reproduce_row(
    row: Annotated[str, typer.Argument(help="Id of a row, such as lite/random-100k.")],
    run: Annotated[bool, typer.Option("--run", help="Run the commands, in the current directory.")] = False,
    folder: FolderOption = None,
) -> None:
    """Print the commands that make a row's results anew; with --run, run them."""
    submission = find_row(row, folder).submission
    typer.echo(f"# code: {submission.code}", err=True)
    for link in submission.checkpoints:
        typer.echo(f"# checkpoint: {link}", err=True)
    for command in reproduction_commands(submission):
        typer.echo(shlex.join(command))
        if run:
            code = subprocess.run([sys.executable, "-m", "newt_bench.cli", *command[1:]], check=False).returncode
            if code:
                raise typer.Exit(code)
