"""`newt-bench train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from newt_bench.cli.evaluate import print_scores
from newt_bench.cli.options import SplitOption, parse_options, search_current_directory, select_tasks
from newt_bench.errors import InputError
from newt_bench.training import TrainingRun, resume_training, train


def train_agent(
    agent: Annotated[
        str | None, typer.Argument(help="Name of an installed agent, such as newt, or package.module:Class.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("run"),
    tasks: Annotated[str | None, typer.Option(help="Task names, separated by commas. Default: the recipe's.")] = None,
    split: SplitOption = None,
    steps: Annotated[int | None, typer.Option(help="Environment steps, summed over all slots.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Name of a recipe of the agent, such as cpu, or a TOML file.")
    ] = None,
    size: Annotated[str | None, typer.Option(help="Size of Newt's networks: S, B, L or XL.")] = None,
    demos: Annotated[
        str | None,
        typer.Option(help="Folder of demonstrations to learn from, hub for the published ones, or scripted."),
    ] = None,
    adapt: Annotated[
        Path | None, typer.Option(help="Checkpoint or run to adapt to the one task, instead of a new agent.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the run. Default 0.")] = None,
    envs_per_task: Annotated[int | None, typer.Option(help="Slots per task. Default 1.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes. Default: one per core.")] = None,
    obs_type: Annotated[str | None, typer.Option(help="state, rgb or state_rgb. Default state.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="key=value: a hyper-parameter of the agent; repeat for several.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(help="key=value: another training setting, such as eval_every=10000; repeat for several."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out. Only --steps may be given with it.")
    ] = False,
) -> None:
    """Train an agent, evaluate it as it learns, and plot its learning curves. Ctrl-C saves; --resume goes on."""
    search_current_directory()
    settings = {
        "steps": steps,
        "seed": seed,
        "num_envs_per_task": envs_per_task,
        "num_workers": workers,
        "obs_type": obs_type,
        "demonstrations": demos,
    }
    given = {name: value for name, value in settings.items() if value is not None} | parse_options(setting or [])
    options = parse_options(option or []) | ({"size": size} if size else {})
    try:
        if resume:
            _check_resume(given, options, agent, tasks, split, recipe, adapt)
            run = resume_training(out, steps=steps)
        else:
            run = _train(agent, tasks, split, out, recipe, adapt, options, given)
    except KeyboardInterrupt:
        typer.echo(f"interrupted; continue with: newt-bench train --resume --out {out}", err=True)
        raise typer.Exit(130) from None
    print_scores(run.results)
    typer.echo(f"run: {run.folder} (results.json, curves.png, log.jsonl, checkpoint)", err=True)


def _train(
    agent: str | None,
    tasks: str | None,
    split: str | None,
    out: Path,
    recipe: str | None,
    adapt: Path | None,
    options: dict[str, Any],
    settings: dict[str, Any],
) -> TrainingRun:
    if agent is None:
        raise InputError("Say which agent to train, such as: newt-bench train newt")
    chosen = select_tasks(tasks, split) if recipe is None or tasks or split else None
    return train(agent, chosen, out=out, recipe=recipe, adapt=adapt, options=options, **settings)


def _check_resume(settings: dict[str, Any], options: dict[str, Any], *others: Any) -> None:
    if set(settings) - {"steps"} or options or any(other is not None for other in others):
        raise InputError("A resumed run keeps its agent, tasks and settings; with --resume give --out and --steps only")
