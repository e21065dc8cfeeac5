"""Says what is wrong with files of demonstrations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from newt_bench.catalogue import Task
from newt_bench.demos.dataset import TaskDemos
from newt_bench.demos.format import SUFFIX, UNKNOWN
from newt_bench.demos.frames import FRAMES_SUFFIX, frames_path
from newt_bench.demos.reading import DemoFile
from newt_bench.errors import DemosError

__all__ = ["demo_files", "problems", "require_complete", "validate"]

_TOLERANCE = 1e-3


def demo_files(path: Path) -> list[Path]:
    """The file itself, or all files of demonstrations in a folder; not the files of frames beside them.

    Raises:
        DemosError: There is none.
    """
    found = [path]
    if path.is_dir():
        found = [
            file
            for file in sorted(path.glob(f"*{SUFFIX}"))
            if not file.name.endswith(FRAMES_SUFFIX) and not file.name.startswith(".")
        ]
    if not found or not path.exists():
        raise DemosError(f"{path} {'holds no files of demonstrations' if path.is_dir() else 'does not exist'}")
    return found


def validate(path: str | Path) -> dict[Path, list[str]]:
    """Checks files of demonstrations, numbers included, and every frame of the files of frames beside them.

    Args:
        path: A file, or a folder of files. A file of frames stands for the demonstrations that they are of.

    Returns:
        What is wrong with each file, in sentences; empty for a good one.

    Raises:
        DemosError: There is no file.
    """
    path = Path(path)
    if path.name.endswith(FRAMES_SUFFIX):
        path = path.with_name(f"{path.name.removesuffix(FRAMES_SUFFIX)}{SUFFIX}")
    found = {file: list(problems(file)) for file in demo_files(path)}
    beside = {frames_path(file) for file in found}
    alone = [file for file in sorted(path.glob(f"*{FRAMES_SUFFIX}")) if file not in beside] if path.is_dir() else []
    return {**found, **{file: ["there are no demonstrations beside its frames"] for file in alone}}


def problems(path: Path) -> Iterator[str]:
    """What is wrong with a file, one sentence at a time."""
    try:
        with DemoFile(path) as file:
            task = file.task
            yield from _misfits(TaskDemos(file), task)
            yield from _wrong_frames(TaskDemos(file))
    except DemosError as error:
        yield str(error).removeprefix(f"{path}: ")


def _wrong_frames(demos: TaskDemos) -> Iterator[str]:
    frames = demos.frame_file
    if frames is None:
        return
    with frames:
        if frames.task != demos.info.task:
            yield f"{frames.path} has frames of {frames.task}"
        for index in range(len(demos)):
            demos.frames(index)


def _misfits(demos: TaskDemos, task: Task) -> Iterator[str]:
    if demos.info.task_id != task.id:
        yield f"it was recorded on {demos.info.task_id}, and the catalogue has {task.id}"
    for name, expected in (("observation", task.obs_dim), ("action", task.action_dim)):
        width = getattr(demos, name).shape[1]
        if width != expected:
            yield f"{name} has {width} entries where {task.name} has {expected}"
    lengths = np.diff(demos.offsets)
    for index in np.flatnonzero(lengths != task.max_episode_steps)[:1]:
        yield f"episode {index} has {lengths[index]} steps where {task.name} has {task.max_episode_steps}"
    for name in ("observation", "action", "reward"):
        bad = np.flatnonzero(~np.isfinite(getattr(demos, name)).reshape(len(getattr(demos, name)), -1).all(axis=1))
        if len(bad):
            yield f"{name} holds NaN or infinity in {len(bad)} rows, first in row {bad[0]}"
    if np.nanmax(np.abs(demos.action)) > 1:
        yield f"action leaves [-1, 1] in row {int(np.argmax(np.abs(demos.action).max(axis=1) > 1))}"
    yield from _wrong_flags(demos, task)
    yield from _wrong_seeds(demos)


def _wrong_flags(demos: TaskDemos, task: Task) -> Iterator[str]:
    allowed = (0, 1, UNKNOWN) if task.has_success else (UNKNOWN,)
    if not np.isin(demos.success, allowed).all():
        yield f"success must be one of {allowed} for {task.name}"
    for index, (episode_return, flag, score) in enumerate(
        zip(demos.returns, demos.final_success, demos.final_score, strict=True)
    ):
        known = flag != UNKNOWN or not task.has_success
        expected = task.score(float(episode_return), float(flag))
        if known and not np.isnan(score) and abs(score - expected) > _TOLERANCE:
            yield f"episode {index} has score {score:.4f} where its rewards and success make {expected:.4f}"
            return


def _wrong_seeds(demos: TaskDemos) -> Iterator[str]:
    seeds = demos.reset_seed
    if ((seeds < UNKNOWN) | (seeds >= 2**31)).any():
        yield "reset_seed must lie in [0, 2**31), or be -1 where it is not known"
    known = seeds[seeds != UNKNOWN]
    if len(np.unique(known)) < len(known):
        yield "two episodes have the same reset_seed"


def require_complete(files: Iterable[Path]) -> list[DemoFile]:
    """Checks that files may be published: valid, and with nothing left out that tells where they come from.

    Returns:
        The files, open.

    Raises:
        DemosError: One of them is not valid or not complete.
    """
    return [_complete(path) for path in files]


def _complete(path: Path) -> DemoFile:
    for problem in problems(path):
        raise DemosError(f"{path} is not valid: {problem}")
    file = DemoFile(path)
    info, demos = file.info, TaskDemos(file)
    lacking = [f"policy.{name}" for name in ("name", "checkpoint", "command") if name not in info.policy]
    lacking += [f"versions.{name}" for name in ("newt_bench", "python") if name not in info.versions]
    lacking += [] if len(info.versions) > 2 else ["versions of the simulator"]
    lacking += ["licence"] * (not info.licence)
    lacking += ["reset_seed"] * bool((demos.reset_seed == UNKNOWN).any())
    lacking += ["success"] * bool(file.task.has_success and (demos.success == UNKNOWN).any())
    lacking += ["score"] * bool(np.isnan(demos.score).any())
    if lacking:
        file.close()
        raise DemosError(f"{path} cannot be published: it does not tell {', '.join(lacking)}")
    return file
