"""Collects demonstrations: an agent plays, and the episodes that are good enough are kept."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import itertools
import multiprocessing
import platform
import shlex
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
from numpy.typing import NDArray

from newt_bench.agents import Agent, load_agent_factory
from newt_bench.catalogue import Task, get_task, load_domain, resolve_tasks
from newt_bench.collection.acceptance import RULE, is_accepted, return_threshold
from newt_bench.collection.replaying import draw
from newt_bench.demos import DemoFile, Episode, FrameFile, Info, TaskDemos, write_demos
from newt_bench.demos.format import SUFFIX, UNKNOWN
from newt_bench.demos.frames import ENCODINGS, Encoding, FrameFormat, encode, frames_path, write_frames
from newt_bench.demos.writing import Compression
from newt_bench.envs.domains import check_options
from newt_bench.errors import InputError
from newt_bench.evaluation import EVALUATION_SEEDS, roll_out
from newt_bench.extras import extra_requirements
from newt_bench.progress import progress_bar
from newt_bench.results.provenance import package_versions
from newt_bench.version import __version__

__all__ = ["SCRIPTED", "Collected", "collect", "demonstration_seed"]

#: Import path of the agent that plays tasks with experts written by hand.
SCRIPTED = "newt_bench.agents.scripted:ScriptedAgent"

_FIRST_EPISODES = 10  # the policy's returns are judged by at least so many
_MAX_EPISODES = 100_000


@dataclasses.dataclass(frozen=True)
class Collected:
    """What became of one task.

    Attributes:
        task: Name of the task.
        path: The file; there is none if no episode was accepted.
        episodes: Episodes in it.
        attempts: Episodes played for it; 0 if the file was there.
        mean_return: Mean return of the episodes in it, NaN if there is none.
        status: `kept` if the file was there, `new`, `short` if fewer episodes than asked for were accepted, `none`.
    """

    task: str
    path: Path
    episodes: int
    attempts: int
    mean_return: float
    status: Literal["kept", "new", "short", "none"]


@dataclasses.dataclass(frozen=True)
class _Order:
    """Everything that a worker needs to know."""

    task: str
    path: Path
    agent: str
    options: Mapping[str, Any]
    env_options: Mapping[str, Any]
    checkpoint: str
    episodes: int
    attempts: int
    seed: int
    accept: bool
    licence: str
    compression: Compression
    command: str
    overwrite: bool
    frames: FrameFormat | None

    def recipe(self) -> dict[str, Any]:
        """What makes two collections the same."""
        return {
            "name": self.agent.rpartition(":")[2],
            "agent": self.agent,
            "checkpoint": self.checkpoint,
            "options": dict(self.options),
            "seed": self.seed,
            "episodes": self.episodes,
            "acceptance": RULE if self.accept else "all",
        }


def collect(
    tasks: str | Task | Iterable[str | Task],
    out: str | Path,
    agent: str = SCRIPTED,
    episodes: int = 10,
    *,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    env_options: Mapping[str, Any] | None = None,
    checkpoint: str | None = None,
    accept: bool = True,
    max_attempts: int | None = None,
    workers: int = 1,
    overwrite: bool = False,
    licence: str = "MIT",
    compression: Compression = "none",
    frames: int | None = None,
    encoding: Encoding = "webp",
    progress: bool = True,
) -> list[Collected]:
    """Lets an agent play, and writes the episodes that are accepted to `out/{task}.h5`.

    A task's episodes depend on the agent, the seed and the task alone, and not on other tasks or on `workers`. Files
    that an earlier call with the same arguments wrote are kept: an interrupted collection is continued by repeating it.

    Args:
        tasks: Task names or records.
        out: Folder for the files.
        agent: Entry point name or import path of the agent, see `newt_bench.agents`.
        episodes: Episodes wanted per task.
        seed: Seed of the agent and of the resets, see `demonstration_seed`.
        options: Keyword arguments for building the agent.
        env_options: Keyword arguments of the environments.
        checkpoint: What to record as the agent's checkpoint. None: its option `checkpoint`, else `none`.
        accept: Keep only what `newt_bench.collection.acceptance` accepts; False keeps all.
        max_attempts: Play at most so many episodes per task. None: thirty times `episodes`.
        workers: Processes that play, each one task at a time.
        overwrite: Replace files that were collected otherwise.
        licence: SPDX identifier to record.
        compression: How to store the files.
        frames: Also draw the observations of the accepted episodes, of so many pixels in height and width, into
            `out/{task}.frames.h5`: episodes are played again for that. None draws nothing.
        encoding: How frames are encoded; `jpeg` loses a little.
        progress: Whether to show a progress bar, if standard error is a terminal.

    Returns:
        What became of each task.

    Raises:
        InputError: An argument cannot be used, or a file was collected otherwise.
        AgentError: The agent cannot be found or built.
        MissingExtraError: A simulator or h5py is not installed.
    """
    chosen = resolve_tasks(tasks, "collect")
    variant, built_with = dict(env_options or {}), dict(options or {})
    for task in chosen if variant else ():
        check_options(task, variant)
    limit = max(30 * episodes, _FIRST_EPISODES) if max_attempts is None else max_attempts
    if not 1 <= episodes <= limit <= _MAX_EPISODES or workers < 1:
        raise InputError(
            f"1 <= episodes <= attempts <= {_MAX_EPISODES} and workers >= 1 are needed, not {episodes}, {limit} "
            f"and {workers}"
        )
    load_agent_factory(agent)(chosen, seed=seed, **built_with)  # fails here and not in a worker
    orders = [
        _Order(
            task=task.name,
            path=Path(out) / f"{task.name}{SUFFIX}",
            agent=agent,
            options=built_with,
            env_options=variant,
            checkpoint=checkpoint or str(built_with.get("checkpoint", "none")),
            episodes=episodes,
            attempts=limit,
            seed=seed,
            accept=accept,
            licence=licence,
            compression=compression,
            command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            overwrite=overwrite,
            frames=None if frames is None else _frame_format(encoding, frames),
        )
        for task in chosen
    ]
    kept = {order.task: result for order in orders if (result := _kept(order)) is not None}
    found = {order.task: kept[order.task] for order in orders if order.task in kept and _has_frames(order)}
    todo = [order for order in orders if order.task not in found]
    with progress_bar(progress, len(todo), "tasks") as advance:
        for result in _run(todo, workers):
            found[result.task] = result
            advance(result.task)
    return [found[order.task] for order in orders]


def demonstration_seed(seed: int, task: Task, attempt: int) -> int:
    """Reset seed of an attempt. Never one of evaluation's.

    Returns:
        An integer in [0, 2**30).
    """
    state = np.random.SeedSequence((seed, zlib.crc32(task.name.encode()), attempt)).generate_state(1)[0]
    return int(state) % EVALUATION_SEEDS.start


def _frame_format(encoding: Encoding, size: int) -> FrameFormat:
    if encoding not in ENCODINGS or not 16 <= size <= 2048:
        raise InputError(
            f"frames must be encoded as {', '.join(ENCODINGS)} and have 16 to 2048 pixels, not {encoding!r} and {size}"
        )
    return FrameFormat(encoding, size, size)


def _kept(order: _Order) -> Collected | None:
    """The file of an earlier call, if it was collected in the same way."""
    if order.overwrite or not order.path.exists():
        return None
    with DemoFile(order.path) as file:
        recipe = {key: file.info.policy.get(key) for key in order.recipe()}
        if recipe != order.recipe() or dict(file.info.env_options) != order.env_options:
            raise InputError(f"{order.path} was collected otherwise; name another folder, or replace it (--overwrite)")
        mean = float(file.read("reward").sum(dtype=np.float64)) / file.episodes
        return Collected(order.task, order.path, file.episodes, 0, mean, "kept")


def _has_frames(order: _Order) -> bool:
    """Whether there is nothing to draw any more for a file that is there."""
    path = frames_path(order.path)
    if order.frames is None or not path.exists():
        return order.frames is None
    with FrameFile(path) as frames, DemoFile(order.path) as demos:
        if frames.kind != order.frames:
            raise InputError(f"{path} was drawn otherwise; name another folder, or replace it (--overwrite)")
        frames.check_match(demos)
    return True


def _run(orders: Sequence[_Order], workers: int) -> Iterator[Collected]:
    if workers == 1 or len(orders) < 2:
        yield from map(_collect_task, orders)
        return
    # Simulators and their graphics do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(min(workers, len(orders)), context) as pool:
        futures = [pool.submit(_collect_task, order) for order in orders]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _collect_task(order: _Order) -> Collected:
    result = _kept(order) or _play_task(order)
    if order.frames is not None and result.episodes:
        with DemoFile(order.path) as file:
            drawn = draw(TaskDemos(file), order.frames.height)
            batches = ([encode(frame, order.frames.encoding) for frame in frames] for frames in drawn)
            write_frames(file, batches, order.frames, origin="drawn", versions=_versions(file.task))
    return result


def _play_task(order: _Order) -> Collected:
    task = get_task(order.task)
    agent = load_agent_factory(order.agent)([task], seed=order.seed, **order.options)
    agent.reset(demonstration_seed(order.seed, task, order.attempts))
    env = _Recorder(gymnasium.make(task.id, **order.env_options))
    try:
        played = _play(agent, env, order, task)
        kept, attempts, threshold = _choose(played, order)
    finally:
        env.close()
    if not kept:
        return Collected(order.task, order.path, 0, attempts, float("nan"), "none")
    policy = {**order.recipe(), "command": order.command, "attempts": attempts, "return_threshold": threshold}
    info = Info.of(task, policy, _versions(task), licence=order.licence, env_options=order.env_options)
    frames_path(order.path).unlink(missing_ok=True)  # of the file that is replaced
    write_demos(order.path, info, kept, order.compression)
    mean = float(np.mean([episode.episode_return for episode in kept]))
    return Collected(
        order.task, order.path, len(kept), attempts, mean, "new" if len(kept) == order.episodes else "short"
    )


def _versions(task: Task) -> dict[str, str]:
    """Versions of what plays and draws a task."""
    packages = package_versions(sorted(extra_requirements(load_domain(task.domain).extra)))
    python = platform.python_version()
    return {"newt_bench": __version__, "python": python, **packages, "numpy": np.__version__}


def _choose(played: Iterator[Episode], order: _Order) -> tuple[list[Episode], int, float | None]:
    """Accepted episodes, how many were played for them, and the least return that was accepted."""
    if not order.accept:
        return list(itertools.islice(played, order.episodes)), order.episodes, None
    first = list(itertools.islice(played, max(order.episodes, _FIRST_EPISODES)))
    threshold = return_threshold([episode.episode_return for episode in first])
    kept = [episode for episode in first if is_accepted(episode, threshold)][: order.episodes]
    attempts = len(first)
    while len(kept) < order.episodes and attempts < order.attempts:
        episode = next(played)
        attempts += 1
        if is_accepted(episode, threshold):
            kept.append(episode)
    return kept, attempts, threshold


def _play(agent: Agent, env: _Recorder, order: _Order, task: Task) -> Iterator[Episode]:
    """Episodes without end."""
    attempt = 0
    while True:
        seed = demonstration_seed(order.seed, task, attempt)
        for _ in roll_out(agent, env, 0, seed):
            pass
        yield env.episode(task, seed)
        attempt += 1


class _Recorder(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Notes everything of an episode."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._observations: list[NDArray[np.float32]] = []
        self._steps: list[tuple[NDArray[np.float32], float, float, float]] = []

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Starts an episode."""
        obs, info = self.env.reset(**options)
        self._observations, self._steps = [obs.copy()], []
        return obs, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Plays a step, with the action that counts: the clipped one."""
        played = np.clip(action, -1, 1).astype(np.float32)
        obs, reward, terminated, truncated, info = self.env.step(played)
        self._observations.append(obs.copy())
        self._steps.append((played, float(reward), info["success"], info["score"]))
        return obs, reward, terminated, truncated, info

    def episode(self, task: Task, seed: int) -> Episode:
        """The episode so far."""
        actions, rewards, successes, scores = zip(*self._steps, strict=True)
        flags = np.array(successes) if task.has_success else np.full(len(rewards), UNKNOWN)
        return Episode(
            observation=np.array(self._observations, np.float32),
            action=np.array(actions, np.float32),
            reward=np.array(rewards, np.float32),
            success=flags.astype(np.int8),
            score=np.array(scores, np.float32),
            reset_seed=seed,
            task=task.name,
        )
