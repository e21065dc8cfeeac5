"""newt-bench: a benchmark suite for massively multitask reinforcement learning in continuous control.

Importing the package registers every task with Gymnasium:

    import gymnasium, newt_bench
    env = gymnasium.make("newt/walker-run-v0")

It loads no simulator, no torch and nothing heavy; the names below are imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from newt_bench.registration import register_tasks
from newt_bench.version import __version__

if TYPE_CHECKING:
    from newt_bench.agents.base import Agent
    from newt_bench.catalogue import Task, TaskList, get_task, tasks
    from newt_bench.demos import Demos, load_demos
    from newt_bench.errors import NewtBenchError
    from newt_bench.evaluation import evaluate
    from newt_bench.results import Results, load_results
    from newt_bench.training import TrainingRun, resume_training, train
    from newt_bench.vector import make_vec

__all__ = [
    "Agent",
    "Demos",
    "NewtBenchError",
    "Results",
    "Task",
    "TaskList",
    "TrainingRun",
    "__version__",
    "evaluate",
    "get_task",
    "load_demos",
    "load_results",
    "make_vec",
    "resume_training",
    "tasks",
    "train",
]

_HOMES = {
    "Agent": "newt_bench.agents.base",
    "Demos": "newt_bench.demos",
    "NewtBenchError": "newt_bench.errors",
    "Results": "newt_bench.results",
    "Task": "newt_bench.catalogue",
    "TaskList": "newt_bench.catalogue",
    "evaluate": "newt_bench.evaluation",
    "get_task": "newt_bench.catalogue",
    "load_demos": "newt_bench.demos",
    "load_results": "newt_bench.results",
    "TrainingRun": "newt_bench.training",
    "make_vec": "newt_bench.vector",
    "resume_training": "newt_bench.training",
    "tasks": "newt_bench.catalogue",
    "train": "newt_bench.training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'newt_bench' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


register_tasks()
