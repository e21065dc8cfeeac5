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

__all__ = ["Replay", "draw", "replay", "show"]

#: How much observations may differ when they are drawn: the images are to be of what is in the file.
_TOLERANCE = 1e-3


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
        reward_error=float(np.abs(np.array(rewards[1:], np.float32) - episode.reward).max()),
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


def draw(demos: TaskDemos, size: int = 224) -> Iterator[list[NDArray[np.uint8]]]:
    """Plays demonstrations again and draws all their observations.

    Args:
        demos: Demonstrations of a task.
        size: Height and width in pixels.

    Yields:
        For each episode its L + 1 images, of shape (size, size, 3).

    Raises:
        DemosError: The seed of an episode is not known, or the episode goes otherwise now.
        RenderingError: Nothing can draw on this machine.
    """
    env = gymnasium.make(demos.task.id, obs_type="state_rgb", render_size=size, **demos.info.env_options)
    try:
        for index, episode in enumerate(demos):
            frames = []
            for step, (obs, _) in enumerate(_again(env, demos, index)):
                if np.abs(obs["state"] - episode.observation[step]).max() > _TOLERANCE:
                    raise DemosError(
                        f"{demos.path}: episode {index} cannot be drawn: played again, it goes otherwise from "
                        f"observation {step} on. Use the versions that recorded it: {dict(demos.info.versions)}"
                    )
                frames.append(obs["rgb"])
            yield frames
    finally:
        env.close()


def _frame(env: gymnasium.Env[Any, Any]) -> NDArray[np.uint8]:
    frame: NDArray[np.uint8] = env.render()  # type: ignore[assignment]
    return frame


def _again(env: gymnasium.Env[Any, Any], demos: TaskDemos, index: int) -> Iterator[tuple[Any, float]]:
    """Observation and reward after the reset, where the reward is 0, and after every recorded action."""
    episode = demos.episode(index)
    if episode.reset_seed == UNKNOWN:
        raise DemosError(f"{demos.path}: the seed of episode {index} is not known, so it cannot be played again")
    obs, _ = env.reset(seed=episode.reset_seed)
    yield obs, 0.0
    for action in episode.action:
        obs, reward, *_ = env.step(action)
        yield obs, float(reward)
