"""The random agent: the zero of every scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from newt_bench.agents.base import Agent, Mode, Observation
from newt_bench.catalogue import PADDED_ACTION_DIM, Task

__all__ = ["RandomAgent"]


class RandomAgent(Agent):
    """Draws every action entry uniformly from [-1, 1], anew at every agent step.

    Args:
        tasks: Any tasks.
        seed: Seed of the draws.
    """

    def __init__(self, tasks: Sequence[Task], seed: int = 0) -> None:
        super().__init__(tasks, seed)
        self._rng = np.random.default_rng(seed)

    def act(
        self, obs: Observation, task: NDArray[np.int64], first: NDArray[np.bool_], mode: Mode
    ) -> NDArray[np.float32]:
        """See `Agent.act`."""
        return self._rng.uniform(-1, 1, (len(task), PADDED_ACTION_DIM)).astype(np.float32)

    def reset(self, seed: int) -> None:
        """See `Agent.reset`."""
        self._rng = np.random.default_rng(seed)
