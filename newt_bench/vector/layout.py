"""Which slots a vector environment has, and which worker hosts which."""

from __future__ import annotations

import dataclasses
import functools
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import PADDED_ACTION_DIM, PADDED_OBS_DIM, Task, resolve_tasks
from newt_bench.errors import InputError

__all__ = ["Layout", "Slot", "assign_to_workers", "episode_seed", "make_layout", "step_cost"]

# Domains in an order in which neighbours share simulators: a worker hosts a stretch of it.
_LINE = (
    "maniskill",
    "metaworld",
    "mujoco",
    "ogbench",
    "robodesk",
    "dmcontrol",
    "dmcontrol-ext",
    "box2d",
    "miniarcade",
    "atari",
)
_SEED_BITS = 30


@dataclasses.dataclass(frozen=True)
class Slot:
    """One running environment.

    Attributes:
        task: Its task.
        copy: Which of the task's copies it is, from 0.
    """

    task: Task
    copy: int


@dataclasses.dataclass(frozen=True)
class Layout:
    """All slots of a vector environment, and what is known of each as arrays.

    Attributes:
        tasks: The distinct tasks.
        slots: The slots: all copies of the first task, then those of the second, and so on.
        obs_size: Length of the state vectors in a batch.
        action_size: Length of the actions in a batch.
        task_index: Index into `tasks` of each slot's task, int64 of shape (slots,).
        obs_dim: How many entries of the state vector the slot's task uses, int64 of shape (slots,).
        action_dim: How many entries of the action it uses, int64 of shape (slots,).
        action_mask: True where an action entry is used, of shape (slots, action_size).
    """

    tasks: tuple[Task, ...]
    slots: tuple[Slot, ...]
    obs_size: int
    action_size: int
    task_index: NDArray[np.int64]
    obs_dim: NDArray[np.int64]
    action_dim: NDArray[np.int64]
    action_mask: NDArray[np.bool_]


def make_layout(tasks: str | Task | Iterable[str | Task], copies: int, pad: bool) -> Layout:
    """Lays out the slots.

    Args:
        tasks: Task names or records; repetitions are dropped.
        copies: Slots per task.
        pad: Whether batches have the sizes that hold every task of the catalogue.

    Raises:
        InputError: There is no task, `copies` is not positive, or without `pad` the tasks' sizes differ.
    """
    chosen = resolve_tasks(tasks, "play")
    if copies < 1:
        raise InputError(f"num_envs_per_task must be at least 1, not {copies}")
    obs_size, action_size = (PADDED_OBS_DIM, PADDED_ACTION_DIM) if pad else _common_sizes(chosen)
    slots = tuple(Slot(task, copy) for task in chosen for copy in range(copies))
    action_dim = np.array([slot.task.action_dim for slot in slots])
    return Layout(
        tasks=chosen,
        slots=slots,
        obs_size=obs_size,
        action_size=action_size,
        task_index=np.repeat(np.arange(len(chosen)), copies),
        obs_dim=np.array([slot.task.obs_dim for slot in slots]),
        action_dim=action_dim,
        action_mask=np.arange(action_size) < action_dim[:, None],
    )


def _common_sizes(tasks: Sequence[Task]) -> tuple[int, int]:
    first = tasks[0]
    for task in tasks:
        if (task.obs_dim, task.action_dim) != (first.obs_dim, first.action_dim):
            raise InputError(
                f"pad=False needs tasks of equal sizes, but {first.name} has {first.obs_dim} observations and "
                f"{first.action_dim} actions, {task.name} {task.obs_dim} and {task.action_dim}; leave pad=True"
            )
    return first.obs_dim, first.action_dim


def assign_to_workers(slots: Sequence[Slot], num_workers: int) -> tuple[tuple[int, ...], ...]:
    """Shares slots out: few simulators per worker, and about the same work for each.

    The slots stand in a line, domain by domain, and the line is cut into stretches of equal cost. A domain
    is shared by two workers only where a cut falls into it.

    Args:
        slots: The slots.
        num_workers: How many workers there are at most.

    Returns:
        Indices of each worker's slots; no worker is without any.
    """
    line = sorted(range(len(slots)), key=lambda i: (_LINE.index(slots[i].task.domain), i))
    costs = np.array([step_cost(slots[i].task) for i in line])
    middles = (np.cumsum(costs) - costs / 2) / costs.sum()
    workers = np.minimum((middles * num_workers).astype(int), num_workers - 1)
    shares = [tuple(line[k] for k in np.flatnonzero(workers == worker)) for worker in range(num_workers)]
    return tuple(share for share in shares if share)


def step_cost(task: Task) -> float:
    """Milliseconds that an agent step of the task takes, resets included, as once measured on one machine.

    A task that was not measured is taken to cost what those of its domain do on average.
    """
    costs = _measured_costs().get(task.domain, {})
    if task.name in costs:
        return costs[task.name]
    return sum(costs.values()) / len(costs) if costs else 1.0


@functools.cache
def _measured_costs() -> Mapping[str, Mapping[str, float]]:
    """Costs by domain and task, as `benchmarks/step_costs.py` measures them."""
    text = resources.files("newt_bench.vector").joinpath("step_costs.json").read_text(encoding="utf-8")
    costs: dict[str, dict[str, float]] = json.loads(text)
    return costs


def episode_seed(seed: int, task_name: str, copy: int, episode: int) -> int:
    """Reset seed of a training episode: a function of these four alone.

    Args:
        seed: Seed of the run, not negative.
        task_name: Name of the task.
        copy: Which of the task's copies plays it.
        episode: Index of the episode in its slot, from 0.

    Returns:
        An integer in [0, 2**30); evaluation uses the seeds from there on.
    """
    sequence = np.random.SeedSequence((seed, zlib.crc32(task_name.encode()), copy, episode))
    return int(sequence.generate_state(1)[0]) >> (32 - _SEED_BITS)
