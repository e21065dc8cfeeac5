"""What agents that learn from replayed transitions share: everything but their networks and their losses."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from newt_bench.agents.base import Agent, Mode, Observation
from newt_bench.agents.shared.agent_files import (
    TrainingState,
    read_agent,
    read_training,
    write_agent,
    write_training,
)
from newt_bench.agents.shared.conditioning import Conditioning, ConditioningBlock, TaskTexts
from newt_bench.agents.shared.optimizers import load_moments, moments
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.agents.shared.returns import ReturnScale
from newt_bench.agents.shared.settings import Settings
from newt_bench.agents.shared.tasks import action_masks, task_row_names
from newt_bench.atomic import atomic_folder
from newt_bench.catalogue import PADDED_ACTION_DIM, PADDED_OBS_DIM, Task
from newt_bench.errors import AgentError
from newt_bench.language import TextEncoder
from newt_bench.replay import Recorder, Replay, Sampling

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["OffPolicyAgent", "OffPolicyNetworks", "OffPolicySettings", "TransitionBatch"]

# Independent streams of random numbers, by what they are for.
_LEARNING, _ACTING = range(2)


@dataclasses.dataclass(frozen=True)
class TransitionBatch:
    """Transitions over one or more steps.

    Attributes:
        obs: Observations, shape (batch, obs_width).
        action: Actions, 0 where masked, shape (batch, action_width).
        reward: Discounted sums of rewards, shape (batch,).
        discount: What the value of `next_obs` counts: the task's discount to the power of the number of rewards
            summed, shape (batch,).
        next_obs: Observations after the last step, shape (batch, obs_width).
        task: Task indices, shape (batch,).
    """

    obs: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_obs: Tensor
    task: Tensor


@dataclasses.dataclass(frozen=True)
class OffPolicySettings(Settings):
    """Hyper-parameters that all of these agents have.

    Attributes:
        conditioning: What tells tasks apart: the `language` embedding, a learned vector per task (`one-hot`), or
            `none`. None means `none` for one task.
        conditioning_width: Entries that networks are told of the task.
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
    """

    conditioning: Conditioning | None = None
    conditioning_width: int = 64
    padded: bool | None = None
    batch_size: int = 256
    tau: float = 0.005
    updates_per_step: float = 1.0
    replay_capacity: int = 1_000_000
    replay_sampling: Sampling = "task"
    v_max: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "conditioning_width", "batch_size", "replay_capacity")
        self.at_least(0, "tau", "updates_per_step", "v_max")

    def resolved(self, num_tasks: int) -> Self:
        """See `Settings.resolved`."""
        several = num_tasks > 1
        return dataclasses.replace(
            self,
            conditioning=self.conditioning or ("language" if several else "none"),
            padded=several if self.padded is None else self.padded,
            v_max=(10.0 if several else 0.0) if self.v_max is None else self.v_max,
        )


class OffPolicyNetworks(nn.Module):
    """Base of an agent's networks, with the facts of the tasks that they need.

    Args:
        tasks: The tasks.
        padded: See `OffPolicySettings`.

    Attributes:
        obs_width: Entries of observations.
        action_width: Entries of actions.
        masks: 1 for the action entries that a task has, shape (tasks, action_width).
        discounts: Discount of each task, shape (tasks,).
        returns: How large each task's returns are.
    """

    masks: Tensor
    discounts: Tensor
    task_rows: ClassVar[tuple[str, ...]] = ("masks", "discounts")

    def __init__(self, tasks: Sequence[Task], *, padded: bool) -> None:
        super().__init__()
        self.obs_width = PADDED_OBS_DIM if padded else max(task.obs_dim for task in tasks)
        self.action_width = PADDED_ACTION_DIM if padded else max(task.action_dim for task in tasks)
        masks = action_masks([task.action_dim for task in tasks])
        self.register_buffer("masks", masks[:, : self.action_width].clone())
        self.register_buffer("discounts", torch.tensor([task.discount for task in tasks], dtype=torch.float32))
        self.returns = ReturnScale([task.discount for task in tasks])


SettingsT = TypeVar("SettingsT", bound=OffPolicySettings)
NetworksT = TypeVar("NetworksT", bound=OffPolicyNetworks)


class OffPolicyAgent(Agent, Generic[SettingsT, NetworksT]):
    """Base of agents that store transitions and learn from a random batch of them at a time.

    A subclass makes networks and optimisers, acts, and does one update. Episodes enter the replay buffer when they
    end.

    Args:
        tasks: Any tasks.
        seed: Seed of initial weights, exploration and replay.
        config: Hyper-parameters.
        checkpoint: Folder of a checkpoint to act from or to train on from; `tasks` may be some of its tasks. Weights,
            tasks and settings are its; replay buffer and optimisers are not. See `load`.
        encoder: Embeds the tasks' texts; by default CLIP, or a stand-in where it cannot be had.
        device: Where to compute; by default the GPU if there is one.
        replay_folder: Keep the replay buffer in files there instead of in memory.
        options: Single hyper-parameters by name, on top of `config` or of the checkpoint's.

    Attributes:
        config: Hyper-parameters, all resolved.
        model: The networks.
        optimizers: The optimisers by name.
        randomness: Source of what learning draws.
        replay: The replay buffer.
        steps: Environment steps observed, summed over slots.
        updates: Updates done.
        texts: What embeds the tasks' texts; its `name` is None if nothing was embedded.
    """

    #: Format of its checkpoints.
    FORMAT: ClassVar[str]
    #: Class of its hyper-parameters.
    SETTINGS: ClassVar[type[OffPolicySettings]]

    config: SettingsT
    model: NetworksT

    def __init__(
        self,
        tasks: Sequence[Task],
        seed: int = 0,
        *,
        config: SettingsT | None = None,
        checkpoint: str | Path | None = None,
        encoder: TextEncoder | None = None,
        device: str | torch.device | None = None,
        replay_folder: str | Path | None = None,
        **options: Any,
    ) -> None:
        super().__init__(tasks, seed)
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._replay_folder = Path(replay_folder) if replay_folder else None
        self.texts = TaskTexts(encoder)
        self.steps = 0
        self._trained = checkpoint is not None
        if checkpoint is not None:
            self._restore(Path(checkpoint), options)
        else:
            given = (config.to_dict() if config else {}) | options
            self.config = self._settings(given)
            self.model = self._networks(self.texts, torch.Generator().manual_seed(seed)).to(self._device)
        self._start()

    # What a subclass supplies

    @abc.abstractmethod
    def _networks(self, texts: TaskTexts | None, generator: torch.Generator) -> NetworksT:
        """Networks for `self.tasks`, with new weights. Without texts, their embeddings are loaded afterwards."""

    @abc.abstractmethod
    def _make_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """New optimisers of the networks, by name."""

    @abc.abstractmethod
    def _random_steps(self) -> int:
        """Environment steps to play uniformly at random before anything is learned."""

    @abc.abstractmethod
    def _explore(self, obs: Tensor, task: Tensor, first: Tensor) -> Tensor:
        """Actions for training, shape (slots, action_width). Draws from `self._acting`."""

    @abc.abstractmethod
    def _perform(self, obs: Tensor, task: Tensor) -> Tensor:
        """Actions for evaluation, shape (slots, action_width)."""

    @abc.abstractmethod
    def _learn(self, batch: TransitionBatch) -> dict[str, Tensor]:
        """One update; returns metrics. `self.updates` counts those before it."""

    def _steps_per_transition(self) -> int:
        """Rewards summed per transition, where its episode still has as many."""
        return 1

    def _capacity(self) -> int:
        """Steps that the replay buffer holds."""
        return self.config.replay_capacity

    def _scale(self, task: Tensor) -> Tensor:
        """What rewards of tasks given by index are divided by: shape (batch,)."""
        if not self.config.v_max:
            return torch.ones_like(task, dtype=torch.float32)
        return self.model.returns.reach(task) / self.config.v_max

    # What the agent is made of

    def _settings(self, options: Mapping[str, Any]) -> SettingsT:
        settings: SettingsT = self.SETTINGS.from_options(options).resolved(len(self.tasks))  # type: ignore[assignment]
        return settings

    def _conditioning(self, texts: TaskTexts | None, generator: torch.Generator) -> ConditioningBlock:
        """A new conditioning block for `self.tasks`."""
        kind, width = self.config.conditioning or "none", self.config.conditioning_width
        return ConditioningBlock.of(kind, self.tasks, texts, width=width, generator=generator)

    def _restore(self, folder: Path, options: Mapping[str, Any]) -> None:
        found = read_agent(folder, self.FORMAT, self.tasks)
        self.config = self._settings({**found.config, **options})
        self.steps, self.texts.name = found.steps, found.text_encoder
        self.model = self._networks(None, torch.Generator().manual_seed(self.seed)).to(self._device)
        self.model.load_state_dict(found.fitted(self.model.state_dict(), task_row_names(self.model)))

    def _start(self) -> None:
        """Everything around the networks, as new."""
        self.optimizers = self._make_optimizers()
        self.randomness = Randomness((self.seed, _LEARNING), self._device)
        self._acting = Randomness((self.seed, _ACTING), self._device)
        # Rows hold no padding beyond the widest task's.
        self._row_width = max(task.obs_dim for task in self.tasks)
        self._row_action_width = max(task.action_dim for task in self.tasks)
        self._replay: Replay | None = None
        self._recorder: Recorder | None = None
        self._discounts = np.array([task.discount for task in self.tasks])
        self._begun = self.steps
        self._owed = 0.0
        self.updates = 0

    @property
    def replay(self) -> Replay:
        """The buffer; made when first used, so that an agent that only acts needs none."""
        if self._replay is None:
            self._replay = Replay(
                self._capacity(),
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
        seen = torch.from_numpy(self._state(obs)[:, : self.model.obs_width]).to(self._device)
        index = torch.from_numpy(task).to(self._device)
        with torch.no_grad():
            if mode == "eval":
                action = self._perform(seen, index)
            else:
                self._restart(first)
                action = self._train_action(seen, index, torch.from_numpy(first).to(self._device))
        padded = np.zeros((len(task), PADDED_ACTION_DIM), np.float32)
        padded[:, : self.model.action_width] = action.cpu().numpy()
        return padded

    def _train_action(self, obs: Tensor, task: Tensor, first: Tensor) -> Tensor:
        if self._trained or not self._seeding():
            return self._explore(obs, task, first)
        uniform = 2 * self._acting.uniform(len(task), self.model.action_width) - 1
        return uniform * self.model.masks[task]

    def _seeding(self) -> bool:
        """Whether nothing is learned yet."""
        return self.steps - self._begun < self._random_steps()

    def _restart(self, first: NDArray[np.bool_]) -> None:
        """Drops what is remembered of episodes that were broken off."""
        if self._recorder is not None and len(self._recorder) == len(first):
            self._recorder.restart(first)
        self.model.returns.restart(first)

    def _state(self, obs: Observation) -> NDArray[np.float32]:
        """Observations, if they are states.

        Raises:
            AgentError: They are not.
        """
        if isinstance(obs, Mapping) or obs.dtype != np.float32 or obs.ndim != 2:
            found = "a dictionary" if isinstance(obs, Mapping) else f"{obs.dtype} of shape {obs.shape}"
            raise AgentError(f"{type(self).__name__} learns from states (obs_type='state'); got {found}")
        return obs  # type: ignore[return-value]

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
            longest = max(t.max_episode_steps for t in self.tasks)
            self._recorder = Recorder(len(task), longest, self._row_width, self._row_action_width)
        before, after = (self._state(o)[:, : self._row_width] for o in (obs, next_obs))
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
            metrics = self._learn(self.batch())
            self.updates += 1
        return {name: float(value) for name, value in metrics.items()}

    def batch(self) -> TransitionBatch:
        """Draws a batch from the replay buffer, with rewards scaled."""
        drawn = self.replay.sample_transitions(
            self.config.batch_size,
            self.randomness.host,
            discount=self._discounts,
            steps=self._steps_per_transition(),
        )
        task = self._tensor(drawn.task)
        return TransitionBatch(
            obs=self._wide(drawn.obs, self.model.obs_width),
            action=self._wide(drawn.action, self.model.action_width),
            reward=self._tensor(drawn.reward) / self._scale(task),
            discount=self.model.discounts[task] ** self._tensor(drawn.steps),
            next_obs=self._wide(drawn.next_obs, self.model.obs_width),
            task=task,
        )

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self._device)

    def _wide(self, rows: NDArray[np.float32], width: int) -> Tensor:
        return nn.functional.pad(self._tensor(rows), (0, width - rows.shape[1]))

    def adapt(self, task: Task) -> None:
        """Goes on with one new task: networks are kept; replay buffer, optimisers and counts start anew.

        What was learned for each task apart (its vector, its temperature) begins as the mean over the known tasks.

        Raises:
            AgentError: The text encoder that the agent was trained with cannot be had, or the task's observations or
                actions are of another size than the networks, which are not padded.
        """
        old = self.model
        if not self.config.padded and (task.obs_dim, task.action_dim) != (old.obs_width, old.action_width):
            raise AgentError(
                f"The networks take {old.obs_width} observation and {old.action_width} action entries, {task.name} has "
                f"{task.obs_dim} and {task.action_dim}; train with padded=true to adapt to tasks of any size"
            )
        self.tasks, weights = (task,), old.state_dict()
        self.model = self._networks(self.texts, torch.Generator().manual_seed(self.seed)).to(self._device)
        rows, learned = set(task_row_names(old)), dict(old.named_parameters())
        kept = {name: tensor for name, tensor in weights.items() if name not in rows}
        kept |= {name: learned[name].detach().mean(0, keepdim=True) for name in rows & set(learned)}
        self.model.load_state_dict(self.model.state_dict() | kept)
        self.steps, self._trained = 0, True
        self._start()

    def provenance(self) -> dict[str, Any]:
        """See `Agent.provenance`: how much was learned, and what embedded texts if anything did."""
        facts: dict[str, Any] = {"steps": self.steps, "updates": self.updates}
        if self.texts.name is not None:
            facts["text_encoder"] = self.texts.name
        return facts

    # Checkpoints

    def save(self, folder: Path, *, resumable: bool = True) -> None:
        """See `Agent.save`."""
        with atomic_folder(Path(folder)) as path:
            write_agent(
                path,
                self.FORMAT,
                config=self.config.to_dict(),
                tasks=self.tasks,
                steps=self.steps,
                text_encoder=self.texts.name,
                tensors=self.model.state_dict(),
            )
            if resumable:
                write_training(path, self._training_state())

    @classmethod
    def load(
        cls, folder: Path, tasks: Sequence[Task], seed: int = 0, **options: Any
    ) -> OffPolicyAgent[SettingsT, NetworksT]:
        """See `Agent.load`.

        Raises:
            AgentError: The checkpoint does not fit; the message lists everything in which it does not.
        """
        agent = cls(tasks, seed, checkpoint=folder, **options)
        state = read_training(Path(folder), cls.FORMAT, tasks, ("replay",))
        if state is not None:
            agent._load_training_state(state)
        return agent

    def _training_state(self) -> TrainingState:
        """What a resumed run needs beside the weights. Subclasses that remember more add it."""
        parameters = dict(self.model.named_parameters())
        state = TrainingState(
            {
                "seed": self.seed,
                "begun": self._begun,
                "trained": self._trained,
                "updates": self.updates,
                "owed": self._owed,
                "running_returns": self.model.returns.running.tolist(),
                "learning": self.randomness.state(),
                "acting": self._acting.state(),
            },
            {name: moments(optimizer, parameters) for name, optimizer in self.optimizers.items()},
        )
        if self._recorder is not None:
            state.add_arrays("recorder", self._recorder.state())
        if self._replay is not None:
            state.buffers["replay"] = self._replay.state()
        return state

    def _load_training_state(self, state: TrainingState) -> None:
        """Goes on from what `_training_state` told."""
        values, parameters = state.values, dict(self.model.named_parameters())
        self.seed, self._begun, self._trained = values["seed"], values["begun"], values["trained"]
        self.updates, self._owed = values["updates"], values["owed"]
        self.model.returns.running = np.array(values["running_returns"])
        self.randomness.load_state(values["learning"])
        self._acting.load_state(values["acting"])
        for name, optimizer in self.optimizers.items():
            load_moments(optimizer, parameters, state.tensors.get(name, {}))
        recorded = state.arrays("recorder")
        if recorded:
            longest = max(task.max_episode_steps for task in self.tasks)
            self._recorder = Recorder(len(recorded["steps"]), longest, self._row_width, self._row_action_width)
            self._recorder.load_state(recorded)
        if "replay" in state.buffers:
            self.replay.load_state(state.buffers["replay"])
