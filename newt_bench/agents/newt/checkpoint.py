"""Newt's checkpoints: weights with the tasks and settings that they are for, and optionally the state of training."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from newt_bench.agents.shared.checkpoints import (
    CONFIG,
    WEIGHTS,
    read_config,
    read_tensors,
    tensor_mismatches,
    write_tensors,
)
from newt_bench.agents.shared.distributed import total
from newt_bench.atomic import write_text
from newt_bench.catalogue import Task
from newt_bench.errors import AgentError
from newt_bench.replay import Recorder, Replay
from newt_bench.version import __version__

if TYPE_CHECKING:
    from newt_bench.agents.newt.agent import NewtAgent
    from newt_bench.agents.newt.model import WorldModel

__all__ = [
    "FORMAT",
    "TASK_TENSORS",
    "Found",
    "as_json",
    "description",
    "load_training",
    "load_weights",
    "read",
    "task_facts",
    "write",
    "write_training",
]

FORMAT = "newt-bench/newt-1"
TRAINING, TRAINING_STATE = "training.safetensors", "training.json"

#: Tensors of the model that belong to tasks, not to networks.
TASK_TENSORS = ("embeddings", "masks", "discounts")


@dataclasses.dataclass(frozen=True)
class Found:
    """A checkpoint, with the task tensors narrowed to the tasks asked for.

    Attributes:
        config: Hyper-parameters.
        tensors: The model's tensors by name.
        steps: Environment steps behind it.
        text_encoder: Name of what made the embeddings.
    """

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    steps: int
    text_encoder: str | None

    @property
    def embeddings(self) -> Tensor:
        """Task embeddings, shape (tasks, width)."""
        return self.tensors["embeddings"]


def task_facts(task: Task) -> dict[str, Any]:
    """What a model's fitness for a task depends on."""
    return {
        "id": task.id,
        "obs_dim": task.obs_dim,
        "action_dim": task.action_dim,
        "max_episode_steps": task.max_episode_steps,
        "discount": task.discount,
        "text": task.text,
    }


def description(
    config: Mapping[str, Any], tasks: Sequence[Task], steps: int, text_encoder: str | None
) -> dict[str, Any]:
    """The content of a checkpoint's `config.json`."""
    return {
        "format": FORMAT,
        "newt_bench": __version__,
        "config": dict(config),
        "tasks": [task_facts(task) for task in tasks],
        "text_encoder": text_encoder,
        "steps": steps,
    }


def as_json(content: Mapping[str, Any]) -> str:
    """Text of a checkpoint's `config.json`."""
    return json.dumps(content, indent=1) + "\n"


def write(folder: Path, agent: NewtAgent) -> None:
    """Writes weights and settings."""
    content = description(agent.config.to_dict(), agent.tasks, agent.steps, agent.text_encoder)
    write_text(folder / CONFIG, as_json(content))
    write_tensors(folder / WEIGHTS, agent.model.state_dict())


def read(folder: Path, tasks: Sequence[Task]) -> Found:
    """Reads weights and settings for some or all of a checkpoint's tasks.

    Raises:
        AgentError: The folder is no such checkpoint, or not for these tasks as they are now.
    """
    content = read_config(folder, FORMAT)
    saved = {facts["id"]: (row, facts) for row, facts in enumerate(content["tasks"])}
    problems = []
    for task in tasks:
        if task.id not in saved:
            problems.append(f"it was not trained on {task.id}")
            continue
        facts = saved[task.id][1]
        now = task_facts(task)
        problems += [f"{task.id}: {k} was {facts.get(k)!r}, is {now[k]!r}" for k in now if facts.get(k) != now[k]]
    tensors = read_tensors(folder / WEIGHTS)
    problems += [f"{name} is missing" for name in TASK_TENSORS if name not in tensors]
    if problems:
        raise _unfit(folder, problems)
    rows = [saved[task.id][0] for task in tasks]
    tensors |= {name: tensors[name][rows] for name in TASK_TENSORS}
    return Found(content["config"], tensors, int(content["steps"]), content["text_encoder"])


