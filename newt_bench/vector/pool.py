"""The worker processes of a vector environment: commands, reports, and what to do when one fails."""

from __future__ import annotations

import dataclasses
import multiprocessing.connection
import os
import pickle
import time
import warnings
import weakref
from collections.abc import Sequence
from multiprocessing.context import BaseContext

import numpy as np
from numpy.typing import NDArray

from newt_bench.errors import WorkerError
from newt_bench.vector.buffers import SharedMemory
from newt_bench.vector.layout import Layout
from newt_bench.vector.process import Child
from newt_bench.vector.worker import DONE, FAILED, READY, RESET, Failure, WorkerPlan, run_worker

__all__ = ["Pool", "Timeouts"]

# How often to see whether silent workers make progress; also what a stopped clock may count for at most.
_LOOK_SECONDS = 0.25
# How long all workers together may take to end by themselves.
_PATIENCE_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Timeouts:
    """Seconds without any progress after which a worker counts as hung.

    Attributes:
        step: For one step or reset.
        start: For importing a simulator and building one environment.
    """

    step: float
    start: float


@dataclasses.dataclass
class _Worker:
    """A worker as its parent knows it.

    Attributes:
        plan: What it hosts.
        child: The process.
        ready: Whether it has built everything.
        useful: Whether it has finished anything since: one that has not is not worth restarting.
        progress: Its counter when last seen.
        silent: Seconds since then, as far as they were waited for.
    """

    plan: WorkerPlan
    child: Child
    ready: bool = False
    useful: bool = False
    progress: int = 0
    silent: float = 0.0


