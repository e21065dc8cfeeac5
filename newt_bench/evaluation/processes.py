"""Plays the units of an evaluation in worker processes, each with an agent of its own."""

from __future__ import annotations

import multiprocessing.connection
import pickle
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection

from newt_bench.catalogue import get_task
from newt_bench.errors import AgentError, NewtBenchError, WorkerError
from newt_bench.evaluation.playing import Job, Outcome, Player, Unit
from newt_bench.vector.process import Child, start_context

__all__ = ["pack", "play_in_processes"]

# Reports of a worker: an episode is over; a pickled outcome; a pickled error of newt-bench's own; another's text.
_EPISODE, _OUTCOME, _OWN_ERROR, _ERROR = b"e", b"o", b"n", b"t"


def play_in_processes(
    job: Job, units: Sequence[Unit], workers: int, advance: Callable[[str], None]
) -> Iterator[Outcome]:
    """Plays units in several processes at once.

    Args:
        job: What is played. It is pickled, so an agent's class or function must be one that can be imported.
        units: The units.
        workers: How many processes.
        advance: Called with a task's name after each of its episodes.

    Yields:
        Outcomes, as they come.

    Raises:
        AgentError: The agent cannot be sent to other processes, or what `Player.play` raises.
        WorkerError: A process died, or the agent or an environment raised; names the task.
    """
    packed = pack(job)
    pending = list(units)
    crew = [_Worker(index, packed) for index in range(min(workers, len(units)))]
    try:
        for worker in crew:
            worker.take(_choose(pending, worker, crew))
        while busy := {worker.connection: worker for worker in crew if worker.unit is not None}:
            for connection in multiprocessing.connection.wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                outcome = worker.hear(advance)
                if outcome is not None:
                    if pending:
                        worker.take(_choose(pending, worker, crew))
                    yield outcome
    finally:
        for worker in crew:
            worker.child.end()


def pack(job: Job) -> bytes:
    """Pickles a job.

    Raises:
        AgentError: Its agent cannot be pickled.
    """
    try:
        return pickle.dumps(job)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise AgentError(
            f"The agent cannot be sent to other processes ({error}). Define its class at the top level of a module, "
            "name it by import path, or evaluate with one worker"
        ) from error


def _choose(pending: list[Unit], worker: _Worker, crew: Sequence[_Worker]) -> Unit:
    """The next unit for a worker: of a simulator that it has loaded, else of one that no other has, else any."""
    taken = set().union(*(other.domains for other in crew))
    familiar = [unit for unit in pending if get_task(unit.task).domain in worker.domains]
    fresh = [unit for unit in pending if get_task(unit.task).domain not in taken]
    unit = (familiar or fresh or pending)[0]
    pending.remove(unit)
    return unit


class _Worker:
    """A worker process, as its parent knows it: what it plays, and which domains it has played."""

    def __init__(self, index: int, packed: bytes) -> None:
        self.child = Child(start_context(None), _work, (packed,), f"newt-bench evaluation {index}")
        self.connection = self.child.connection
        self.unit: Unit | None = None
        self.domains: set[str] = set()

    def take(self, unit: Unit) -> None:
        """Has the worker play a unit."""
        self.unit = unit
        self.domains.add(get_task(unit.task).domain)
        self.child.send(pickle.dumps(unit))

    def hear(self, advance: Callable[[str], None]) -> Outcome | None:
        """Takes in one report.

        Returns:
            The outcome of the unit, once it is there.
        """
        assert self.unit is not None
        task = get_task(self.unit.task).id
        try:
            message = self.connection.recv_bytes()
        except (EOFError, OSError):
            how = self.child.describe_exit()
            raise WorkerError(f"{task}: evaluation worker (process {self.child.pid}) {how}", task) from None
        kind, content = message[:1], message[1:]
        if kind == _EPISODE:
            advance(self.unit.task)
            return None
        if kind == _ERROR:
            raise WorkerError(f"{task}: the agent or the environment raised an error\n\n{content.decode()}", task)
        if kind == _OWN_ERROR:
            error: NewtBenchError = pickle.loads(content)  # noqa: S301 (from a process of our own)
            raise error
        self.unit = None
        outcome: Outcome = pickle.loads(content)  # noqa: S301
        return outcome


def _work(connection: Connection, packed: bytes) -> None:
    """Plays the units that come, until the connection is closed."""
    try:
        player = Player(pickle.loads(packed))  # noqa: S301 (from the parent)
        while True:
            unit: Unit = pickle.loads(connection.recv_bytes())  # noqa: S301
            outcome = player.play(unit, lambda _: connection.send_bytes(_EPISODE))
            connection.send_bytes(_OUTCOME + pickle.dumps(outcome))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except NewtBenchError as error:
        connection.send_bytes(_OWN_ERROR + pickle.dumps(error))
    except Exception:
        connection.send_bytes(_ERROR + traceback.format_exc().encode())
