"""Writes demonstrations as a LeRobot data set, version 3.0 of its layout.

A row is a step: the observation before it, the action, and what came of it. The observation after an episode's last
step has no row there; it is kept as `final_observation` among the episodes' own data, so that nothing is lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.atomic import atomic_folder
from newt_bench.demos.dataset import TaskDemos
from newt_bench.extras import import_optional

__all__ = ["write_lerobot"]

_VERSION = "v3.0"
_FPS = 25  # only tells how timestamps are spaced; the control rates of simulators differ
_DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_TYPES = {"float32": "<f4", "int64": "<i8", "bool": "?"}


def write_lerobot(demos: TaskDemos, folder: Path) -> None:
    """Writes a data set of one task. The folder appears whole or not at all.

    Args:
        demos: The demonstrations.
        folder: The root of the data set.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    arrow: Any = _import("pyarrow")
    columns = _columns(demos)
    features = {
        name: {"dtype": _dtype_name(values), "shape": list(values.shape[1:] or (1,)), "names": None}
        for name, values in columns.items()
    }
    task, info = demos.task, demos.info
    with atomic_folder(folder) as made:
        table = arrow.table({name: _arrow_array(arrow, values) for name, values in columns.items()})
        _write(made / _DATA.format(chunk_index=0, file_index=0), table)
        _write(made / "meta/episodes/chunk-000/file-000.parquet", arrow.table(_episodes(arrow, demos)))
        _write(made / "meta/tasks.parquet", _tasks(arrow, task.instruction))
        _write_json(
            made / "meta/info.json",
            {
                "codebase_version": _VERSION,
                "robot_type": "newt-bench",
                "total_episodes": len(demos),
                "total_frames": demos.steps,
                "total_tasks": 1,
                "chunks_size": 1000,
                "data_files_size_in_mb": 100,
                "video_files_size_in_mb": 200,
                "fps": _FPS,
                "splits": {"train": f"0:{len(demos)}"},
                "data_path": _DATA,
                "video_path": None,
                "features": features,
            },
        )
        _write_json(made / "meta/stats.json", {name: _statistics(values) for name, values in columns.items()})
        _write_json(
            made / "meta/newt_bench.json",
            {
                "task": task.id,
                "instruction": task.instruction,
                "policy": dict(info.policy),
                "versions": dict(info.versions),
                "licence": info.licence,
            },
        )


def _columns(demos: TaskDemos) -> dict[str, NDArray[Any]]:
    """A row per step, in LeRobot's names. Vectors of one entry are numbers there."""
    lengths = np.diff(demos.offsets)
    episode = np.repeat(np.arange(len(demos)), lengths)
    step = np.arange(demos.steps) - demos.offsets[episode]
    before = np.arange(demos.steps) + episode  # rows of the observations that actions were chosen on
    columns = {
        "observation.state": demos.observation[before],
        "action": np.asarray(demos.action),
        "next.reward": np.asarray(demos.reward),
        "next.success": demos.success.astype(np.int64),
        "next.score": np.asarray(demos.score),
        "next.done": step == lengths[episode] - 1,
        "timestamp": (step / _FPS).astype(np.float32),
        "frame_index": step,
        "episode_index": episode,
        "index": np.arange(demos.steps),
        "task_index": np.zeros(demos.steps, np.int64),
    }
    return {name: values[:, 0] if values.shape[1:] == (1,) else values for name, values in columns.items()}


def _episodes(arrow: Any, demos: TaskDemos) -> dict[str, Any]:
    count = len(demos)
    nothing = np.zeros(count, np.int64)
    last = demos.offsets[1:] + np.arange(count)
    return {
        "episode_index": np.arange(count),
        "tasks": [[demos.task.instruction]] * count,
        "length": np.diff(demos.offsets),
        "dataset_from_index": demos.offsets[:-1],
        "dataset_to_index": demos.offsets[1:],
        "data/chunk_index": nothing,
        "data/file_index": nothing,
        "meta/episodes/chunk_index": nothing,
        "meta/episodes/file_index": nothing,
        "reset_seed": demos.reset_seed,
        "final_observation": _arrow_array(arrow, demos.observation[last]),
    }


def _tasks(arrow: Any, instruction: str) -> Any:
    """A table whose index, for pandas, is the instruction."""
    number = {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
    text = {"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object"}
    described = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [{**number, "metadata": None}, {**text, "metadata": None}],
        "pandas_version": "2.0.0",
    }
    table = arrow.table({"task_index": np.zeros(1, np.int64), "task": [instruction]})
    return table.replace_schema_metadata({"pandas": json.dumps(described)})


def _statistics(values: NDArray[Any]) -> Mapping[str, Any]:
    """What policies normalise with: of known numbers."""
    rows = values.astype(np.float64).reshape(len(values), -1)
    known = rows if np.isfinite(rows).any() else np.zeros_like(rows)
    found = {
        "min": np.nanmin(known, axis=0),
        "max": np.nanmax(known, axis=0),
        "mean": np.nanmean(known, axis=0),
        "std": np.nanstd(known, axis=0),
    }
    return {**{name: numbers.tolist() for name, numbers in found.items()}, "count": [len(rows)]}


def _arrow_array(arrow: Any, values: NDArray[Any]) -> Any:
    if values.ndim == 1:
        return arrow.array(values)
    return arrow.FixedSizeListArray.from_arrays(arrow.array(np.ravel(values)), values.shape[1])


def _dtype_name(values: NDArray[Any]) -> str:
    return next(name for name, dtype in _TYPES.items() if values.dtype == dtype)


def _write(path: Path, table: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _import("pyarrow.parquet").write_table(table, path)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def _import(module: str) -> Any:
    return import_optional(module, extra="lerobot", packages=("pyarrow",), wanted_by="Exporting to LeRobot")
