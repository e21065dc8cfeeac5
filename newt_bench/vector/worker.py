"""What a worker process of a vector environment does.

Messages are bytes. From the parent: one byte that names the command, then the slots as int32. From the worker: one byte
that names the report, then the slots that are finished, or a pickled `Failure`. All else lies in shared memory.
"""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import pickle
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.envs.core import ObsType, TaskEnv
from newt_bench.envs.mujoco_memory import free_compiler_leftovers
from newt_bench.errors import NewtBenchError
from newt_bench.vector.buffers import SharedMemory
from newt_bench.vector.layout import episode_seed

__all__ = ["DONE", "FAILED", "READY", "RESET", "STEP", "STEP_EACH", "Failure", "WorkerPlan", "run_worker"]

# Commands. STEP reports once all slots are done; STEP_EACH reports slots as they get done, some at a time.
RESET, STEP, STEP_EACH = b"r", b"s", b"e"
# Reports. READY: all environments are built.
READY, DONE, FAILED = b"y", b"d", b"f"

# Seconds for which STEP_EACH gathers finished slots, so that cheap steps do not each cost a message.
_GATHERING_SECONDS = 0.0005


@dataclasses.dataclass(frozen=True)
class WorkerPlan:
    """What a worker hosts.

    Attributes:
        index: Index of the worker.
        slots: Its slots by index, each with task name and copy.
        obs_type: Observation type.
        render_size: Height and width of images.
        exact_resets: Whether every episode is reset with its seed, even where that builds the simulation anew.
        env_options: Keyword arguments of the environments.
    """

    index: int
    slots: Mapping[int, tuple[str, int]]
    obs_type: ObsType
    render_size: int
    exact_resets: bool
    env_options: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Failure:
    """What went wrong where.

    Attributes:
        slot: The slot.
        text: The traceback.
        error: The exception, if it is one of newt-bench's own.
    """

    slot: int
    text: str
    error: NewtBenchError | None


def run_worker(connection: Connection, plan: WorkerPlan, memory: SharedMemory) -> None:
    """Builds the environments, then does what it is told until the connection is closed.

    Args:
        connection: To the parent.
        plan: What to host.
        memory: The shared arrays.
    """
    worker = _Worker(connection, plan, memory)
    try:
        worker.build()
        connection.send_bytes(READY)
        while True:
            message = connection.recv_bytes()
            worker.obey(message[:1], np.frombuffer(message, np.int32, offset=1).tolist())
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:
        failure = Failure(worker.current, traceback.format_exc(), error if isinstance(error, NewtBenchError) else None)
        connection.send_bytes(FAILED + pickle.dumps(failure))


class _Worker:
    def __init__(self, connection: Connection, plan: WorkerPlan, memory: SharedMemory) -> None:
        self._connection = connection
        self._plan = plan
        self._buffers = memory.view()
        self._envs: dict[int, TaskEnv] = {}
        self._fresh = set(plan.slots)
        self._trimmed = False
        # Rows without padding, made once: slicing takes as long as the cheapest steps.
        self._states: dict[int, NDArray[np.float32]] = {}
        self._actions: dict[int, NDArray[np.float32]] = {}
        self.current = -1

    def build(self) -> None:
        """Makes the environments."""
        for slot, (task, _) in self._plan.slots.items():
            self._begin(slot)
            env = TaskEnv(task, self._plan.obs_type, render_size=self._plan.render_size, **self._plan.env_options)
            self._envs[slot] = env
            self._states[slot] = self._buffers.state[slot, : env.task.obs_dim]
            self._actions[slot] = self._buffers.action[slot, : env.task.action_dim]
            self._end()
        _return_memory()

    def obey(self, command: bytes, slots: list[int]) -> None:
        """Does one command."""
        play = self._reset if command == RESET else self._step
        finished: list[int] = []
        reported = time.monotonic()
        for slot in slots:
            self._begin(slot)
            play(slot)
            self._end()
            finished.append(slot)
            if command == STEP_EACH and time.monotonic() - reported > _GATHERING_SECONDS:
                self._report(finished)
                finished, reported = [], time.monotonic()
        if finished:
            self._report(finished)
        if not self._trimmed:  # the first resets leave much behind, too
            self._trimmed = True
            _return_memory()

    def _report(self, slots: list[int]) -> None:
        self._connection.send_bytes(DONE + np.array(slots, np.int32).tobytes())

    def _begin(self, slot: int) -> None:
        self.current = slot
        self._buffers.current[self._plan.index] = slot

    def _end(self) -> None:
        self._buffers.current[self._plan.index] = -1
        self._buffers.progress[self._plan.index] += 1

    def _reset(self, slot: int) -> None:
        buffers = self._buffers
        buffers.reward[slot] = 0.0
        buffers.truncated[slot] = False
        self._start_episode(slot)

    def _start_episode(self, slot: int) -> None:
        """Resets the environment and writes the first observation."""
        buffers, env = self._buffers, self._envs[slot]
        buffers.episode[slot] += 1
        seed: int | None = None
        if buffers.next_seed[slot] >= 0:
            seed = int(buffers.next_seed[slot])
            buffers.next_seed[slot] = -1
        elif slot in self._fresh or self._plan.exact_resets or not env.rebuilds_for_seeds:
            task, copy = self._plan.slots[slot]
            seed = episode_seed(int(buffers.run_seed[0]), task, copy, int(buffers.episode[slot]))
        obs, info = env.reset(seed=seed)
        self._fresh.discard(slot)
        self._write(slot, obs, info)

    def _step(self, slot: int) -> None:
        obs, reward, _, truncated, info = self._envs[slot].step(self._actions[slot])
        buffers = self._buffers
        buffers.reward[slot] = reward
        buffers.truncated[slot] = truncated
        self._write(slot, obs, info)
        if truncated:
            self._keep_final(slot)
            self._start_episode(slot)

    def _write(self, slot: int, obs: Any, info: Mapping[str, Any]) -> None:
        buffers, kind = self._buffers, self._plan.obs_type
        if kind == "state":
            self._states[slot][:] = obs
        elif kind == "rgb":
            buffers.frame[slot] = obs
        else:
            self._states[slot][:] = obs["state"]
            buffers.frame[slot] = obs["rgb"]
        buffers.success[slot] = info["success"]
        buffers.score[slot] = info["score"]

    def _keep_final(self, slot: int) -> None:
        buffers = self._buffers
        buffers.final_success[slot] = buffers.success[slot]
        buffers.final_score[slot] = buffers.score[slot]
        if self._plan.obs_type != "rgb":
            buffers.final_state[slot] = buffers.state[slot]
        if self._plan.obs_type != "state":
            buffers.final_frame[slot] = buffers.frame[slot]


def _return_memory() -> None:
    """Gives back to the system what building left unused: a quarter of ManiSkill's memory."""
    free_compiler_leftovers()
    gc.collect()
    if sys.platform.startswith("linux"):
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
