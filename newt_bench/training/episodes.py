"""The episodes that are being played, and how to get back into the middle of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.errors import InputError
from newt_bench.vector import TaskVectorEnv

__all__ = ["OpenEpisodes", "rows_of"]


class OpenEpisodes:
    """The actions played since every slot's last reset.

    An episode is a function of its reset seed and its actions. So a run that is resumed gets every slot back to where
    it was: it resets the slot to the same episode, and plays its actions again.

    Args:
        slots: Number of slots.
        max_steps: Steps of the longest episode.
        action_size: Entries of an action.
    """

    def __init__(self, slots: int, max_steps: int, action_size: int) -> None:
        self._actions = np.zeros((slots, max_steps, action_size), np.float32)
        self._steps = np.zeros(slots, np.int64)

    def record(self, actions: NDArray[np.float32], ended: NDArray[np.bool_]) -> None:
        """Takes in one action per slot, and whether the slot's episode ended with it."""
        self._actions[np.arange(len(self._steps)), self._steps] = actions
        self._steps += 1
        self._steps[ended] = 0

    def state(self) -> dict[str, NDArray[Any]]:
        """What is needed to get back, as arrays by name."""
        longest = int(self._steps.max(initial=0))
        return {"steps": self._steps.copy(), "actions": self._actions[:, :longest].copy()}

    def restore(
        self, envs: TaskVectorEnv, state: Mapping[str, NDArray[Any]], seed: int, episode: NDArray[np.int64]
    ) -> Any:
        """Brings a vector environment back to where `state` was told.

        Args:
            envs: A vector environment like the one at that time.
            state: What `state` told.
            seed: The run's seed.
            episode: Which episode every slot was in, shape (slots,).

        Returns:
            The observations that the agent acts on next.

        Raises:
            InputError: The state is of another number of slots.
        """
        steps, actions = state["steps"], state["actions"]
        if steps.shape != self._steps.shape:
            raise InputError(f"The checkpoint is of {len(steps)} slots, and there are {len(self._steps)}")
        obs, _ = envs.reset(seed=seed, options={"episode": episode})
        for step in range(actions.shape[1]):
            slots = np.flatnonzero(steps > step)
            envs.send(actions[slots, step], slots)
            received, fresh, *_ = envs.recv(len(slots))
            _put(obs, received, fresh)
        self._steps[:] = steps
        self._actions[:, : actions.shape[1]] = actions
        return obs

    def check(self, obs: Any, remembered: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Compares observations after `restore` with those before.

        Returns:
            True for slots that are not where they were, shape (slots,). There is a warning, if there are any.
        """
        strayed = np.zeros(len(self._steps), np.bool_)
        for name, rows in rows_of(obs).items():
            before = remembered[name]
            strayed |= (rows != before).reshape(len(rows), -1).any(1)
        if strayed.any():
            warnings.warn(
                f"{int(strayed.sum())} of {len(strayed)} slots did not come back to where they were: the run goes on, "
                "but not as if it had not been interrupted. Another machine, other versions of the simulators, or "
                "exact_resets=False can be why",
                RuntimeWarning,
                stacklevel=2,
            )
        return strayed


def rows_of(obs: Any) -> dict[str, NDArray[Any]]:
    """The arrays that observations consist of, by name."""
    return dict(obs) if isinstance(obs, Mapping) else {"obs": obs}


def _put(obs: Any, slots: NDArray[np.int64], fresh: Any) -> None:
    target, source = rows_of(obs), rows_of(fresh)
    for name, values in target.items():
        values[slots] = source[name]
