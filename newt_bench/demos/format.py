"""The file format: names, types and shapes, and the records that they hold. `docs/demos.md` describes it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import Task
from newt_bench.errors import DemosError

__all__ = [
    "COLUMNS",
    "FORMAT",
    "FORMAT_VERSION",
    "READABLE_BY",
    "SUFFIX",
    "UNKNOWN",
    "Column",
    "Episode",
    "Info",
]

FORMAT = "newt-bench-demos"
FORMAT_VERSION = 1
#: First release of newt-bench that reads `FORMAT_VERSION`.
READABLE_BY = "0.1.0"
SUFFIX = ".h5"

#: Stands for a success flag or a reset seed that is not known, or not defined.
UNKNOWN = -1


class Column(NamedTuple):
    """One dataset of a file.

    Attributes:
        dtype: Type of its entries, little-endian.
        rows: What there is one row for: every step, every observation (one more per episode than steps), every
            episode, or every boundary of episodes (one more than episodes). In files of frames: every byte of them, or
            every boundary of frames.
        vector: Whether a row is a vector, and not a number.
        required: Whether every file has it.
    """

    dtype: np.dtype[Any]
    rows: Literal["steps", "observations", "episodes", "boundaries", "bytes", "frame boundaries"]
    vector: bool = False
    required: bool = True

    def expected_rows(self, steps: int, episodes: int) -> int:
        """How many rows a file of demonstrations with so many steps and episodes has."""
        return {
            "steps": steps,
            "observations": steps + episodes,
            "episodes": episodes,
            "boundaries": episodes + 1,
        }[self.rows]


COLUMNS: Mapping[str, Column] = {
    "observation": Column(np.dtype("<f4"), "observations", vector=True),
    "action": Column(np.dtype("<f4"), "steps", vector=True),
    "reward": Column(np.dtype("<f4"), "steps"),
    "success": Column(np.dtype("i1"), "steps"),
    "score": Column(np.dtype("<f4"), "steps"),
    "offset": Column(np.dtype("<i8"), "boundaries"),
    "reset_seed": Column(np.dtype("<i8"), "episodes"),
    "feature": Column(np.dtype("<f4"), "observations", vector=True, required=False),
}


@dataclasses.dataclass(frozen=True)
class Episode:
    """One episode of L steps. Action t leads from observation t to observation t + 1.

    Attributes:
        observation: float32 of shape (L + 1, obs_dim), the first and the last one included.
        action: float32 of shape (L, action_dim), in [-1, 1].
        reward: float32 of shape (L,).
        success: int8 of shape (L,): 0 or 1 after each step, -1 where not defined or not known.
        score: float32 of shape (L,): the task's score so far, NaN where not known.
        reset_seed: Seed of the reset that began it, -1 where not known.
        feature: float32 of shape (L + 1, width): features of images of the observations; None where there are none.
        task: Name of the task.
    """

    observation: NDArray[np.float32]
    action: NDArray[np.float32]
    reward: NDArray[np.float32]
    success: NDArray[np.int8]
    score: NDArray[np.float32]
    reset_seed: int = UNKNOWN
    feature: NDArray[np.float32] | None = None
    task: str = ""

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def episode_return(self) -> float:
        """Sum of the rewards."""
        return float(self.reward.sum(dtype=np.float64))


@dataclasses.dataclass(frozen=True)
class Info:
    """Where the demonstrations of one task come from.

    Attributes:
        task: Name of the task.
        task_id: Gymnasium id with its version, such as `newt/walker-run-v0`.
        instruction: The task's instruction.
        embodiment: The task's sentence on the body.
        policy: Who acted: `name`, `checkpoint`, `command`, and whatever else the source tells.
        versions: Versions of newt-bench, Python and the simulator's packages that recorded it.
        licence: SPDX identifier of the licence.
        env_options: Options of the domain that the environments were made with.
    """

    task: str
    task_id: str
    instruction: str
    embodiment: str
    policy: Mapping[str, Any]
    versions: Mapping[str, str]
    licence: str = "MIT"
    env_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, task: Task, policy: Mapping[str, Any], versions: Mapping[str, str], **more: Any) -> Info:
        """Describes demonstrations of a task of the catalogue."""
        return cls(task.name, task.id, task.instruction, task.embodiment, policy, versions, **more)

    def attributes(self) -> dict[str, str]:
        """The text attributes of the file."""
        fields = dataclasses.asdict(self)
        return {
            name: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
            for name, value in fields.items()
        }

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, str]) -> Info:
        """Reads what `attributes` gave.

        Raises:
            DemosError: One is missing or malformed.
        """
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            if field.name not in attributes:
                raise DemosError(f"attribute '{field.name}' is missing")
            text = attributes[field.name]
            values[field.name] = text if field.type == "str" else _parse(field.name, text)
        return cls(**values)


def _parse(name: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DemosError(f"attribute '{name}' is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise DemosError(f"attribute '{name}' is not a JSON object")
    return value
