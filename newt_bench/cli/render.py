"""`newt-bench render`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newt_bench.cli.options import AgentOption, CheckpointOption, agent_options, search_current_directory
from newt_bench.filming import film


def render_task(
    task: Annotated[str, typer.Argument(help="Task name, such as walker-run.")],
    out: Annotated[Path, typer.Option(help="A .mp4 or .gif video, or a .png of the last frame.")],
    agent: AgentOption = "random",
    checkpoint: CheckpointOption = None,
    steps: Annotated[
        int | None, typer.Option(help="Agent steps to film. Default: the whole episode, or 0 for a PNG.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the agent and of the episode.")] = 0,
    size: Annotated[int, typer.Option(help="Height and width in pixels.")] = 224,
) -> None:
    """Film an agent on a task."""
    search_current_directory()
    film(out, task, agent, options=agent_options([], checkpoint), steps=steps, seed=seed, size=size)
    typer.echo(f"wrote {out}")
