"""Every exception that newt-bench raises on purpose.

All of them derive from `NewtBenchError` and carry one sentence that names the input and the remedy.
Errors in what the caller passed derive from `InputError`; the command line turns those into exit code 2
and every other `NewtBenchError` into exit code 1.
"""

from __future__ import annotations

import gymnasium

__all__ = [
    "AgentError",
    "CatalogueError",
    "DemosError",
    "DownloadError",
    "InputError",
    "LeaderboardError",
    "MissingAssetsError",
    "MissingExtraError",
    "NewtBenchError",
    "RenderingError",
    "ResultsError",
    "SimulatorError",
    "UnknownTaskError",
    "WorkerError",
]


class NewtBenchError(Exception):
    """Base class of newt-bench's own errors."""


class InputError(NewtBenchError, ValueError):
    """The caller passed something that cannot be used as it is."""


class UnknownTaskError(InputError):
    """No task of that name is in the catalogue."""


class CatalogueError(NewtBenchError, ValueError):
    """A catalogue file breaks the schema; the message names file, task and field."""


class ResultsError(InputError):
    """A results file is malformed, or its records cannot be combined or aggregated."""


class DemosError(InputError):
    """A file of demonstrations is not safe to read, malformed, or not what was asked for."""


class LeaderboardError(NewtBenchError, ValueError):
    """The leaderboard's own files are malformed or contradict each other."""


class AgentError(InputError):
    """An agent cannot be found, built or used."""


class MissingExtraError(NewtBenchError, gymnasium.error.DependencyNotInstalled):
    """An optional package is not installed; the message names the command that installs it."""


class SimulatorError(NewtBenchError, ImportError):
    """A simulator package is installed but does not import."""


class MissingAssetsError(NewtBenchError):
    """A task's downloads are not on this machine; the message names the command that fetches them."""


class DownloadError(NewtBenchError):
    """Files could not be fetched, or are not the expected ones."""


class RenderingError(NewtBenchError, RuntimeError):
    """No graphics back end works on this machine."""


class WorkerError(NewtBenchError, RuntimeError):
    """An environment in a worker process raised, or the process died or hung.

    Attributes:
        task: Id of the task that was being played.
        slot: Index of the slot that played it, or None in evaluation.
    """

    def __init__(self, message: str, task: str, slot: int | None = None) -> None:
        super().__init__(message, task, slot)  # all of them, so that it pickles
        self.task = task
        self.slot = slot

    def __str__(self) -> str:
        return str(self.args[0])
