"""Arrays in memory that the processes of a vector environment share."""

from __future__ import annotations

import ctypes
import dataclasses
import math
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Buffers", "SharedMemory", "allocate"]

_ALIGNMENT = 64  # bytes of a cache line: two processes never write to the same one

#: Shape, data type and offset by field of `Buffers`.
_Plan = dict[str, tuple[tuple[int, ...], str, int]]


@dataclasses.dataclass(frozen=True)
class Buffers:
    """One row per slot; `frame` and `final_frame` have no rows where nothing is drawn.

    The parent writes actions and, at a reset, where to begin: `run_seed`, `episode` and `next_seed`. A worker writes
    everything else of its slots. Who may touch a row at a time is settled by messages: the worker from the command to
    the report, the parent otherwise.

    Attributes:
        run_seed: The seed that all episode seeds derive from, shape (1,).
        episode: Index of the episode that the slot plays, -1 before the first.
        next_seed: Seed of the slot's next episode where the parent wrote one, -1 where the worker derives it.
        action: float32 of shape (slots, action_size).
        state: Observation of state after the step, float32 of shape (slots, obs_size), zero-padded. After the
            end of an episode it is the first of the next one.
        final_state: Last observation of state of the episode that ended.
        frame: Image after the step, uint8 of shape (slots, size, size, 3).
        final_frame: Last image of the episode that ended.
        reward: float64.
        truncated: Whether the step ended an episode.
        success: float64; of the next episode's start where one ended.
        score: float64; likewise.
        final_success: `success` at the end of the episode that ended.
        final_score: `score` there.
        current: The slot that each worker is busy with, -1 for none, shape (workers,).
        progress: Counts what each worker finished: slots built, reset and stepped.
    """

    run_seed: NDArray[np.int64]
    episode: NDArray[np.int64]
    next_seed: NDArray[np.int64]
    action: NDArray[np.float32]
    state: NDArray[np.float32]
    final_state: NDArray[np.float32]
    frame: NDArray[np.uint8]
    final_frame: NDArray[np.uint8]
    reward: NDArray[np.float64]
    truncated: NDArray[np.bool_]
    success: NDArray[np.float64]
    score: NDArray[np.float64]
    final_success: NDArray[np.float64]
    final_score: NDArray[np.float64]
    current: NDArray[np.int64]
    progress: NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class SharedMemory:
    """The memory behind `Buffers`, to be sent to a worker when it is started.

    It has no name in any file system from the moment it is there, so that it is gone with the last process
    that uses it, whatever way that ends.
    """

    memory: Any
    plan: _Plan

    def view(self) -> Buffers:
        """The arrays, in this process."""
        fields = {}
        for name, (shape, dtype, offset) in self.plan.items():
            count = math.prod(shape)
            fields[name] = np.frombuffer(self.memory, dtype, count, offset if count else 0).reshape(shape)
        return Buffers(**fields)


def allocate(
    context: BaseContext, slots: int, workers: int, obs_size: int, action_size: int, frame_size: int
) -> SharedMemory:
    """Allocates zeros.

    Args:
        context: How processes are started.
        slots: Number of slots.
        workers: Number of workers.
        obs_size: Length of state vectors.
        action_size: Length of actions.
        frame_size: Height and width of images; 0 for none.
    """
    image = (slots if frame_size else 0, frame_size, frame_size, 3)
    row, state = (slots,), (slots, obs_size)
    wanted = {
        "run_seed": ((1,), "i8"),
        "episode": (row, "i8"),
        "next_seed": (row, "i8"),
        "action": ((slots, action_size), "f4"),
        "state": (state, "f4"),
        "final_state": (state, "f4"),
        "frame": (image, "u1"),
        "final_frame": (image, "u1"),
        "reward": (row, "f8"),
        "truncated": (row, "?"),
        "success": (row, "f8"),
        "score": (row, "f8"),
        "final_success": (row, "f8"),
        "final_score": (row, "f8"),
        "current": ((workers,), "i8"),
        "progress": ((workers,), "i8"),
    }
    plan: _Plan = {}
    offset = 0
    for name, (shape, dtype) in wanted.items():
        plan[name] = (shape, dtype, offset)
        size = math.prod(shape) * np.dtype(dtype).itemsize
        offset += -(-size // _ALIGNMENT) * _ALIGNMENT
    return SharedMemory(context.RawArray(ctypes.c_byte, offset), plan)
