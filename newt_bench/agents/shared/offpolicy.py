"""What agents that learn from replayed transitions share: everything but their networks and their losses."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from newt_bench.agents.base import Mode, Observation
from newt_bench.agents.shared.agent_files import TrainingState
from newt_bench.agents.shared.learned import LearnedAgent, LearnedSettings
from newt_bench.agents.shared.noise import CorrelatedNoise
from newt_bench.agents.shared.returns import ReturnScale
from newt_bench.catalogue import PADDED_ACTION_DIM, PADDED_OBS_DIM, Task
from newt_bench.errors import AgentError
from newt_bench.replay import Recorder, Replay, Sampling

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["OffPolicyAgent", "OffPolicyNetworks", "OffPolicySettings", "TransitionBatch"]


@dataclasses.dataclass(frozen=True)
class TransitionBatch:
    """Transitions over one or more steps.

    Attributes:
        obs: Observations, shape (batch, obs_width).
        action: Actions, 0 where masked, shape (batch, action_width).
        reward: Discounted sums of scaled rewards, shape (batch,).
        discount: What the value of `next_obs` counts: the task's discount to the power of the number of rewards
            summed, shape (batch,).
        next_obs: Observations after the last step, shape (batch, obs_width).
        task: Task indices, shape (batch,).
        mask: 1 for the action entries that the task has, shape (batch, action_width).
    """

    obs: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_obs: Tensor
    task: Tensor
    mask: Tensor


@dataclasses.dataclass(frozen=True)
class OffPolicySettings(LearnedSettings):
    """Settings of all of these agents, beside those of `LearnedSettings`.

    Attributes:
        padded: Whether networks take observations of 128 entries and actions of 16, whatever the tasks' sizes, as it
            takes to adapt to other tasks. Otherwise they are as wide as the widest task, which is faster. None means
            padded for several tasks.
        batch_size: Transitions per update.
        tau: Rate at which target networks follow.
        updates_per_step: Updates per environment step, summed over all environments.
        replay_capacity: Steps held by the replay buffer.
        replay_sampling: What is drawn uniformly: a `task` and then a step of it, an `episode` and then a step, or any
            `transition`.
        v_max: Rewards of each task are divided by its largest discounted return so far and multiplied by this; 0
            leaves them as they are. None means 0 for one task and 10 for several.
        noise_correlation: Correlation, in [0, 1), of the exploration noise of successive steps, and of the uniform
            actions before. 0 is white noise. Near 1, actions push one way for a while, about
            1 / (1 - `noise_correlation`) steps, which swings what white noise only shakes.
    """

    padded: bool | None = None
    batch_size: int = 256
    tau: float = 0.005
    updates_per_step: float = 1.0
    replay_capacity: int = 1_000_000
    replay_sampling: Sampling = "task"
    v_max: float | None = None
    noise_correlation: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "conditioning_width", "batch_size", "replay_capacity")
        self.at_least(0, "tau", "updates_per_step", "v_max", "noise_correlation")
        if not self.noise_correlation < 1:
            raise AgentError(f"noise_correlation must be below 1, not {self.noise_correlation!r}")

    def resolved(self, num_tasks: int) -> Self:
        """See `Settings.resolved`."""
        several = num_tasks > 1
        return dataclasses.replace(
            super().resolved(num_tasks),
            padded=several if self.padded is None else self.padded,
            v_max=(10.0 if several else 0.0) if self.v_max is None else self.v_max,
        )


class OffPolicyNetworks(nn.Module):
    """Base of an agent's networks.

    Args:
        tasks: The tasks.
        padded: See `OffPolicySettings`.

    Attributes:
        obs_width: Entries of observations.
        action_width: Entries of actions.
        returns: How large each task's returns are.
    """

    def __init__(self, tasks: Sequence[Task], *, padded: bool) -> None:
        super().__init__()
        self.obs_width = PADDED_OBS_DIM if padded else max(task.obs_dim for task in tasks)
        self.action_width = PADDED_ACTION_DIM if padded else max(task.action_dim for task in tasks)
        self.returns = ReturnScale([task.discount for task in tasks])


S = TypeVar("S", bound=OffPolicySettings)
M = TypeVar("M", bound=OffPolicyNetworks)


class OffPolicyAgent(LearnedAgent[S, M], Generic[S, M]):
    """Base of agents that store transitions and learn from a random batch of them at a time.

    A subclass makes networks (`make_model`) and optimisers (`make_optimizers`), acts (`explore`, `perform`), and does
    one update (`learn`). Episodes enter the replay buffer when they end.

    Args:
        tasks: Any tasks.
        seed: Seed of initial weights, exploration and replay.
        checkpoint: See `LearnedAgent`.
        replay_folder: Keep the replay buffer in files there instead of in memory.
        options: Further arguments of `LearnedAgent`, and settings by name.
    """

    BUFFERS: ClassVar[tuple[str, ...]] = ("replay",)

    def __init__(
        self,
        tasks: Sequence[Task],
        seed: int = 0,
        *,
        checkpoint: str | Path | None = None,
        replay_folder: str | Path | None = None,
        **options: Any,
    ) -> None:
        self._replay_folder = Path(replay_folder) if replay_folder else None
        super().__init__(tasks, seed, checkpoint=checkpoint, **options)
        self._trained = checkpoint is not None

    # What a subclass supplies

    @abc.abstractmethod
    def make_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """New optimisers of the networks, by name."""

    @abc.abstractmethod
    def random_steps(self) -> int:
        """Environment steps to play uniformly at random before anything is learned."""

    @abc.abstractmethod
    def explore(self, obs: Tensor, task: Tensor, mask: Tensor, first: Tensor) -> Tensor:
        """Actions for training, without gradient: shape (slots, action_width).

        Args:
            obs: Observations, shape (slots, obs_width).
            task: Task indices, shape (slots,).
            mask: 1 for the action entries that the task has, shape (slots, action_width).
            first: Whether an episode begins, shape (slots,).
        """

    @abc.abstractmethod
    def perform(self, obs: Tensor, task: Tensor, mask: Tensor) -> Tensor:
        """Actions for evaluation; see `explore`."""

    @abc.abstractmethod
    def learn(self, batch: TransitionBatch) -> dict[str, Tensor]:
        """One update; returns metrics. `updates` counts those before it."""

    def steps_per_transition(self) -> int:
        """Rewards summed per transition, where its episode still has as many."""
        return 1

    def capacity(self) -> int:
        """Steps that the replay buffer holds."""
        return self.config.replay_capacity

    def reward_divisor(self, task: Tensor) -> Tensor:
        """What rewards of tasks given by index are divided by: shape (batch,)."""
        if not self.config.v_max:
            return torch.ones(len(task), device=self.device)
        return self.model.returns.reach(task) / self.config.v_max

    # What a run is made of

    def start(self) -> None:
        """See `LearnedAgent.start`."""
        self.optimizers = self.make_optimizers()
        self._masks = self.masks[:, : self.model.action_width]
        # Rows of the buffer hold no padding beyond the widest task's.
        self._row_width = max(task.obs_dim for task in self.tasks)
        self._row_action_width = max(task.action_dim for task in self.tasks)
        self._replay: Replay | None = None
        self._recorder: Recorder | None = None
        self._begun, self._owed = self.steps, 0.0
        self._noise = CorrelatedNoise(self.config.noise_correlation)

    @property
    def replay(self) -> Replay:
        """The buffer; made when first used, so that an agent that only acts needs none."""
        if self._replay is None:
            self._replay = Replay(
                self.capacity(),
                self._row_width,
                self._row_action_width,
                horizon=1,
                sampling=self.config.replay_sampling,
                folder=self._replay_folder,
            )
        return self._replay

    # Acting

    def act(
        self, obs: Observation, task: NDArray[np.int64], first: NDArray[np.bool_], mode: Mode
    ) -> NDArray[np.float32]:
        """See `Agent.act`. Training from scratch begins with steps played uniformly at random."""
        seen, index = self.tensor(self.states(obs)[:, : self.model.obs_width]), self.tensor(task)
        mask = self._masks[index]
        with torch.no_grad():
            if mode == "eval":
                action = self.perform(seen, index, mask)
            else:
                self._restart(first)
                if self._seeding() and not self._trained:
                    action = self._random_actions(mask, self.tensor(first))
                else:
                    action = self.explore(seen, index, mask, self.tensor(first))
        padded = np.zeros((len(task), PADDED_ACTION_DIM), np.float32)
        padded[:, : self.model.action_width] = action.cpu().numpy()
        return padded

    def _random_actions(self, mask: Tensor, first: Tensor) -> Tensor:
        """Uniform between -1 and 1, and correlated as exploration noise is."""
        if not self.config.noise_correlation:  # drawn as ever, so that published runs can be repeated
            return (2 * self.streams["training"].uniform(*mask.shape) - 1) * mask
        # The error function makes uniform numbers of normal ones.
        return torch.erf(self.exploration_noise(mask, first) / math.sqrt(2)) * mask

    def exploration_noise(self, mask: Tensor, first: Tensor) -> Tensor:
        """Standard normal noise for `explore`, shape (slots, action_width); see `OffPolicySettings.noise_correlation`.

        Args:
            mask: As `explore` got it.
            first: As `explore` got it.
        """
        return self._noise.step(self.streams["training"].normal(*mask.shape), first)

    def _seeding(self) -> bool:
        """Whether nothing is learned yet."""
        return self.steps - self._begun < self.random_steps()

    def _restart(self, first: NDArray[np.bool_]) -> None:
        """Drops what is remembered of episodes that were broken off."""
        if self._recorder is not None and len(self._recorder) == len(first):
            self._recorder.restart(first)
        self.model.returns.restart(first)

    # Learning

    def observe(
        self,
        obs: Observation,
        task: NDArray[np.int64],
        action: NDArray[np.float32],
        reward: NDArray[np.float32],
        next_obs: Observation,
        last: NDArray[np.bool_],
    ) -> None:
        """See `Agent.observe`."""
        if self._recorder is None or len(self._recorder) != len(task):
            self._recorder = self._new_recorder(len(task))
        before, after = (self.states(o)[:, : self._row_width] for o in (obs, next_obs))
        played = action[:, : self._row_action_width]
        for episode in self._recorder.record(before, played, reward, after, last, task):
            self.replay.add(episode)
        self.model.returns.observe(task, reward, last)
        if not self._seeding() and self.replay.num_episodes:
            self._owed += self.config.updates_per_step * len(task)
        self.steps += len(task)

    def update(self) -> dict[str, float]:
        """Does the updates that the steps observed since have earned: `updates_per_step` for each.

        Nothing is earned before the random steps are played and the first episode has ended.
        """
        metrics: dict[str, Tensor] = {}
        while self._owed >= 1:
            self._owed -= 1
            metrics = self.learn(self.batch())
            self.updates += 1
        return {name: float(value) for name, value in metrics.items()}

    def batch(self) -> TransitionBatch:
        """Draws a batch from the replay buffer, with rewards scaled."""
        drawn = self.replay.sample_transitions(
            self.config.batch_size,
            self.streams["learning"].host,
            discount=np.array([task.discount for task in self.tasks]),
            steps=self.steps_per_transition(),
        )
        task = self.tensor(drawn.task)
        return TransitionBatch(
            obs=self._padded(drawn.obs, self.model.obs_width),
            action=self._padded(drawn.action, self.model.action_width),
            reward=self.tensor(drawn.reward) / self.reward_divisor(task),
            discount=self.discounts[task] ** self.tensor(drawn.steps),
            next_obs=self._padded(drawn.next_obs, self.model.obs_width),
            task=task,
            mask=self._masks[task],
        )

    def _padded(self, rows: NDArray[np.float32], width: int) -> Tensor:
        return nn.functional.pad(self.tensor(rows), (0, width - rows.shape[1]))

    def _new_recorder(self, slots: int) -> Recorder:
        longest = max(task.max_episode_steps for task in self.tasks)
        return Recorder(slots, longest, self._row_width, self._row_action_width)

    # New tasks, checkpoints

    def adapt(self, task: Task) -> None:
        """See `LearnedAgent.adapt`.

        Raises:
            AgentError: The text encoder that the agent was trained with cannot be had, or the task's observations or
                actions are of another size than the networks, which are not padded.
        """
        model = self.model
        if not self.config.padded and (task.obs_dim, task.action_dim) != (model.obs_width, model.action_width):
            raise AgentError(
                f"The networks take {model.obs_width} observation and {model.action_width} action entries, {task.name} "
                f"has {task.obs_dim} and {task.action_dim}; train with padded=true to adapt to tasks of any size"
            )
        super().adapt(task)
        self._trained = True

    def training_state(self) -> TrainingState:
        """See `LearnedAgent.training_state`."""
        state = super().training_state()
        state.values |= {
            "begun": self._begun,
            "owed": self._owed,
            "trained": self._trained,
            "running_returns": self.model.returns.running.tolist(),
        }
        if self._recorder is not None:
            state.add_arrays("recorder", self._recorder.state())
        if self._replay is not None:
            state.buffers["replay"] = self._replay.state()
        if self._noise.last is not None:
            state.tensors["noise"] = {"last": self._noise.last}
        return state

    def load_training_state(self, state: TrainingState) -> None:
        """See `LearnedAgent.load_training_state`."""
        super().load_training_state(state)
        values = state.values
        self._begun, self._owed, self._trained = values["begun"], values["owed"], values["trained"]
        self.model.returns.running = np.array(values["running_returns"])
        recorded = state.arrays("recorder")
        if recorded:
            self._recorder = self._new_recorder(len(recorded["steps"]))
            self._recorder.load_state(recorded)
        if "replay" in state.buffers:
            self.replay.load_state(state.buffers["replay"])
        if "noise" in state.tensors:
            self._noise.last = state.tensors["noise"]["last"].to(self.device)
