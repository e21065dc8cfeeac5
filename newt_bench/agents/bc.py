"""Behaviour cloning: one network learns the actions of demonstrations, of one task or many.

It answers what the demonstrations alone are worth. It learns before training only (`pretrain_step`): what it observes
itself teaches it nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from newt_bench.agents.base import Mode, Observation
from newt_bench.agents.shared.agent_files import TrainingState
from newt_bench.agents.shared.conditioning import ConditioningBlock
from newt_bench.agents.shared.learned import LearnedAgent, LearnedSettings
from newt_bench.agents.shared.optimizers import descend
from newt_bench.agents.shared.perceptrons import perceptron
from newt_bench.agents.shared.statistics import RunningStatistics
from newt_bench.agents.shared.tasks import masked_mse
from newt_bench.catalogue import PADDED_ACTION_DIM, PADDED_OBS_DIM
from newt_bench.errors import AgentError
from newt_bench.replay import Episode, Replay

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["BCAgent", "BCSettings"]


@dataclasses.dataclass(frozen=True)
class BCSettings(LearnedSettings):
    """Hyper-parameters of behaviour cloning.

    Attributes:
        hidden: Widths of the hidden layers.
        updates: Updates on the demonstrations. None means 10,000 for one task and 50,000 for several.
        batch_size: Pairs of observation and action per update. None means 512 for one task and 1,024 for several.
        learning_rate: Adam's at the start; it falls to 0 along a cosine.
        max_grad_norm: Clipping of the global gradient norm.
        obs_clip: Reach of scaled observations, in standard deviations.
        obs_noise: Standard deviation of noise on scaled observations, against small errors that add up.
        validation_fraction: Part of each task's episodes that is not learned from; the error on it is told.
        validation_interval: Updates between two looks at that error.
    """

    hidden: tuple[int, ...] = (512, 512, 512)
    updates: int | None = None
    batch_size: int | None = None
    learning_rate: float = 3e-4
    max_grad_norm: float = 10.0
    obs_clip: float = 5.0
    obs_noise: float = 0.0
    validation_fraction: float = 0.1
    validation_interval: int = 500

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "updates", "batch_size", "validation_interval")
        self.at_least(0, "obs_noise", "validation_fraction")
        if self.validation_fraction >= 1:
            raise AgentError(f"validation_fraction must be below 1, not {self.validation_fraction!r}")

    def resolved(self, num_tasks: int) -> Self:
        """See `Settings.resolved`."""
        several = num_tasks > 1
        return dataclasses.replace(
            super().resolved(num_tasks),
            updates=self.updates or (50_000 if several else 10_000),
            batch_size=self.batch_size or (1024 if several else 512),
        )


class BCNetwork(nn.Module):
    """From scaled observations and the task to actions.

    Args:
        settings: Hyper-parameters.
        conditioning: Tells the task.
        generator: Source of the initial weights.
    """

    def __init__(self, settings: BCSettings, conditioning: ConditioningBlock, generator: torch.Generator) -> None:
        super().__init__()
        self.settings, self.conditioning = settings, conditioning
        self.statistics = RunningStatistics(len(conditioning.table))
        self.body = perceptron(
            PADDED_OBS_DIM + conditioning.width,
            settings.hidden,
            PADDED_ACTION_DIM,
            generator,
            activation="mish",
            norm=True,
        )

    def forward(self, obs: Tensor, task: Tensor, noise: Tensor | None = None) -> Tensor:
        """Actions in (-1, 1), not masked: shape (batch, 16).

        Args:
            obs: Observations, shape (batch, 128).
            task: Task indices, shape (batch,).
            noise: Added to the scaled observations.
        """
        scaled = self.statistics.normalize(obs, task, self.settings.obs_clip)
        if noise is not None:
            scaled = scaled + noise
        return torch.tanh(self.body(torch.cat((scaled, self.conditioning(task)), -1)))


class BCAgent(LearnedAgent[BCSettings, BCNetwork]):
    """Behaviour cloning: least squares on the demonstrations' actions.

    Batches are drawn task by task, and the error of a pair is the mean over the task's own action entries: all tasks
    weigh the same, whatever their demonstrations and actions count. It acts the same in training and evaluation.

    Observations are scaled task by task. That tells tasks apart a little even with conditioning `none`.

    Args: see `LearnedAgent`, and `BCSettings` for the options.
    """

    FORMAT: ClassVar[str] = "newt-bench/bc-1"
    SETTINGS = BCSettings
    BUFFERS: ClassVar[tuple[str, ...]] = ("demonstrations", "validation")

    def make_model(self, conditioning: ConditioningBlock, generator: torch.Generator) -> BCNetwork:
        """See `LearnedAgent.make_model`."""
        return BCNetwork(self.config, conditioning, generator)

    def start(self) -> None:
        """See `LearnedAgent.start`."""
        self.optimizers["body"] = torch.optim.Adam(self.model.parameters(), self.config.learning_rate)
        self._buffers: dict[str, Replay] = {}
        self._taken = [0] * len(self.tasks)  # demonstrations of each task
        self._validation_loss = math.nan

    @torch.no_grad()
    def act(
        self, obs: Observation, task: NDArray[np.int64], first: NDArray[np.bool_], mode: Mode
    ) -> NDArray[np.float32]:
        """See `Agent.act`."""
        index = self.tensor(task)
        action = self.model(self.tensor(self.states(obs)), index) * self.masks[index]
        array: NDArray[np.float32] = action.cpu().numpy()
        return array

    def add_demonstrations(self, demonstrations: Iterable[Episode]) -> None:
        """See `Agent.add_demonstrations`. Every so many-th episode of a task is kept for validation."""
        parts: dict[str, list[Episode]] = {name: [] for name in self.BUFFERS}
        share = self.config.validation_fraction
        for episode in demonstrations:
            before = self._taken[episode.task]
            self._taken[episode.task] += 1
            held_out = int((before + 1) * share + 1e-9) > int(before * share + 1e-9)
            parts["validation" if held_out else "demonstrations"].append(episode)
        for name, episodes in parts.items():
            if episodes:
                self._extend(name, episodes)
        for episode in parts["demonstrations"]:
            obs = functional.pad(self.tensor(episode.obs[:-1]), (0, PADDED_OBS_DIM - episode.obs.shape[1]))
            self.model.statistics.update(obs, torch.full((len(episode),), episode.task, device=self.device))

    def pretrain_step(self) -> dict[str, float]:
        """See `Agent.pretrain_step`. There are `updates` of them, and none without demonstrations."""
        total = self.config.updates or 0
        if "demonstrations" not in self._buffers or self.updates >= total:
            return {}
        optimizer = self.optimizers["body"]
        for group in optimizer.param_groups:
            group["lr"] = self.config.learning_rate * 0.5 * (1 + math.cos(math.pi * self.updates / total))
        loss = self._loss("demonstrations", self.config.obs_noise)
        norm = descend(optimizer, loss, self.config.max_grad_norm)
        self.updates += 1
        if "validation" in self._buffers and self.updates % self.config.validation_interval == 0:
            with torch.no_grad():
                self._validation_loss = self._loss("validation").item()
        metrics = {"loss": loss.item(), "grad_norm": norm.item()}
        return metrics if math.isnan(self._validation_loss) else metrics | {"validation_loss": self._validation_loss}

    def training_state(self) -> TrainingState:
        """See `LearnedAgent.training_state`."""
        state = super().training_state()
        state.values["taken"] = self._taken
        state.values["validation_loss"] = None if math.isnan(self._validation_loss) else self._validation_loss
        state.buffers = {name: buffer.state() for name, buffer in self._buffers.items()}
        return state

    def load_training_state(self, state: TrainingState) -> None:
        """See `LearnedAgent.load_training_state`."""
        super().load_training_state(state)
        self._taken = list(state.values["taken"])
        told = state.values["validation_loss"]
        self._validation_loss = math.nan if told is None else told
        for name, arrays in state.buffers.items():
            self._buffers[name] = self._empty(len(arrays["reward"]))
            self._buffers[name].load_state(arrays)

    def _loss(self, name: str, obs_noise: float = 0.0) -> Tensor:
        """Error on a batch of one of the buffers."""
        drawn = self._buffers[name].sample(self.config.batch_size or 1, self.streams["learning"].host)
        obs, action, task = (self.tensor(array) for array in (drawn.obs[0], drawn.action[0], drawn.task))
        obs = functional.pad(obs, (0, PADDED_OBS_DIM - obs.shape[1]))
        action = functional.pad(action, (0, PADDED_ACTION_DIM - action.shape[1]))
        noise = obs_noise * self.streams["learning"].normal(*obs.shape) if obs_noise else None
        return masked_mse(self.model(obs, task, noise), action, self.masks[task]).mean()

    def _empty(self, rows: int) -> Replay:
        """A buffer for pairs of observation and action, drawn task by task."""
        obs_width = max(task.obs_dim for task in self.tasks)
        action_width = max(task.action_dim for task in self.tasks)
        return Replay(rows, obs_width, action_width, horizon=1, sampling="task")

    def _extend(self, name: str, episodes: Sequence[Episode]) -> None:
        """Adds episodes to a buffer, which grows by what they need."""
        held = self._buffers.get(name)
        rows = sum(len(episode) + 1 for episode in episodes)
        buffer = self._empty(rows if held is None else held.capacity + rows)
        if held is not None:
            buffer.load_state(held.state())
        for episode in episodes:
            buffer.add(episode)
        self._buffers[name] = buffer
