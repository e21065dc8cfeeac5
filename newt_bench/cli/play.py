"""`newt-bench play`."""

from __future__ import annotations

from typing import Annotated

import typer

from newt_bench.playing import describe_controls, play


def play_task(
    task: Annotated[str, typer.Argument(help="A MiniArcade task, such as pygame-coinrun.")],
    seed: Annotated[int, typer.Option(help="Seed of the episode.")] = 0,
    size: Annotated[int, typer.Option(help="Height and width of the window in pixels.")] = 672,
    speed: Annotated[float, typer.Option(help="Multiple of the game's own pace.")] = 1.0,
) -> None:
    """Play a MiniArcade task with the keyboard."""
    keys = describe_controls(task)
    if keys:
        typer.echo(f"Keys: {keys}. The first one starts the game, Escape leaves it.", err=True)
    outcome = play(task, seed=seed, size=size, speed=speed)
    typer.echo(f"return {outcome.episode_return:.2f}, score {outcome.score:.3f} after {outcome.steps} steps")
