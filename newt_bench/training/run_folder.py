"""The folder of a training run: what lies where, and how it is read again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.atomic import atomic_folder, recover_folder, write_text
from newt_bench.errors import InputError
from newt_bench.training.settings import TrainingSettings

__all__ = ["LoopState", "Order", "RunFolder", "agent_folder"]

FORMAT = "newt-bench/run-1"


@dataclasses.dataclass(frozen=True)
class Order:
    """What is to be trained, and how: all that a resumed run needs to know.

    Attributes:
        agent: Entry point name or import path.
        tasks: Names of the tasks.
        options: The agent's options.
        settings: How it is trained.
        recipe: Name of the recipe that options and settings come from, or None.
        adapted_from: Checkpoint of an agent that is adapted to the task, or None for a new agent.
    """

    agent: str
    tasks: tuple[str, ...]
    options: Mapping[str, Any]
    settings: TrainingSettings
    recipe: str | None = None
    adapted_from: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-compatible dictionary."""
        return {
            "agent": self.agent,
            "tasks": list(self.tasks),
            "options": dict(self.options),
            "settings": self.settings.to_dict(),
            "recipe": self.recipe,
            "adapted_from": self.adapted_from,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Order:
        """The inverse of `to_json`."""
        settings = TrainingSettings.from_mapping(content["settings"])
        return cls(**{**content, "tasks": tuple(content["tasks"]), "settings": settings})


@dataclasses.dataclass(frozen=True)
class LoopState:
    """Where the training loop stands.

    Attributes:
        steps: Environment steps so far, over all processes.
        pretrained: Whether pretraining is complete.
        next_evaluation: Steps at which the next evaluation is due.
        seconds: Time spent.
        log_size: Bytes of the log.
        arrays: The slots: see `Trainer`. Empty before the first step.
    """

    steps: int = 0
    pretrained: bool = False
    next_evaluation: int = 0
    seconds: float = 0.0
    log_size: int = 0
    arrays: Mapping[str, NDArray[Any]] = dataclasses.field(default_factory=dict)


class RunFolder:
    """Names of everything in a run's folder.

    Args:
        path: The folder.
        rank: Index of this process among those that train together: each has checkpoints of its own.
    """

    def __init__(self, path: str | Path, rank: int = 0) -> None:
        self.path = Path(path)
        self._rank = rank

    @property
    def order_file(self) -> Path:
        """What is trained, and where it comes from."""
        return self.path / "run.json"

    @property
    def log_file(self) -> Path:
        """What happened, a line of JSON each."""
        return self.path / "log.jsonl"

    @property
    def results_file(self) -> Path:
        """The last evaluation."""
        return self.path / "results.json"

    @property
    def plot_file(self) -> Path:
        """The learning curves."""
        return self.path / "curves.png"

    @property
    def demonstrations(self) -> Path:
        """What scripted experts played for it."""
        return self.path / "demonstrations"

    @property
    def checkpoint(self) -> Path:
        """The last checkpoint of this process."""
        return self.path / ("checkpoint" if self._rank == 0 else f"checkpoint-rank{self._rank}")

    @property
    def agent(self) -> Path:
        """The agent in it, as `Agent.load` takes it."""
        return self.checkpoint / "agent"

    def begin(self, order: Order, provenance: Mapping[str, Any]) -> None:
        """Writes down what is going to be trained.

        Raises:
            InputError: Another run is there.
        """
        if self.order_file.exists() and self.log_file.exists():  # without a log, it never got to its first step
            raise InputError(f"{self.path} holds a run; continue it with --resume or name another folder with --out")
        content = {"format": FORMAT, **order.to_json(), "provenance": dict(provenance)}
        write_text(self.order_file, json.dumps(content, indent=1) + "\n")

    def order(self) -> Order:
        """Reads what is trained.

        Raises:
            InputError: There is no run.
        """
        content = _read_json(self.order_file)
        if content.pop("format", None) != FORMAT:
            raise InputError(f"{self.order_file} is of another kind than {FORMAT}")
        del content["provenance"]
        return Order.from_json(content)

    def save(self, state: LoopState, save_agent: Any) -> None:
        """Replaces the checkpoint.

        Args:
            state: The loop's state.
            save_agent: Called with the folder to write the agent to.
        """
        with atomic_folder(self.checkpoint) as folder:
            save_agent(folder / "agent")
            content = dataclasses.asdict(state)
            del content["arrays"]
            write_text(folder / "loop.json", json.dumps(content) + "\n")
            np.savez(folder / "slots.npz", allow_pickle=False, **dict(state.arrays))

    def load(self) -> LoopState | None:
        """Reads the loop's state; None if there is no checkpoint yet."""
        recover_folder(self.checkpoint)
        if not self.checkpoint.exists():
            return None
        content = _read_json(self.checkpoint / "loop.json")
        with np.load(self.checkpoint / "slots.npz", allow_pickle=False) as arrays:
            return LoopState(**content, arrays=dict(arrays))


def agent_folder(path: str | Path) -> Path:
    """The folder of an agent: the path itself, or where the run of that path keeps its agent."""
    path = Path(path)
    inside = RunFolder(path).agent
    return inside if (path / "run.json").exists() and inside.exists() else path


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no training run in {path.parent}: it has no {path.name}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is not a JSON object")
    return content
