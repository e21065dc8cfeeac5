"""Plays demonstrations again, to check them and to look at them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from newt_bench.demos import TaskDemos
from newt_bench.demos.format import UNKNOWN
from newt_bench.errors import DemosError
from newt_bench.media import VIDEO_SUFFIXES, check_suffix, write_video

__all__ = ["Replay", "replay", "show"]


@dataclasses.dataclass(frozen=True)
class Replay:
    """How a demonstration went when it was played again.

    Attributes:
        reward_error: Largest difference of a reward.
        observation_error: Largest difference of an entry of an observation.
        recorded_return: Sum of the recorded rewards.
        replayed_return: Sum of the rewards this time.
    """

    reward_error: float
    observation_error: float
    recorded_return: float
    replayed_return: float


def replay(demos: TaskDemos, index: int = 0) -> Replay:
    """Resets with the recorded seed, plays the recorded actions, and compares.

    Args:
        demos: Demonstrations of a task.
        index: Which episode.

    Raises:
        DemosError: The seed of the episode is not known.
        MissingExtraError: The task's simulator is not installed.
    """
    episode = demos.episode(index)
    env = gymnasium.make(demos.task.id, **demos.info.env_options)
    try:
        rows = list(_again(env, demos, index))
    finally:
        env.close()
    observations, rewards = zip(*rows, strict=True)
    return Replay(
        reward_error=float(np.abs(np.float32(rewards[1:]) - episode.reward).max()),
        observation_error=float(np.abs(np.array(observations) - episode.observation).max()),
        recorded_return=episode.episode_return,
        replayed_return=float(sum(rewards)),
    )


def show(demos: TaskDemos, index: int = 0, *, out: Path | None = None, size: int = 224) -> None:
    """Shows a demonstration, played again, in a window or in a video.

    Args:
        demos: Demonstrations of a task.
        index: Which episode.
        out: A `.mp4` or `.gif` file; None opens a window.
        size: Height and width in pixels.

    Raises:
        InputError: The file has another suffix.
        DemosError: The seed of the episode is not known.
        RenderingError: Nothing can draw on this machine.
    """
    mode = "human" if out is None else "rgb_array"
    if out is not None:
        check_suffix(out, VIDEO_SUFFIXES)
    env = gymnasium.make(demos.task.id, render_mode=mode, render_size=size, **demos.info.env_options)
    try:
        steps = _again(env, demos, index)
        if out is None:
            for _ in steps:
                pass
        else:
            write_video(out, (_frame(env) for _ in steps), env.metadata["render_fps"])
    finally:
        env.close()


def _frame(env: gymnasium.Env[Any, Any]) -> NDArray[np.uint8]:
    frame: NDArray[np.uint8] = env.render()  # type: ignore[assignment]
    return frame


def _again(env: gymnasium.Env[Any, Any], demos: TaskDemos, index: int) -> Iterator[tuple[NDArray[Any], float]]:
    """Observation and reward after the reset, where the reward is 0, and after every recorded action."""
    episode = demos.episode(index)
    if episode.reset_seed == UNKNOWN:
        raise DemosError(f"{demos.path}: the seed of episode {index} is not known, so it cannot be played again")
    obs, _ = env.reset(seed=episode.reset_seed)
    yield obs, 0.0
    for action in episode.action:
        obs, reward, *_ = env.step(action)
        yield obs, float(reward)
