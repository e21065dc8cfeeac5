"""Ctrl-C and SIGTERM during training: finish what is begun, then stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["interruptible"]


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Holds the first SIGINT or SIGTERM back; a second one ends the program in the usual way.

    Signals reach the main thread only; in another one, nothing is held back.

    Yields:
        A function that tells whether to stop.
    """
    asked = False
    before: dict[signal.Signals, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        for known, handler in before.items():
            signal.signal(known, handler)

    if threading.current_thread() is threading.main_thread():
        found = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        # What is ignored stays so: shells have commands in the background ignore Ctrl-C.
        before.update({number: handler for number, handler in found.items() if handler != signal.SIG_IGN})
        for number in before:
            signal.signal(number, note)
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
