"""A child process that never outlives its parent, and the connection to it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from typing import Any, Literal

from newt_bench.envs.environment_variables import environment_variable
from newt_bench.errors import InputError

__all__ = ["Child", "StartMethod", "available_cores", "run_fork_server", "start_context"]

StartMethod = Literal["forkserver", "spawn"]

_PRELOADED = "newt_bench.vector.preloaded"
# Workers share the cores between themselves: each computes and draws with one thread.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "LP_NUM_THREADS": "0"}


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def start_context(method: str | None) -> BaseContext:
    """The way to start processes.

    Args:
        method: `forkserver` or `spawn`; None for `forkserver` on Linux and `spawn` elsewhere.

    Raises:
        InputError: It is another, or this system lacks it. A plain `fork` copies locks and graphics contexts
            in whatever state they are, and the pipes by which a worker notices that its parent is gone.
    """
    chosen = method or ("forkserver" if sys.platform.startswith("linux") else "spawn")
    offered = [name for name in ("forkserver", "spawn") if name in multiprocessing.get_all_start_methods()]
    if chosen not in offered:
        raise InputError(f"context must be {' or '.join(offered)}, not {chosen!r}")
    return multiprocessing.get_context(chosen)


def run_fork_server(context: BaseContext, modules: Iterable[str] = ()) -> None:
    """Starts the fork server, unless it runs already, and has it import modules before it forks any process.

    Processes that are forked from it share the memory of what it has imported. A module that it cannot import is
    left to the processes that need it.

    Args:
        context: How processes are started; where they are spawned, nothing happens.
        modules: Names of modules whose import starts no thread and opens no graphics.
    """
    if context.get_start_method() != "forkserver":
        return
    from multiprocessing import forkserver

    chosen = getattr(forkserver._forkserver, "_preload_modules", [])  # the program's own, if it chose any
    if _PRELOADED not in chosen:
        context.set_forkserver_preload([*chosen, _PRELOADED])
    with _one_thread(), _interrupts_held(), environment_variable("NEWT_BENCH_PRELOAD", " ".join(modules)):
        forkserver.ensure_running()


class Child:
    """A process that runs `target(connection, *arguments)`.

    It ends when this process does, however that happens: it watches a pipe whose other end only this process
    holds. It ignores Ctrl-C and SIGTERM, which terminals and schedulers send to every process of a program; its parent,
    which may have something to save first, ends it.

    Args:
        context: How to start it.
        target: A function that can be imported.
        arguments: What can be pickled, or inherited in the way of `multiprocessing`.
        name: Name of the process.

    Attributes:
        connection: Sends to the process and receives from it; receiving raises `EOFError` once it is gone.
        pid: Its process id.
    """

    def __init__(
        self, context: BaseContext, target: Callable[..., None], arguments: tuple[Any, ...], name: str
    ) -> None:
        self.connection, theirs = context.Pipe(duplex=True)
        watched, self._lifeline = context.Pipe(duplex=False)
        body = (target, theirs, watched, dict(os.environ), arguments)
        self._process = context.Process(target=_main, args=body, name=name, daemon=True)  # type: ignore[attr-defined]
        run_fork_server(context)
        if context.get_start_method() == "forkserver":
            self._process.start()  # waits for what the server imports, which Ctrl-C may end
        else:
            with _one_thread(), _interrupts_held():
                self._process.start()
        theirs.close()
        watched.close()
        self.pid: int = self._process.pid
        self._ended = False

    def send(self, message: bytes) -> None:
        """Sends bytes; a process that is gone is noticed when something is received from it."""
        with suppress(OSError):
            self.connection.send_bytes(message)

    def describe_exit(self) -> str:
        """Says how it ended, or that it did not within a second."""
        self._process.join(1)
        code = self._process.exitcode
        if code is None:
            return "closed its connection"
        if code < 0:
            return f"was killed by {_signal_name(-code)}"
        return f"ended with exit code {code}"

    def end(self, patience: float = 0.0) -> None:
        """Closes the connections, waits a little, and kills the process if it still runs. Later calls do nothing."""
        if self._ended:
            return
        self._ended = True
        self.connection.close()
        self._lifeline.close()
        self._process.join(patience)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(10)
        with suppress(ValueError):  # a process that even SIGKILL does not end at once
            self._process.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextmanager
def _one_thread() -> Iterator[None]:
    """For libraries that read these variables while a spawned process, or the fork server, imports them."""
    with ExitStack() as stack:
        for name, value in _ONE_THREAD.items():
            stack.enter_context(environment_variable(name, value))
        yield


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Holds SIGINT back in processes that are started in the block, until they can choose for themselves."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it would lift the block when it is started within
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _main(
    target: Callable[..., None],
    connection: Connection,
    lifeline: Connection,
    environment: dict[str, str],
    arguments: tuple[Any, ...],
) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    os.environ.clear()  # the fork server's are those of when it was started
    os.environ.update({**environment, **_ONE_THREAD})
    if "torch" in sys.modules:  # the main module may have imported it before the variables were set
        sys.modules["torch"].set_num_threads(1)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone: nobody is left to tell
        target(connection, *arguments)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)  # without taking simulators apart: the system frees what they hold, and faster


def _end_with_parent(lifeline: Connection) -> None:
    with suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(1)
