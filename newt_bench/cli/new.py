"""`newt-bench new agent` and `newt-bench new task`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newt_bench.scaffold import new_agent, new_task

app = typer.Typer(help="Start a contribution: an agent or a task.", no_args_is_help=True)


@app.command("agent")
def create_agent(path: Annotated[Path, typer.Argument(help="File to write, such as my_agent.py.")]) -> None:
    """Write a small agent that runs as it is, to be changed."""
    spec = new_agent(path)
    typer.echo(f"wrote {path}\ntry it: newt-bench evaluate --agent {spec} --tasks cartpole-balance --episodes 1")


@app.command("task")
def create_task(
    name: Annotated[str, typer.Argument(help="Name of the new task.")],
    like: Annotated[str, typer.Option(help="The task whose entry is copied.")],
) -> None:
    """Add a task to the catalogue of a source checkout, as a copy of another to be changed."""
    path = new_task(name, like)
    typer.echo(f"added '{name}' at the end of {path}; now change its fields, then: newt-bench show {name}")
