"""Policies of stable-baselines3 as agents: train there, evaluate here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from newt_bench.agents.base import Agent, Mode, Observation
from newt_bench.catalogue import PADDED_ACTION_DIM, PADDED_OBS_DIM, Task
from newt_bench.errors import AgentError
from newt_bench.extras import import_optional

__all__ = ["SB3Agent"]


class SB3Agent(Agent):
    """Acts with a policy that stable-baselines3, or a package built on it, has made. It learns nothing here.

    The policy sees either states as the task has them, or states padded to 128 entries; likewise with actions. Which it
    is follows from its spaces. What a recurrent policy remembers is kept for every slot.

    Args:
        tasks: Tasks whose states and actions fit the policy.
        seed: Seed of the actions that are drawn, in mode `train`.
        model: An algorithm or policy, such as `stable_baselines3.PPO(...)`; anything with `predict` and spaces.
        checkpoint: Instead of that, a zip file that an algorithm's `save` wrote.
        algorithm: Its class: a name in stable_baselines3, such as `PPO`, or `package.module:Class`.
        trust: Such files hold pickles, and reading one runs whatever code is in it. True says that you know where
            the file comes from; without, it is refused unread.

    Raises:
        AgentError: There is no model, the file is not trusted, or the policy does not fit the tasks.
        MissingExtraError: stable-baselines3 is not installed, and a file is to be read.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        seed: int = 0,
        *,
        model: Any = None,
        checkpoint: str | Path | None = None,
        algorithm: str = "PPO",
        trust: bool = False,
    ) -> None:
        super().__init__(tasks, seed)
        if (model is None) == (checkpoint is None):
            raise AgentError("An SB3 agent wraps either a `model` in memory or a `checkpoint`, a zip file")
        self.model = model if checkpoint is None else _read(Path(checkpoint), algorithm, trust)
        self._check()
        self._slots = 0
        self._memory: Any = None  # what a recurrent policy remembers of them
        self.reset(seed)

    def act(
        self, obs: Observation, task: NDArray[np.int64], first: NDArray[np.bool_], mode: Mode
    ) -> NDArray[np.float32]:
        """See `Agent.act`. In evaluation it plays the policy's deterministic actions."""
        state = obs["state"] if isinstance(obs, Mapping) else obs
        if state.ndim != 2:
            raise AgentError(f"SB3 agents see states (obs_type='state'); got {state.dtype} of shape {state.shape}")
        if len(task) != self._slots:
            self._slots, self._memory = len(task), None
        # Policies draw from PyTorch's global generator: it is put back as it was.
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(int(self._rng.integers(2**31)))
            chosen, self._memory = self.model.predict(
                state[:, : self._obs_width],
                state=self._memory,
                episode_start=first,
                deterministic=mode == "eval",
            )
        actions = np.zeros((len(task), PADDED_ACTION_DIM), np.float32)
        actions[:, : chosen.shape[1]] = chosen
        return actions

    def reset(self, seed: int) -> None:
        """See `Agent.reset`."""
        self._rng = np.random.default_rng(seed)
        self._slots, self._memory = 0, None

    def provenance(self) -> dict[str, Any]:
        """See `Agent.provenance`: what the policy is, and how long its algorithm has trained."""
        kind = type(self.model)
        facts: dict[str, Any] = {"model": f"{kind.__module__}.{kind.__qualname__}"}
        steps = getattr(self.model, "num_timesteps", None)
        return facts if steps is None else facts | {"steps": int(steps)}

    def _check(self) -> None:
        """Takes the policy's widths, and checks them against the tasks'."""
        seen, played = self.model.observation_space, self.model.action_space
        self._obs_width = _width(seen, "observations")
        action_width = _width(played, "actions")
        if np.any(played.low != -1) or np.any(played.high != 1):
            raise AgentError(f"The policy's actions must be in [-1, 1], as those of all tasks are, not in {played}")
        problems = [
            f"{task.name} has {task.obs_dim} observation and {task.action_dim} action entries"
            for task in self.tasks
            if self._obs_width not in (task.obs_dim, PADDED_OBS_DIM)
            or action_width not in (task.action_dim, PADDED_ACTION_DIM)
        ]
        if problems:
            raise AgentError(f"The policy takes {self._obs_width} and gives {action_width}; {'; '.join(problems)}")


def _width(space: Any, what: str) -> int:
    shape = getattr(space, "shape", None)
    if shape is None or len(shape) != 1 or not hasattr(space, "low"):
        raise AgentError(f"The policy's {what} must be a Box of one dimension, not {space}")
    return int(shape[0])


def _read(path: Path, algorithm: str, trust: bool) -> Any:
    """Reads an algorithm from a zip file, running the code in it."""
    if not trust:
        raise AgentError(
            f"{path} was not read: files of stable-baselines3 hold pickles, which run code when they are read. If you "
            "know where it comes from, say so by the option trust=true"
        )
    if not path.is_file():
        raise AgentError(f"{path} is missing")
    module_name, _, name = algorithm.rpartition(":")
    module = import_optional(
        module_name or "stable_baselines3", extra="sb3", packages=["stable_baselines3"], wanted_by="The agent sb3"
    )
    kind = getattr(module, name, None)
    if kind is None or not hasattr(kind, "load"):
        raise AgentError(f"There is no algorithm {name!r} in {module.__name__}")
    return kind.load(path, device="auto")
