"""What a run tells while it goes on: a line of JSON per event, TensorBoard curves, and a line for the reader."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from newt_bench.errors import InputError
from newt_bench.extras import import_optional

__all__ = ["Journal", "read_journal"]

logger = logging.getLogger(__name__)


class Journal:
    """Writes `log.jsonl`, and TensorBoard files beside it.

    The lines are what a run is judged by; TensorBoard is a view of the same numbers, and a run goes on without it.

    Args:
        folder: The run's folder.
        size: Bytes of an earlier part of the log to go on from; what lies behind is dropped.
        steps: Environment steps at that time.
    """

    def __init__(self, folder: Path, size: int = 0, steps: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / "log.jsonl").open("a+b")
        self._file.truncate(size)
        self._curves: Any = None
        try:
            module: Any = import_optional(
                "tensorboardX", extra="agents", packages=("tensorboardX",), wanted_by="Writing TensorBoard curves"
            )
            self._curves = module.SummaryWriter(str(folder / "tensorboard"), purge_step=steps or None)
        except Exception as error:  # a tracker must not end a run, whatever ails it
            logger.warning("no TensorBoard curves: %s", error)

    @property
    def size(self) -> int:
        """Bytes of the log so far."""
        self._file.flush()
        return self._file.tell()

    def write(self, kind: str, steps: int, values: Mapping[str, Any]) -> None:
        """Adds one event.

        Args:
            kind: `pretraining`, `training` or `evaluation`.
            steps: Environment steps so far; in pretraining, updates.
            values: What is told: numbers by name, or dictionaries of them.
        """
        row = {"kind": kind, "steps": steps, **_finite(values)}
        self._file.write(json.dumps(row, allow_nan=False).encode() + b"\n")
        self._file.flush()
        if self._curves is not None:
            for name, value in _flat(kind, values):
                self._curves.add_scalar(name, value, steps)

    def close(self) -> None:
        """Ends the files."""
        self._file.close()
        if self._curves is not None:
            self._curves.close()


def read_journal(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The events of one kind in a run's log.

    Raises:
        InputError: There is no log, or it is none.
    """
    path = Path(folder) / "log.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        return [row for row in rows if row["kind"] == kind]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is not the log of a training run: {error}") from error


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}/{name}", value)
        elif isinstance(value, int | float):
            yield f"{prefix}/{name}", value


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same with None for what JSON has no number for."""
    return {
        name: _finite(value)
        if isinstance(value, Mapping)
        else None
        if isinstance(value, float) and not math.isfinite(value)
        else value
        for name, value in values.items()
    }
