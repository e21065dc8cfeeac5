"""What the checkpoint folder of an agent with networks holds, and how it is read back.

`config.json` tells the agent's settings and the tasks, `weights.safetensors` holds the networks. A resumable checkpoint
adds `training.json` and `training.safetensors` with everything else that training needs to go on, and one safetensors
file per replay buffer.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from newt_bench.agents.shared.checkpoints import (
    CONFIG,
    WEIGHTS,
    read_config,
    read_tensors,
    tensor_mismatches,
    write_tensors,
)
from newt_bench.atomic import write_text
from newt_bench.catalogue import Task
from newt_bench.errors import AgentError
from newt_bench.version import __version__

__all__ = ["Found", "TrainingState", "read_agent", "read_training", "task_facts", "write_agent", "write_training"]

_TRAINING, _TRAINING_STATE = "training.safetensors", "training.json"


def task_facts(task: Task) -> dict[str, Any]:
    """What an agent's fitness for a task depends on."""
    return {
        "id": task.id,
        "obs_dim": task.obs_dim,
        "action_dim": task.action_dim,
        "max_episode_steps": task.max_episode_steps,
        "discount": task.discount,
        "text": task.text,
    }


def write_agent(
    folder: Path,
    kind: str,
    *,
    config: Mapping[str, Any],
    tasks: Sequence[Task],
    steps: int,
    text_encoder: str | None,
    tensors: Mapping[str, Tensor],
) -> None:
    """Writes settings and weights.

    Args:
        folder: An existing folder.
        kind: The agent's format, such as `newt-bench/bc-1`.
        config: Its settings, JSON-compatible.
        tasks: The tasks that it was built for.
        steps: Environment steps behind it.
        text_encoder: Name of what made the embeddings of the tasks' texts, or None if there are none.
        tensors: Its weights by name.
    """
    content = {
        "format": kind,
        "newt_bench": __version__,
        "config": dict(config),
        "tasks": [task_facts(task) for task in tasks],
        "text_encoder": text_encoder,
        "steps": steps,
    }
    write_text(folder / CONFIG, json.dumps(content, indent=1) + "\n")
    write_tensors(folder / WEIGHTS, tensors)


@dataclasses.dataclass(frozen=True)
class Found:
    """A checkpoint as it was read.

    Attributes:
        folder: Where it lies.
        config: The agent's settings.
        tensors: Its weights by name, for all tasks of the checkpoint.
        rows: Index of each task asked for among the checkpoint's tasks.
        steps: Environment steps behind it.
        text_encoder: Name of what made the embeddings, or None.
        problems: In what the checkpoint does not suit the tasks asked for, in words.
    """

    folder: Path
    config: dict[str, Any]
    tensors: dict[str, Tensor]
    rows: tuple[int, ...]
    steps: int
    text_encoder: str | None
    problems: tuple[str, ...]

    def fitted(self, expected: Mapping[str, Tensor], task_rows: Iterable[str]) -> dict[str, Tensor]:
        """The weights for the tasks asked for.

        Args:
            expected: What the model that they are for has, by name.
            task_rows: Names of the tensors that have one row per task.

        Raises:
            AgentError: The checkpoint does not fit the tasks or the model; the message tells everything in which.
        """
        rows = list(self.rows)
        narrowed = {name: self.tensors[name][rows] for name in task_rows if name in self.tensors}
        tensors = self.tensors | narrowed
        problems = [*self.problems, *tensor_mismatches(expected, tensors)]
        if problems:
            raise _unfit(self.folder, problems)
        return tensors


def read_agent(folder: Path, kind: str, tasks: Sequence[Task]) -> Found:
    """Reads settings and weights for some or all of a checkpoint's tasks.

    Whether they suit the tasks is told by `Found.problems`, so that `Found.fitted` can report it with all the rest.

    Args:
        folder: The checkpoint.
        kind: What its format must be.
        tasks: The tasks asked for.

    Raises:
        AgentError: The folder is no checkpoint of this kind.
    """
    content = read_config(folder, kind)
    saved = {facts["id"]: (row, facts) for row, facts in enumerate(content["tasks"])}
    problems, rows = [], []
    for task in tasks:
        row, facts = saved.get(task.id, (0, None))
        rows.append(row)  # the first where there is none, so that shapes can be compared all the same
        if facts is None:
            problems.append(f"it was not trained on {task.id}")
            continue
        now = task_facts(task)
        problems += [f"{task.id}: {k} was {facts.get(k)!r}, is {now[k]!r}" for k in now if facts.get(k) != now[k]]
    return Found(
        folder=folder,
        config=content["config"],
        tensors=read_tensors(folder / WEIGHTS),
        rows=tuple(rows),
        steps=int(content["steps"]),
        text_encoder=content["text_encoder"],
        problems=tuple(problems),
    )


@dataclasses.dataclass
class TrainingState:
    """What training needs to go on as if it had not stopped.

    Attributes:
        values: Counts, random streams and the like, JSON-compatible.
        tensors: Groups of tensors by name, such as moments.
        buffers: Replay buffers by name: arrays by name, as `newt_bench.replay.Replay.state` tells them.
    """

    values: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]] = dataclasses.field(default_factory=dict)
    buffers: dict[str, dict[str, NDArray[Any]]] = dataclasses.field(default_factory=dict)

    def add_arrays(self, group: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Adds arrays as a group of tensors."""
        self.tensors[group] = _tensors(arrays)

    def arrays(self, group: str) -> dict[str, NDArray[Any]]:
        """A group of tensors as arrays; empty if it was not saved."""
        return {name: tensor.numpy() for name, tensor in self.tensors.get(group, {}).items()}


def write_training(folder: Path, state: TrainingState) -> None:
    """Writes the training state into an existing folder."""
    grouped = {f"{group}/{name}": t for group, tensors in state.tensors.items() for name, t in tensors.items()}
    (folder / _TRAINING_STATE).write_text(json.dumps(state.values) + "\n", encoding="utf-8")
    write_tensors(folder / _TRAINING, grouped)
    for name, arrays in state.buffers.items():
        write_tensors(folder / f"{name}.safetensors", _tensors(arrays))


def read_training(folder: Path, kind: str, tasks: Sequence[Task], buffers: Sequence[str] = ()) -> TrainingState | None:
    """Reads the training state of a checkpoint, if it has one.

    Args:
        folder: The checkpoint.
        kind: What its format must be.
        tasks: The tasks to go on with.
        buffers: Names of the buffers that there may be.

    Raises:
        AgentError: The state is for other tasks.
    """
    if not (folder / _TRAINING_STATE).exists():
        return None
    saved = [facts["id"] for facts in read_config(folder, kind)["tasks"]]
    if saved != [task.id for task in tasks]:
        raise _unfit(folder, [f"its training state is for the tasks {', '.join(saved)}, in this order"])
    state = TrainingState(json.loads((folder / _TRAINING_STATE).read_text(encoding="utf-8")))
    for full_name, tensor in read_tensors(folder / _TRAINING).items():
        group, _, name = full_name.partition("/")
        state.tensors.setdefault(group, {})[name] = tensor
    for name in buffers:
        path = folder / f"{name}.safetensors"
        if path.exists():
            state.buffers[name] = {key: tensor.numpy() for key, tensor in read_tensors(path).items()}
    return state


def _tensors(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.asarray(array, order="C")) for name, array in arrays.items()}


def _unfit(folder: Path, problems: Sequence[str]) -> AgentError:
    return AgentError(f"The checkpoint {folder} does not fit: {'; '.join(problems)}")