def load_weights(model: WorldModel, found: Found, folder: Path) -> None:
    """Puts a checkpoint's weights into a model.

    Raises:
        AgentError: They do not fit; all mismatches are listed.
    """
    problems = tensor_mismatches(model.state_dict(), found.tensors)
    if problems:
        raise _unfit(folder, problems)
    model.load_state_dict(found.tensors)


def write_training(folder: Path, agent: NewtAgent) -> None:
    """Writes what resuming needs: moments, random streams, slots, replay buffers."""
    tensors = _prefixed("learner", agent.learner.state())
    state: dict[str, Any] = {
        "seed": agent.seed,
        "pretrained": agent.pretrained,
        "warmup": agent.learner.warmup,
        "owed": agent._owed,
        "slot_steps": agent._slot_steps.tolist(),
        "learner": agent.learner.randomness.state(),
    }
    for mode, actor in agent._actors.items():
        memory, state[mode] = actor.state()
        tensors |= _prefixed(mode, memory)
    if agent._recorder is not None:
        tensors |= _prefixed("recorder", _tensors(agent._recorder.state()))
    (folder / TRAINING_STATE).write_text(json.dumps(state) + "\n", encoding="utf-8")
    write_tensors(folder / TRAINING, tensors)
    for name, buffer in (("online", agent._replay), ("demonstrations", agent._demonstrations)):
        if buffer is not None:
            write_tensors(folder / f"{name}.safetensors", _tensors(buffer.state()))


def load_training(folder: Path, agent: NewtAgent) -> None:
    """Makes an agent, just built from the same folder, go on as the saved one would have; if there is a state.

    Raises:
        AgentError: The state is for other tasks, or for another seed.
    """
    if not (folder / TRAINING_STATE).exists():
        return
    state = json.loads((folder / TRAINING_STATE).read_text(encoding="utf-8"))
    saved = [facts["id"] for facts in read_config(folder, FORMAT)["tasks"]]
    if saved != [task.id for task in agent.tasks]:
        raise _unfit(folder, [f"its training state is for the tasks {', '.join(saved)}, in this order"])
    tensors = read_tensors(folder / TRAINING)
    agent.seed, agent.pretrained = state["seed"], state["pretrained"]
    agent.learner.warmup = state["warmup"]
    agent.learner.load_state(_part("learner", tensors))
    agent.learner.randomness.load_state(state["learner"])
    for mode, actor in agent._actors.items():
        actor.load_state(_part(mode, tensors), state[mode])
    agent._owed, agent._slot_steps = state["owed"], np.array(state["slot_steps"], np.int64)
    recorded = {name: tensor.numpy() for name, tensor in _part("recorder", tensors).items()}
    if recorded:
        longest = max(task.max_episode_steps for task in agent.tasks)
        seen = agent._perception
        agent._recorder = Recorder(len(recorded["steps"]), longest, seen.width, seen.action_width)
        agent._recorder.load_state(recorded)
        agent._total_slots = int(total(len(agent._recorder)))
    agent._replay = _load_buffer(folder, agent, "online")
    agent._demonstrations = _load_buffer(folder, agent, "demonstrations")


def _load_buffer(folder: Path, agent: NewtAgent, name: str) -> Replay | None:
    path = folder / f"{name}.safetensors"
    if not path.exists():
        return None
    buffer = agent._buffer(name)
    buffer.load_state({key: tensor.numpy() for key, tensor in read_tensors(path).items()})
    return buffer


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def _part(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}/"
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _tensors(arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.asarray(array, order="C")) for name, array in arrays.items()}


def _unfit(folder: Path, problems: Sequence[str]) -> AgentError:
    return AgentError(f"The checkpoint {folder} does not fit: {'; '.join(problems)}")
