"""Writes demonstrations in the formats of other libraries."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import gymnasium
import numpy as np

from newt_bench.demos.dataset import TaskDemos
from newt_bench.demos.format import Episode
from newt_bench.demos.lerobot import write_lerobot
from newt_bench.errors import DemosError, InputError
from newt_bench.extras import import_optional

__all__ = ["ExportFormat", "export"]

ExportFormat = Literal["minari", "lerobot"]


def export(demos: TaskDemos, out: Path, kind: ExportFormat = "minari") -> str:
    """Writes demonstrations of a task as a data set of another library.

    Args:
        demos: Demonstrations of a task.
        out: Folder of the library's data sets; `MINARI_DATASETS_PATH` for Minari, `HF_LEROBOT_HOME` for LeRobot.
        kind: The library.

    Returns:
        The name under which the library loads it, such as `newt-bench/walker-run-v0`.

    Raises:
        InputError: There is no such format.
        DemosError: The data set is there already.
        MissingExtraError: The library is not installed.
    """
    if kind not in get_args(ExportFormat):
        raise InputError(f"format must be one of {', '.join(get_args(ExportFormat))}, not {kind!r}")
    name = f"newt-bench/{demos.task.name}{'-v0' if kind == 'minari' else ''}"
    if (out / name).exists():
        raise DemosError(f"{out / name} exists; name another folder, or remove it")
    if kind == "lerobot":
        write_lerobot(demos, out / name)
    else:
        _write_minari(demos, out, name)
    return name


def _write_minari(demos: TaskDemos, out: Path, name: str) -> None:
    minari: Any = import_optional("minari", extra="minari", packages=("minari",), wanted_by="Exporting to Minari")
    task = demos.task
    out.mkdir(parents=True, exist_ok=True)
    buffers = [_buffer(minari, episode) for episode in demos]
    with _datasets_path(out.resolve()):
        dataset = minari.create_dataset_from_buffers(
            dataset_id=name,
            buffer=buffers,
            env=gymnasium.spec(task.id),
            eval_env=gymnasium.spec(task.id),
            observation_space=gymnasium.spaces.Box(-np.inf, np.inf, (demos.observation.shape[1],), np.float32),
            action_space=gymnasium.spaces.Box(-1.0, 1.0, (demos.action.shape[1],), np.float32),
            algorithm_name=str(demos.info.policy.get("name")),
            author="newt-bench",
            author_email="none",
            code_permalink="https://github.com/newt-bench/newt-bench",
            description=task.instruction,
        )
    dataset.storage.update_metadata(
        {
            "newt_bench_task": task.id,
            "instruction": task.instruction,
            "policy": json.dumps(dict(demos.info.policy)),
            "versions": json.dumps(dict(demos.info.versions)),
            "licence": demos.info.licence,
        }
    )


def _buffer(minari: Any, episode: Episode) -> Any:
    length = len(episode)
    last = np.arange(length) == length - 1
    infos = {
        "success": np.append(np.int8(-1), episode.success),
        "score": np.append(np.float32(np.nan), episode.score),
    }
    return minari.data_collector.EpisodeBuffer(
        id=None,
        seed=episode.reset_seed if episode.reset_seed >= 0 else None,
        options=None,
        observations=episode.observation,
        actions=episode.action,
        rewards=episode.reward.astype(np.float64),
        terminations=np.zeros(length, bool),
        truncations=last,
        infos=infos,
    )


@contextmanager
def _datasets_path(folder: Path) -> Iterator[None]:
    """Where Minari looks for its data sets, for the block."""
    before = os.environ.get("MINARI_DATASETS_PATH")
    os.environ["MINARI_DATASETS_PATH"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["MINARI_DATASETS_PATH"]
        else:
            os.environ["MINARI_DATASETS_PATH"] = before