class Pool:
    """Hosts the slots of a layout in worker processes.

    Args:
        context: How processes are started.
        layout: The slots.
        plans: What each worker hosts.
        memory: Shared by all.
        timeouts: When a worker counts as hung.
        restart: Whether to replace a worker that fails, instead of giving up.

    Attributes:
        pending: True for slots whose command is not finished, shape (slots,).
        lost: True for slots whose episode went with a worker; the next command resets them, whatever it is.
        replaced: True for slots that were reset because of that.

    Raises:
        NewtBenchError: A worker could not build its environments.
    """

    def __init__(
        self,
        context: BaseContext,
        layout: Layout,
        plans: Sequence[WorkerPlan],
        memory: SharedMemory,
        timeouts: Timeouts,
        restart: bool,
    ) -> None:
        self._context = context
        self._layout = layout
        self._memory = memory
        self._buffers = memory.view()
        self._timeouts = timeouts
        self._restart = restart
        slots = len(layout.slots)
        self.pending = np.zeros(slots, np.bool_)
        self.lost = np.zeros(slots, np.bool_)
        self.replaced = np.zeros(slots, np.bool_)
        self._owner = np.zeros(slots, np.int64)
        self._fault: WorkerError | None = None
        self._workers: list[_Worker] = []
        self._end = weakref.finalize(self, _end_all, self._workers, os.getpid())
        try:
            for plan in plans:
                self._owner[list(plan.slots)] = plan.index
                self._workers.append(_Worker(plan, self._start(plan)))
            while not all(worker.ready for worker in self._workers):
                self._attend()
        except BaseException:
            self.close()
            raise

    def _start(self, plan: WorkerPlan) -> Child:
        name = f"newt-bench worker {plan.index}"
        return Child(self._context, run_worker, (plan, self._memory), name)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers."""
        return tuple(worker.child.pid for worker in self._workers)

    def submit(self, command: bytes, slots: NDArray[np.int64]) -> None:
        """Has slots do something. Slots whose episode was lost are reset instead.

        Args:
            command: `RESET`, `STEP` or `STEP_EACH`.
            slots: Their indices; none may be pending.
        """
        self.pending[slots] = True
        owners = self._owner[slots]
        for worker in self._workers:
            own = slots[owners == worker.plan.index]
            if len(own):
                lost = self.lost[own]
                self._send(worker, RESET, own[lost])
                self._send(worker, command, own[~lost])
        self.replaced[slots] |= self.lost[slots]
        self.lost[slots] = False

    @staticmethod
    def _send(worker: _Worker, command: bytes, slots: NDArray[np.int64]) -> None:
        if len(slots):
            worker.child.send(command + slots.astype(np.int32).tobytes())

    def collect(self, minimum: int) -> NDArray[np.int64]:
        """Waits until pending slots are finished.

        Args:
            minimum: How many to wait for; there must be as many that are pending.

        Returns:
            The slots that are finished, in ascending order; maybe more than asked for.

        Raises:
            WorkerError: A worker failed, and is not restarted.
        """
        finished: list[int] = []
        while len(finished) < minimum:
            finished += self._attend()
        return np.array(sorted(finished), np.int64)

    def check(self) -> None:
        """Raises the `WorkerError` that ended the pool, if one did."""
        if self._fault is not None:
            message = f"The vector environment was ended by an earlier fault. It was: {self._fault}"
            raise WorkerError(message, self._fault.task, self._fault.slot)

    def _attend(self) -> list[int]:
        """Waits for a moment, and takes in what has come.

        Returns:
            Slots that are finished.
        """
        busy = {worker.child.connection: worker for worker in self._workers if self._expects(worker)}
        started = time.monotonic()
        heard = multiprocessing.connection.wait(list(busy), timeout=_LOOK_SECONDS)
        waited = min(time.monotonic() - started, _LOOK_SECONDS)
        finished: list[int] = []
        for connection, worker in busy.items():
            if connection in heard:
                worker.silent = 0.0
                finished += self._hear(worker)
            else:
                self._look_at(worker, waited)
        return finished

    def _expects(self, worker: _Worker) -> bool:
        return not worker.ready or bool(self.pending[list(worker.plan.slots)].any())

    def _hear(self, worker: _Worker) -> list[int]:
        try:
            message = worker.child.connection.recv_bytes()
        except (EOFError, OSError):
            self._fail(worker, worker.child.describe_exit())
            return []
        kind, content = message[:1], message[1:]
        if kind == READY:
            worker.ready = True
        elif kind == DONE:
            worker.useful = True
            slots: list[int] = np.frombuffer(content, np.int32).tolist()
            self.pending[slots] = False
            return slots
        elif kind == FAILED:
            failure: Failure = pickle.loads(content)  # noqa: S301 (from a process of our own)
            if not worker.ready and failure.error is not None:
                self._end()
                raise failure.error  # what the user asked for cannot be made; its message says why
            self._fail(worker, f"raised an error\n\n{failure.text}", failure.slot)
        return []

    def _look_at(self, worker: _Worker, waited: float) -> None:
        """Counts the time for which a worker made no progress."""
        progress = int(self._buffers.progress[worker.plan.index])
        worker.silent = 0.0 if progress != worker.progress else worker.silent + waited
        worker.progress = progress
        limit = self._timeouts.step if worker.ready else self._timeouts.start
        if worker.silent > limit:
            self._fail(worker, f"made no progress for {limit:g} s")

    def _fail(self, worker: _Worker, reason: str, slot: int | None = None) -> None:
        """Restarts a worker, or gives up."""
        slot = self._guilty_slot(worker) if slot is None else slot
        task = self._layout.slots[slot].task.id
        work = "" if worker.ready else ", while being built"
        hint = "" if worker.ready or "raised" in reason else _STARTING_HINT
        who = f"worker {worker.plan.index} (process {worker.child.pid})"
        message = f"{task} in slot {slot}{work}: {who} {reason}{hint}"
        fault = WorkerError(message, task, slot)
        worker.child.end()
        if not (self._restart and worker.useful):
            self._fault = fault
            self._end()
            raise fault
        warnings.warn(f"restarting a worker: {message}", RuntimeWarning, stacklevel=5)
        self._replace(worker)

    def _guilty_slot(self, worker: _Worker) -> int:
        """The slot that the worker is busy with; between two, the next."""
        slot = int(self._buffers.current[worker.plan.index])
        if slot >= 0:
            return slot
        slots = list(worker.plan.slots)
        pending = [slot for slot in slots if self.pending[slot]]
        return (pending or slots)[0]

    def _replace(self, worker: _Worker) -> None:
        self._buffers.current[worker.plan.index] = -1
        worker.ready = worker.useful = False
        worker.silent = 0.0
        worker.progress = int(self._buffers.progress[worker.plan.index])
        worker.child = self._start(worker.plan)
        slots = np.array(list(worker.plan.slots))
        pending = self.pending[slots]
        self.lost[slots[~pending]] = True
        self.replaced[slots[pending]] = True
        self._send(worker, RESET, slots[pending])

    def close(self) -> None:
        """Ends all workers. Later calls do nothing."""
        self._end()


_STARTING_HINT = (
    ". Its own messages, if any, are above. A script that makes vector environments must do so below "
    '`if __name__ == "__main__":`, because worker processes import it'
)


def _end_all(workers: list[_Worker], pid: int) -> None:
    """Ends all workers; in a process that was forked off, whose they are not, nothing."""
    if os.getpid() != pid:
        return
    for worker in workers:  # all of them hear of it before any is waited for
        worker.child.connection.close()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for worker in workers:
        worker.child.end(max(0.0, deadline - time.monotonic()))
    workers.clear()
