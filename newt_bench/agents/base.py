"""The interface between agents and everything that runs them."""

from __future__ import annotations

import abc
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from newt_bench.agents.team import Team
from newt_bench.catalogue import Task
from newt_bench.errors import AgentError
from newt_bench.replay import Episode

__all__ = ["Agent", "Mode", "Observation"]

Mode = Literal["train", "eval"]

#: A batch of observations over slots. States are float32 of shape (slots, 128), zero-padded on the right;
#: images are uint8 of shape (slots, size, size, 3); `state_rgb` is a dictionary of both.
Observation = NDArray[np.float32] | NDArray[np.uint8] | Mapping[str, NDArray[Any]]


class Agent(abc.ABC):
    """Something that acts on tasks, many slots at a time.

    A *slot* is one running environment. Every call is batched over slots, which may hold different tasks.
    An agent is built once for a fixed list of tasks; `task[i]` is the index into that list of slot i's
    task. An agent uses only this interface and the catalogue, so that yours is a peer of ours: run it by
    import path (`my_package.my_module:MyAgent`) or register it under the entry point group
    `newt_bench.agents`.

    Only `act` must be written. Agents that learn override `observe` and `update`; agents that learn from
    demonstrations `add_demonstrations` and `pretrain_step`; agents that can go on with a new task `adapt`.
    Training calls `act`, `observe` and `update` in turn; `newt_bench.train` is the loop.

    Args:
        tasks: The tasks that it will meet.
        seed: Seed of everything random in it: initial weights, exploration, replay.

    Attributes:
        tasks: The tasks that it was built for.
        seed: The seed that it was built with.
    """

    def __init__(self, tasks: Sequence[Task], seed: int = 0) -> None:
        self.tasks = tuple(tasks)
        self.seed = seed

    @abc.abstractmethod
    def act(
        self, obs: Observation, task: NDArray[np.int64], first: NDArray[np.bool_], mode: Mode
    ) -> NDArray[np.float32]:
        """Chooses an action for every slot.

        Args:
            obs: Observations, see `Observation`.
            task: Index into `tasks` of each slot's task, shape (slots,).
            first: True where the observation is the first of an episode, shape (slots,); forget what you
                remember of the slot there.
            mode: `train` to explore, `eval` to perform.

        Returns:
            Actions in [-1, 1], shape (slots, 16). Entries past a task's `action_dim` are ignored.
        """

    def reset(self, seed: int) -> None:  # noqa: B027 (stateless agents need nothing here)
        """Forgets all slots and seeds the randomness of acting.

        Evaluation calls this before each task, so that a task's result does not depend on what else is
        evaluated, or where.

        Args:
            seed: Integer in [0, 2**31).
        """

    def observe(  # noqa: B027 (agents that do not learn need nothing here)
        self,
        obs: Observation,
        task: NDArray[np.int64],
        action: NDArray[np.float32],
        reward: NDArray[np.float32],
        next_obs: Observation,
        last: NDArray[np.bool_],
    ) -> None:
        """Takes in one transition of every slot.

        Args:
            obs: Observations that the actions were chosen on.
            task: Task index, shape (slots,).
            action: Actions played, shape (slots, 16), zero past each task's `action_dim`.
            reward: Rewards, shape (slots,).
            next_obs: Observations after the step; at an episode's end the final one, not the next first.
            last: True where the step ended an episode, shape (slots,). Horizons are fixed and states do
                not terminate, so bootstrapping goes on there.
        """

    def update(self) -> dict[str, float]:
        """Learns from what was observed.

        Returns:
            Metrics by name, for logging; empty if nothing was learned.
        """
        return {}

    def add_demonstrations(self, demonstrations: Iterable[Episode]) -> None:
        """Takes in demonstrations, to learn from before and beside its own experience.

        Args:
            demonstrations: Episodes whose `task` is an index into `tasks`, unpadded. With pixels, their observations
                hold state and image features side by side.

        Raises:
            AgentError: The agent cannot learn from demonstrations.
        """
        raise AgentError(f"{type(self).__name__} cannot learn from demonstrations")

    def pretrain_step(self) -> dict[str, float]:
        """One update on the demonstrations alone.

        Returns:
            Metrics by name; empty, and nothing done, once pretraining is complete or where there is none.
        """
        return {}

    def pretrain(self, demonstrations: Iterable[Episode] = ()) -> None:
        """Learns from demonstrations alone until pretraining is complete.

        Args:
            demonstrations: Episodes to add first, see `add_demonstrations`.

        Raises:
            AgentError: The agent cannot learn from demonstrations.
        """
        episodes = list(demonstrations)
        if episodes:
            self.add_demonstrations(episodes)
        while self.pretrain_step():
            pass

    def adapt(self, task: Task) -> None:
        """Prepares for learning a task that it was not built for.

        Raises:
            AgentError: The agent cannot.
        """
        raise AgentError(f"{type(self).__name__} cannot be adapted to a new task such as {task.name}")

    @classmethod
    def team(cls) -> Team:
        """Joins the processes that `torchrun` started, for training one agent together.

        Raises:
            AgentError: There are several, and the agent cannot be trained by more than one.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise AgentError(f"{cls.__name__} cannot be trained by several processes")
        return Team()

    def provenance(self) -> dict[str, Any]:
        """What a reader of its results should know beside its options, JSON-compatible.

        Such as which text encoder made the task embeddings. Recorded with results under `provenance.agent`.
        """
        return {}

    def save(self, folder: Path, *, resumable: bool = True) -> None:
        """Writes the agent to a folder, which changes at once or not at all.

        The folder holds `config.json`, whose `tasks` lists an object with the `id` of every task in order, and
        `weights.safetensors` if there are weights.

        Args:
            folder: Where to.
            resumable: Whether to add what training needs to go on as if it had not stopped: moments, random streams,
                replay buffers. Without it the agent can act, and be trained on from its weights.

        Raises:
            AgentError: The agent has nothing to save.
        """
        raise AgentError(f"{type(self).__name__} cannot be saved")

    @classmethod
    def load(cls, folder: Path, tasks: Sequence[Task], seed: int = 0, **options: Any) -> Agent:
        """Reads an agent that `save` wrote, and its training state if that was saved.

        Args:
            folder: The checkpoint.
            tasks: The tasks that it was saved with; without training state, some of them.
            seed: Seed of what the checkpoint does not tell.
            options: Options of the agent that replace those of the checkpoint.

        Raises:
            AgentError: The agent cannot be loaded, or the folder is not such an agent's.
        """
        raise AgentError(f"{cls.__name__} cannot be loaded from a folder")
