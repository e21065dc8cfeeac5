"""`newt-bench submit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newt_bench.errors import InputError
from newt_bench.leaderboard import Entry, Submission, build_submission, hub_repository, open_pull_request, tracks


def submit_results(
    files: Annotated[
        list[Path], typer.Argument(help="Results files that 'evaluate --out' wrote: together, every task and seed.")
    ],
    track: Annotated[str, typer.Option(help="One of those that 'newt-bench leaderboard tracks' lists.")],
    name: Annotated[str, typer.Option(help="Name of the agent, for people.")],
    code: Annotated[str, typer.Option(help="https link to the code.")],
    paper: Annotated[str | None, typer.Option(help="https link to the paper.")] = None,
    author: Annotated[list[str] | None, typer.Option(help="Name of an author; repeat for several.")] = None,
    checkpoint: Annotated[
        list[str] | None, typer.Option(help="https link to a trained agent; repeat for several.")
    ] = None,
    environment_steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            help="Agent steps that one training run played for learning. Default: as 'newt-bench train' recorded.",
        ),
    ] = None,
    demonstrations: Annotated[int, typer.Option("--demonstrations", help="Demonstrated episodes used per task.")] = 0,
    actions_per_look: Annotated[
        int, typer.Option("--actions-per-look", help="Actions played per look at the environment; 1 in closed loop.")
    ] = 1,
    parameters: Annotated[int | None, typer.Option(help="Number of learned parameters.")] = None,
    budget: Annotated[
        int | None, typer.Option(help="Budget of the track. Default: the smallest that holds what was used.")
    ] = None,
    notes: Annotated[str, typer.Option(help="What a reader should know, in at most 1000 characters.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Write <track>/<name>.json below this folder, for a pull request on GitHub.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only; neither write nor send.")] = False,
) -> None:
    """Check results against a track's rules and open a pull request on the leaderboard's Hub repository."""
    if track not in tracks():
        raise InputError(f"There is no track {track!r}; there are {', '.join(tracks())}")
    training = {
        "environment_steps": environment_steps,
        "demonstrations": demonstrations,
        "actions_per_look": actions_per_look,
        "parameters": parameters,
    }
    entry = Entry(name, track, code, training, budget, author or (), paper, checkpoint or (), notes)
    submission = build_submission(entry, files)
    _print(submission)
    if dry_run:
        typer.echo(f"accepted; not sent (--dry-run). It would go to {hub_repository()} on the Hub")
    elif out is not None:
        path = out / f"{submission.id}.json"
        if path.exists():
            raise InputError(f"{path} exists; remove it, or choose another --name")
        submission.save(path)
        typer.echo(f"wrote {path}")
    else:
        typer.echo(open_pull_request(submission))


def _print(submission: Submission) -> None:
    typer.echo(f"{submission.id}: {len(submission.merged.protocol.tasks)} tasks, {len(submission.seeds)} seeds")
    for label, estimate in submission.merged.aggregate().items():
        typer.echo(f"  {label}: {estimate}")
