"""`newt-bench evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from newt_bench.catalogue import get_task
from newt_bench.cli.options import (
    AgentOption,
    CheckpointOption,
    SplitOption,
    agent_options,
    console,
    parse_options,
    search_current_directory,
    select_tasks,
)
from newt_bench.evaluation import evaluate
from newt_bench.results import Results


def evaluate_agent(
    agent: AgentOption = "random",
    checkpoint: CheckpointOption = None,
    tasks: Annotated[str | None, typer.Option(help="Task names, separated by commas.")] = None,
    split: SplitOption = None,
    episodes: Annotated[int, typer.Option(help="Episodes per task and seed.")] = 10,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Seed of the agent; repeat for intervals over several. Default 0."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the results to this JSON file, task by task.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the interrupted run in --out.")] = False,
    obs_type: Annotated[str, typer.Option(help="What the agent sees: state, rgb or state_rgb.")] = "state",
    option: Annotated[
        list[str] | None, typer.Option(help="key=value to build the agent with; repeat for several.")
    ] = None,
    env_option: Annotated[
        list[str] | None,
        typer.Option(help="key=value to make the environments with, such as joystick=deadzone; repeat for several."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that play tasks and seeds side by side.")] = 1,
    backend: Annotated[str, typer.Option(help="local, or ray to play on a Ray cluster.")] = "local",
    address: Annotated[
        str | None, typer.Option(help="Address of the Ray cluster; by default RAY_ADDRESS, else this machine alone.")
    ] = None,
) -> None:
    """Evaluate an agent and print its scores."""
    search_current_directory()
    chosen = select_tasks(tasks, split)
    try:
        results = evaluate(
            agent,
            chosen,
            episodes,
            seed or [0],
            obs_type=obs_type,  # type: ignore[arg-type] # refused by the environment if unknown
            options=agent_options(option or [], checkpoint),
            env_options=parse_options(env_option or []),
            out=out,
            resume=resume,
            workers=workers,
            backend=backend,  # type: ignore[arg-type] # refused by evaluate if unknown
            address=address,
        )
    except KeyboardInterrupt:
        kept = f"; finished tasks are in {out}, continue with --resume" if out and out.exists() else ""
        typer.echo(f"interrupted{kept}", err=True)
        raise typer.Exit(130) from None
    print_scores(results)
    if out is not None:
        typer.echo(f"results: {out}", err=True)


def print_scores(results: Results) -> None:
    """Prints mean return and score of every task, and the aggregates."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("task", no_wrap=True)
    table.add_column("return", justify="right", no_wrap=True)
    table.add_column("random", justify="right", no_wrap=True)
    table.add_column("score", no_wrap=True)
    returns = results.returns()
    for name, score in results.task_estimates().items():
        anchor = get_task(name).random_return
        random = f"{anchor.mean:.2f}" if anchor else "-"
        table.add_row(name, f"{returns[name].mean():.2f}", random, str(score))
    table.add_section()
    for label, value in results.aggregate().items():
        table.add_row(_AGGREGATES[label], "", "", str(value), style="bold")
    console().print(table)


_AGGREGATES = {"mean": "mean of tasks", "domain_mean": "mean of domain means", "iqm": "interquartile mean"}
