"""Everything about a training run that is not the agent's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from newt_bench.envs.core import OBS_TYPES, ObsType
from newt_bench.errors import InputError

__all__ = ["TrainingSettings"]

_STEPS_BETWEEN_EVALUATIONS = 20 * 500  # of every slot: the published interval


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How an agent is trained.

    Attributes:
        steps: Environment steps in total, summed over all slots. 0 for an agent that only learns from demonstrations.
        seed: Seed of the run: of the agent, and of the training episodes' starts.
        num_envs_per_task: Slots per task.
        num_workers: Worker processes of the vector environment; None for as many as there are cores.
        obs_type: What the agent sees: `state`, `rgb` or `state_rgb`.
        env_options: Keyword arguments of all the environments.
        exact_resets: Whether every training episode is reset with its own seed. Without, ManiSkill tasks start their
            episodes faster, but their slots cannot be brought back into the middle of one when a run is resumed.
        torch_threads: Threads that PyTorch computes with; None for its own choice, which is one per core.
        restart_workers: Whether a worker that dies is replaced, at the cost of the episodes in it.
        demonstrations: Folder of demonstrations, `hub` for the published ones, `scripted` for those of the tasks that
            have a scripted expert, which plays them when the run begins, or None to learn without.
        scripted_episodes: Accepted episodes that a scripted expert plays.
        eval_every: Environment steps between evaluations; None for 10,000 of every slot, as published. There is one
            before the first step, and one after the last.
        eval_episodes: Episodes per task of an evaluation.
        final_episodes: Episodes per task of the last one, which makes the results file.
        log_every: Environment steps between lines of the log; None for 100 of every slot.
        checkpoint_minutes: Minutes between checkpoints. There is one at the end, and one when a run is interrupted.
    """

    steps: int
    seed: int = 0
    num_envs_per_task: int = 1
    num_workers: int | None = None
    obs_type: ObsType = "state"
    env_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    exact_resets: bool = True
    torch_threads: int | None = None
    restart_workers: bool = False
    demonstrations: str | None = None
    scripted_episodes: int = 10
    eval_every: int | None = None
    eval_episodes: int = 2
    final_episodes: int = 10
    log_every: int | None = None
    checkpoint_minutes: float = 10.0

    def __post_init__(self) -> None:
        if self.obs_type not in OBS_TYPES:
            raise InputError(f"obs_type must be one of {', '.join(OBS_TYPES)}, not {self.obs_type!r}")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} must be a whole number from {least} up, not {value!r}")
        if not self.checkpoint_minutes > 0:
            raise InputError(f"checkpoint_minutes must be positive, not {self.checkpoint_minutes!r}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TrainingSettings:
        """Makes settings of named values.

        Raises:
            InputError: A name is unknown, `steps` is missing, or a value cannot be.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(
                f"There is no training setting {', '.join(map(repr, unknown))}; there are {', '.join(known)}"
            )
        if "steps" not in values:
            raise InputError("Say how long to train: steps (--steps), environment steps summed over all slots")
        return cls(**values)

    def interval(self, slots: int) -> int:
        """Environment steps between evaluations, for this many slots."""
        return self.eval_every or _STEPS_BETWEEN_EVALUATIONS * slots

    def log_interval(self, slots: int) -> int:
        """Environment steps between lines of the log, for this many slots."""
        return self.log_every or 100 * slots

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible dictionary, that `from_mapping` reads."""
        return dict(dataclasses.asdict(self), env_options=dict(self.env_options))


_OPTIONAL = ("num_workers", "torch_threads", "eval_every", "log_every")
_LEAST = {
    "steps": 0,
    "seed": 0,
    "num_envs_per_task": 1,
    "num_workers": 1,
    "torch_threads": 1,
    "scripted_episodes": 1,
    "eval_every": 1,
    "eval_episodes": 1,
    "final_episodes": 1,
    "log_every": 1,
}
