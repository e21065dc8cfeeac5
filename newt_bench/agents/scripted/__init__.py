"""Scripted experts: controllers written by hand, for demonstrations and as a yardstick. They read only the observation.

newt-bench evaluate --agent newt_bench.agents.scripted:ScriptedAgent --tasks cartpole-balance,mw-reach
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from newt_bench.agents.base import Agent, Mode, Observation
from newt_bench.agents.scripted import arms, games, mazes, poles, sawyer
from newt_bench.agents.scripted.base import Expert, Maker
from newt_bench.catalogue import PADDED_ACTION_DIM, Task, tasks
from newt_bench.errors import AgentError

__all__ = ["EXPERTS", "ScriptedAgent", "scripted_tasks"]

#: What makes the expert of a task for one episode, by task name.
EXPERTS: dict[str, Maker] = {
    **poles.EXPERTS,
    **arms.EXPERTS,
    **mazes.EXPERTS,
    **games.EXPERTS,
    **sawyer.EXPERTS,
}


def scripted_tasks() -> list[Task]:
    """Tasks that have an expert, in catalogue order."""
    return [task for task in tasks() if task.name in EXPERTS]


class ScriptedAgent(Agent):
    """Plays each task with the expert written for it. Experts are made anew for every episode, and draw nothing.

    Args:
        tasks: Tasks that have an expert, see `scripted_tasks`.
        seed: Has no effect.

    Raises:
        AgentError: A task has no expert.
    """

    def __init__(self, tasks: Sequence[Task], seed: int = 0) -> None:
        super().__init__(tasks, seed)
        lacking = [task.name for task in self.tasks if task.name not in EXPERTS]
        if lacking:
            raise AgentError(f"There is no scripted expert for {', '.join(lacking[:5])}{' ...' if lacking[5:] else ''}")
        self._experts: dict[int, Expert] = {}

    def act(
        self, obs: Observation, task: NDArray[np.int64], first: NDArray[np.bool_], mode: Mode
    ) -> NDArray[np.float32]:
        """See `Agent.act`."""
        if not isinstance(obs, np.ndarray) or obs.ndim != 2:
            raise AgentError("Scripted experts read states; use obs_type='state'")
        actions = np.zeros((len(task), PADDED_ACTION_DIM), np.float32)
        for slot, index in enumerate(task):
            record = self.tasks[index]
            if first[slot] or slot not in self._experts:
                self._experts[slot] = EXPERTS[record.name](record)
            action = self._experts[slot](obs[slot, : record.obs_dim].astype(np.float64))
            actions[slot, : record.action_dim] = np.clip(action, -1, 1)
        return actions

    def reset(self, seed: int) -> None:
        """See `Agent.reset`."""
        self._experts = {}
