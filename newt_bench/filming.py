"""Films an agent on a task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from newt_bench.agents import Agent, load_agent_factory
from newt_bench.catalogue import get_task
from newt_bench.errors import InputError
from newt_bench.evaluation import roll_out
from newt_bench.evaluation.threads import torch_threads
from newt_bench.media import VIDEO_SUFFIXES, check_suffix, write_image, write_video

__all__ = ["film"]


def film(
    path: Path,
    task_name: str,
    agent: str,
    *,
    options: Mapping[str, Any] | None = None,
    steps: int | None = None,
    seed: int = 0,
    size: int = 224,
) -> None:
    """Films an agent on a task.

    Args:
        path: A `.mp4` or `.gif` file for a video, or a `.png` file for the last frame alone.
        task_name: The task.
        agent: Entry point name or import path of the agent.
        options: Keyword arguments for building it, such as the `checkpoint` of a trained one.
        steps: Agent steps to film; None films the whole episode, or the first frame for a PNG.
        seed: Seed of the agent, and of the episode.
        size: Height and width of the frames in pixels.

    Raises:
        InputError: An argument cannot be used.
        MissingExtraError: The task's simulator, or the extra `media`, is not installed.
        RenderingError: Nothing can draw on this machine.
    """
    check_suffix(path, (".png", *VIDEO_SUFFIXES))
    still = path.suffix.lower() == ".png"
    task = get_task(task_name)
    length = (0 if still else task.max_episode_steps) if steps is None else steps
    if not 0 <= length <= task.max_episode_steps:
        raise InputError(f"steps must lie in 0..{task.max_episode_steps} for {task.name}, not {length}")
    player = load_agent_factory(agent)([task], seed=seed, **(options or {}))
    env = gymnasium.make(task.id, render_mode="rgb_array", render_size=size)
    try:
        with torch_threads(1):  # as in evaluation
            if still:
                for frame in _frames(env, player, length, seed):
                    last = frame
                write_image(path, last)
            else:
                write_video(path, _frames(env, player, length, seed), env.metadata["render_fps"])
    finally:
        env.close()


def _frames(env: gymnasium.Env[Any, Any], agent: Agent, steps: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """The first frame of an episode, and one after every step."""
    env.reset(seed=seed)
    yield _draw(env)
    if steps:
        for count, _ in enumerate(roll_out(agent, env, 0, seed), start=1):
            yield _draw(env)
            if count == steps:
                return


def _draw(env: gymnasium.Env[Any, Any]) -> NDArray[np.uint8]:
    frame: NDArray[np.uint8] = env.render()  # type: ignore[assignment]
    return frame
