"""Brings published demonstrations into this format.

The published layout: one saved TensorDict per task, flat over episodes. An episode of L steps takes L + 1 rows; row t
holds the observation after t steps, and the action and the reward that led to it; row 0 has neither (NaN).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import Task, get_task
from newt_bench.demos.format import SUFFIX, Info
from newt_bench.demos.tensorfile import read_tensors
from newt_bench.demos.writing import Compression, write_columns
from newt_bench.errors import DemosError
from newt_bench.version import __version__

__all__ = ["PUBLISHED_COLUMNS", "import_published", "import_published_folder"]

PUBLISHED_COLUMNS = ("obs", "action", "reward", "episode")


def import_published_folder(source: Path, out: Path, compression: Compression = "none") -> list[Path]:
    """Converts a published file `{task}.pt`, or all of a folder, into `out/{task}.h5`.

    Raises:
        DemosError: There is none, or one cannot be read.
    """
    files = sorted(source.glob("*.pt")) if source.is_dir() else [source]
    if not files:
        raise DemosError(f"{source} holds no files {{task}}.pt")
    made = []
    for file in files:
        target = out / f"{file.stem}{SUFFIX}"
        import_published(file, get_task(file.stem), target, compression=compression)
        made.append(target)
    return made


def import_published(
    source: Path,
    task: Task,
    out: Path,
    *,
    origin: Mapping[str, Any] | None = None,
    licence: str = "unknown",
    compression: Compression = "none",
) -> None:
    """Converts one published file. No code of the file is run.

    Args:
        source: A saved TensorDict in the published layout.
        task: The task that it holds demonstrations of.
        out: The file to write.
        origin: Where the file comes from, for `Info.policy`.
        licence: Its licence, as far as known.
        compression: How to store the datasets.

    Raises:
        DemosError: The file is unsafe, damaged, or not in the published layout.
    """
    rows = read_tensors(source, PUBLISHED_COLUMNS)
    try:
        columns = _columns(rows, task)
    except DemosError as error:
        raise DemosError(f"{source}: {error}") from error
    policy = {"name": "published", "file": source.name, "imported_by": f"newt-bench {__version__}", **(origin or {})}
    write_columns(out, Info.of(task, policy, {}, licence=licence), columns, compression)


def _columns(rows: Mapping[str, NDArray[Any]], task: Task) -> dict[str, NDArray[Any]]:
    number = rows["episode"].reshape(-1)
    count = len(number)
    if not count or any(
        len(rows[name]) != count for name in (*PUBLISHED_COLUMNS, *(["feat"] if "feat" in rows else []))
    ):
        raise DemosError("its tensors have different lengths, or none")
    starts = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
    if len(np.unique(number[starts])) < len(starts) or (np.diff(starts, append=count) < 2).any():
        raise DemosError("the rows of an episode do not follow each other, or there is only one")
    inner = np.ones(count, bool)
    inner[starts] = False
    observation = _trim("obs", rows["obs"], task.obs_dim)
    action = _trim("action", rows["action"], task.action_dim)[inner]
    reward = rows["reward"].reshape(count)[inner].astype(np.float32)
    for name, array in (("obs", observation), ("action", action), ("reward", reward)):
        if not np.isfinite(array).all():
            raise DemosError(f"'{name}' holds NaN in other rows than an episode's first")
    offset = np.append(starts - np.arange(len(starts)), count - len(starts))
    columns = {
        "observation": observation,
        "action": np.clip(action, -1, 1),
        "reward": reward,
        "offset": offset,
    }
    if not task.has_success:
        columns["score"] = _running_score(task, reward, offset)
    if "feat" in rows:
        columns["feature"] = rows["feat"].reshape(count, -1)
    return columns


def _trim(name: str, array: NDArray[Any], width: int) -> NDArray[Any]:
    """Takes off the padding of rows of multitask data."""
    if array.ndim != 2 or array.shape[1] < width or np.nan_to_num(array[:, width:]).any():
        raise DemosError(f"'{name}' has shape {array.shape} where the task has {width} entries")
    return array[:, :width]


def _running_score(task: Task, reward: NDArray[np.float32], offset: NDArray[np.int64]) -> NDArray[np.float64]:
    total = np.cumsum(reward, dtype=np.float64)
    before = np.repeat(total[offset[:-1]] - reward[offset[:-1]], np.diff(offset))
    score = (total - before - task.score.low) / (task.score.high - task.score.low)
    return np.clip(score, 0, 1) if task.score.clip else score
