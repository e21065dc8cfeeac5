"""Gathers whole episodes from many slots that step together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.errors import InputError
from newt_bench.replay.ring import Episode

__all__ = ["Recorder"]


class Recorder:
    """One episode in the making per slot.

    Args:
        slots: Number of slots.
        max_steps: Steps of the longest episode.
        obs_width: Entries per observation.
        action_width: Entries per action.
    """

    def __init__(self, slots: int, max_steps: int, obs_width: int, action_width: int) -> None:
        self._obs = np.zeros((slots, max_steps + 1, obs_width), np.float32)
        self._action = np.zeros((slots, max_steps, action_width), np.float32)
        self._reward = np.zeros((slots, max_steps), np.float32)
        self._steps = np.zeros(slots, np.int64)

    def __len__(self) -> int:
        return len(self._steps)

    def restart(self, slots: NDArray[np.bool_]) -> None:
        """Drops what was recorded in the slots that are marked: their episodes began anew."""
        self._steps[slots] = 0

    def record(
        self,
        obs: NDArray[np.float32],
        action: NDArray[np.float32],
        reward: NDArray[np.float32],
        next_obs: NDArray[np.float32],
        last: NDArray[np.bool_],
        task: NDArray[np.int64],
    ) -> list[Episode]:
        """Takes in one transition per slot.

        Args:
            obs: Shape (slots, obs_width); used where an episode begins.
            action: Shape (slots, action_width).
            reward: Shape (slots,).
            next_obs: Shape (slots, obs_width).
            last: Whether the slot's episode ended, shape (slots,).
            task: Task indices, shape (slots,).

        Returns:
            The episodes that ended.

        Raises:
            InputError: There are more steps than an episode may have, or another number of slots.
        """
        slots, steps = np.arange(len(self._steps)), self._steps
        if len(task) != len(slots) or steps.max(initial=0) >= self._reward.shape[1]:
            raise InputError(
                f"Recording {len(slots)} slots of up to {self._reward.shape[1]} steps, but got {len(task)} slots or a "
                "longer episode"
            )
        begins = steps == 0
        self._obs[begins, 0] = obs[begins]
        self._action[slots, steps], self._reward[slots, steps] = action, reward
        self._obs[slots, steps + 1] = next_obs
        steps += 1
        episodes = [self._episode(slot, int(task[slot])) for slot in np.flatnonzero(last)]
        steps[last] = 0
        return episodes

    def state(self) -> dict[str, NDArray[Any]]:
        """What is recorded so far, as arrays by name."""
        longest = int(self._steps.max(initial=0))
        return {
            "steps": self._steps.copy(),
            "obs": self._obs[:, : longest + 1].copy(),
            "action": self._action[:, :longest].copy(),
            "reward": self._reward[:, :longest].copy(),
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Goes on from what `state` told."""
        self._steps[:] = state["steps"]
        for name in ("obs", "action", "reward"):
            getattr(self, f"_{name}")[:, : state[name].shape[1]] = state[name]

    def _episode(self, slot: int, task: int) -> Episode:
        steps = self._steps[slot]
        return Episode(
            task,
            self._obs[slot, : steps + 1].copy(),
            self._action[slot, :steps].copy(),
            self._reward[slot, :steps].copy(),
        )
