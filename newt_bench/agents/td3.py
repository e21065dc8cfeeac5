"""TD3 (arXiv 1802.09477) and its distributional form for many environments, FastTD3 (arXiv 2505.22642)."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from newt_bench.agents.base import Observation
from newt_bench.agents.shared.agent_files import TrainingState
from newt_bench.agents.shared.conditioning import ConditioningBlock
from newt_bench.agents.shared.distributional import Support, cross_entropy
from newt_bench.agents.shared.ensembles import Critics, StackedMLP, polyak_
from newt_bench.agents.shared.learned import LearnedSettings
from newt_bench.agents.shared.offpolicy import OffPolicyAgent, OffPolicyNetworks, OffPolicySettings, TransitionBatch
from newt_bench.agents.shared.optimizers import descend
from newt_bench.agents.shared.perceptrons import perceptron
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.agents.shared.statistics import RunningStatistics
from newt_bench.catalogue import Task
from newt_bench.errors import AgentError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["TD3Agent", "TD3Networks", "TD3Settings", "actor_loss", "critic_loss", "critic_target"]

_LAST_LAYER_STD = 0.01
_OBS_CLIP = 10.0


@dataclasses.dataclass(frozen=True)
class TD3Settings(OffPolicySettings):
    """Settings of TD3, beside those of `OffPolicySettings`.

    Defaults are FastTD3's, with batch, updates and weight decay for a CPU and a few dozen environments, and with the
    task's text in place of a learned vector. The original TD3 is the recipe `baselines/td3/classic.toml`.

    Attributes:
        distributional: Whether critics tell distributions over atoms between -`v_max` and `v_max`; else scalars.
        atoms: Number of atoms.
        actor_hidden: Widths of the actor's hidden layers.
        critic_hidden: Widths of the critics' hidden layers.
        normalize: Whether observations are scaled by their running mean and standard deviation in their task.
        n_step: Rewards summed per transition, where its episode still has as many.
        learning_rate: AdamW's, for actor and critics.
        weight_decay: AdamW's.
        actor_every: Updates of the critics per update of the actor.
        target_every: Updates of the critics per step of the target networks.
        exploration_min: Least scale of the exploration noise. Each environment draws a scale per episode.
        exploration_max: Greatest scale.
        target_noise: Scale of the noise on the target actor's actions.
        target_noise_clip: Greatest absolute value of that noise.
        random_episodes: Episodes' worth of steps, of the longest task and summed over all environments, that are
            played uniformly at random first.
    """

    batch_size: int = 1024
    tau: float = 0.1
    updates_per_step: float = 0.125
    v_max: float | None = 10.0
    distributional: bool = True
    atoms: int = 101
    actor_hidden: tuple[int, ...] = (512, 256, 128)
    critic_hidden: tuple[int, ...] = (1024, 512, 256)
    normalize: bool = True
    n_step: int = 8
    learning_rate: float = 3e-4
    weight_decay: float = 0.01
    actor_every: int = 2
    target_every: int = 1
    exploration_min: float = 0.001
    exploration_max: float = 0.4
    target_noise: float = 0.001
    target_noise_clip: float = 0.5
    random_episodes: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "n_step", "actor_every", "target_every")
        self.at_least(2, "atoms")
        self.at_least(0, "random_episodes", "exploration_min", "target_noise", "target_noise_clip", "weight_decay")
        if self.exploration_max < self.exploration_min:
            raise AgentError("exploration_max must be at least exploration_min")

    def resolved(self, num_tasks: int) -> Self:
        """See `Settings.resolved`.

        Raises:
            AgentError: Distributional critics have no range of values.
        """
        settings = super().resolved(num_tasks)
        if settings.distributional and not settings.v_max:
            raise AgentError("Distributional critics need a v_max above 0, to which rewards are scaled")
        return settings


class Actor(nn.Module):
    """From observations to actions in [-1, 1].

    Args:
        inputs: Entries of the observation and of the task vector, together.
        action_width: Entries of actions.
        hidden: Widths of the hidden layers.
        generator: Source of the initial weights; the last layer's are small, so that actions start near 0.
    """

    def __init__(self, inputs: int, action_width: int, hidden: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        self.network = perceptron(inputs, hidden, action_width, generator)
        last: nn.Linear = self.network[-1]  # type: ignore[assignment]
        nn.init.normal_(last.weight, std=_LAST_LAYER_STD, generator=generator)
        nn.init.zeros_(last.bias)

    def forward(self, obs: Tensor, told: Tensor, mask: Tensor) -> Tensor:
        """Actions, 0 where masked, for observations, task vectors and masks of shape (batch, ...)."""
        actions: Tensor = torch.tanh(self.network(torch.cat((obs, told), -1))) * mask
        return actions


class TD3Networks(OffPolicyNetworks):
    """Actor and two critics, with targets. The task vector is the critics'; actors see it as it is.

    Args:
        config: With everything resolved.
        tasks: The tasks.
        conditioning: Makes the task vector.
        generator: Source of the initial weights.
    """

    def __init__(
        self, config: TD3Settings, tasks: Sequence[Task], conditioning: ConditioningBlock, generator: torch.Generator
    ) -> None:
        super().__init__(tasks, padded=bool(config.padded))
        self.config = config
        inputs, outputs = self.obs_width + conditioning.width, config.atoms if config.distributional else 1
        self.actor = Actor(inputs, self.action_width, config.actor_hidden, generator)
        networks = StackedMLP(2, inputs + self.action_width, config.critic_hidden, outputs, generator=generator)
        self.critics = Critics(networks, conditioning)
        self.target_actor = copy.deepcopy(self.actor).requires_grad_(False)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)
        reach = config.v_max or 1.0
        self.support = Support(config.atoms, -reach, reach)
        self.statistics = RunningStatistics(len(tasks), self.obs_width)

    def seen(self, obs: Tensor, task: Tensor) -> Tensor:
        """Observations as the networks take them: shape (batch, obs_width)."""
        return self.statistics.normalize(obs, task, _OBS_CLIP) if self.config.normalize else obs

    def act(self, obs: Tensor, task: Tensor, mask: Tensor, *, target: bool = False) -> Tensor:
        """Actions of the actor or the target actor for observations as `seen` tells them: (batch, action_width)."""
        actor, critics = (self.target_actor, self.target_critics) if target else (self.actor, self.critics)
        action: Tensor = actor(obs, critics.told(task).detach(), mask)
        return action

    def values(self, outputs: Tensor) -> Tensor:
        """The values that critics' outputs of shape (2, batch, outputs) stand for: shape (2, batch)."""
        return self.support.mean(outputs) if self.config.distributional else outputs.squeeze(-1)


@torch.no_grad()
def critic_target(model: TD3Networks, batch: TransitionBatch, randomness: Randomness) -> Tensor:
    """What both critics are to tell: the lesser of what the target critics tell of the next action, backed up.

    The next action is the target actor's with clipped noise. The lesser of two distributions is the one whose mean is
    less after the backup; it is taken as a whole.

    Returns:
        Probabilities of the atoms, shape (batch, atoms), or without distributions values, shape (batch,).
    """
    config = model.config
    reach = config.target_noise_clip
    noise = (config.target_noise * randomness.normal(*batch.mask.shape)).clamp_(-reach, reach) * batch.mask
    following = (model.act(batch.next_obs, batch.task, batch.mask, target=True) + noise).clamp_(-1, 1)
    outputs: Tensor = model.target_critics(batch.next_obs, batch.task, following)
    if not config.distributional:
        return batch.reward + batch.discount * outputs.squeeze(-1).amin(0)
    probabilities = torch.softmax(outputs, -1)
    places = model.support.shifted(batch.reward, batch.discount)
    # The projection preserves means, so that only the chosen distribution needs it.
    lesser = (probabilities * places).sum(-1).argmin(0)
    chosen = probabilities[lesser, torch.arange(len(lesser), device=lesser.device)]
    return model.support.project(chosen, places)


def critic_loss(model: TD3Networks, batch: TransitionBatch, target: Tensor) -> Tensor:
    """Cross-entropy, or squared error, of both critics with `critic_target`: the sum of their means over the batch."""
    outputs: Tensor = model.critics(batch.obs, batch.task, batch.action)
    if model.config.distributional:
        return cross_entropy(outputs, target).mean(-1).sum()
    return (outputs.squeeze(-1) - target).square().mean(-1).sum()


def actor_loss(model: TD3Networks, batch: TransitionBatch) -> Tensor:
    """Minus the mean value of the actor's actions, by the lesser of two distributions or by the first critic."""
    action = model.act(batch.obs, batch.task, batch.mask)
    values = model.values(model.critics(batch.obs, batch.task, action, fixed=True))
    return -(values.amin(0) if model.config.distributional else values[0]).mean()


class TD3Agent(OffPolicyAgent[TD3Settings, TD3Networks]):
    """TD3, by default in the form of FastTD3. See `OffPolicyAgent` for the arguments."""

    FORMAT: ClassVar[str] = "newt-bench/td3-1"
    SETTINGS: ClassVar[type[LearnedSettings]] = TD3Settings

    def make_model(self, conditioning: ConditioningBlock, generator: torch.Generator) -> TD3Networks:
        """See `LearnedAgent.make_model`."""
        return TD3Networks(self.config, self.tasks, conditioning, generator)

    def make_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """See `OffPolicyAgent.make_optimizers`."""
        config, model = self.config, self.model
        return {
            name: torch.optim.AdamW(
                network.parameters(), config.learning_rate, weight_decay=config.weight_decay, foreach=True
            )
            for name, network in (("critics", model.critics), ("actor", model.actor))
        }

    def start(self) -> None:
        """See `LearnedAgent.start`."""
        super().start()
        self._scales = torch.zeros(0, device=self.device)  # of exploration noise, per slot

    def random_steps(self) -> int:
        """See `OffPolicyAgent.random_steps`."""
        return self.config.random_episodes * max(task.max_episode_steps for task in self.tasks)

    def steps_per_transition(self) -> int:
        """See `OffPolicyAgent.steps_per_transition`."""
        return self.config.n_step

    def explore(self, obs: Tensor, task: Tensor, mask: Tensor, first: Tensor) -> Tensor:
        """See `OffPolicyAgent.explore`. A slot's noise has one scale throughout an episode."""
        random, config = self.streams["training"], self.config
        if len(self._scales) != len(task):
            self._scales, first = torch.zeros(len(task), device=self.device), torch.ones_like(first)
        if bool(first.any()):
            spread = config.exploration_max - config.exploration_min
            drawn = config.exploration_min + spread * random.uniform(len(task))
            self._scales = torch.where(first, drawn, self._scales)
        action = self.model.act(self.model.seen(obs, task), task, mask)
        noise = self._scales[:, None] * self.exploration_noise(mask, first) * mask
        return (action + noise).clamp_(-1, 1)

    def perform(self, obs: Tensor, task: Tensor, mask: Tensor) -> Tensor:
        """See `OffPolicyAgent.perform`."""
        return self.model.act(self.model.seen(obs, task), task, mask)

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
        super().observe(obs, task, action, reward, next_obs, last)
        if self.config.normalize:
            seen = self.tensor(self.states(obs)[:, : self.model.obs_width])
            self.model.statistics.update(seen, self.tensor(task))

    def learn(self, batch: TransitionBatch) -> dict[str, Tensor]:
        """See `OffPolicyAgent.learn`."""
        model, config = self.model, self.config
        obs, next_obs = model.seen(batch.obs, batch.task), model.seen(batch.next_obs, batch.task)
        batch = dataclasses.replace(batch, obs=obs, next_obs=next_obs)
        loss = critic_loss(model, batch, critic_target(model, batch, self.streams["learning"]))
        descend(self.optimizers["critics"], loss)
        metrics = {"critic_loss": loss.detach()}
        if self.updates % config.actor_every == 0:
            loss = actor_loss(model, batch)
            descend(self.optimizers["actor"], loss)
            metrics["actor_loss"] = loss.detach()
        if self.updates % config.target_every == 0:
            polyak_(model.target_critics, model.critics, config.tau)
            polyak_(model.target_actor, model.actor, config.tau)
        return metrics

    def training_state(self) -> TrainingState:
        """See `LearnedAgent.training_state`."""
        state = super().training_state()
        state.tensors["exploration"] = {"scales": self._scales}
        return state

    def load_training_state(self, state: TrainingState) -> None:
        """See `LearnedAgent.load_training_state`."""
        super().load_training_state(state)
        self._scales = state.tensors["exploration"]["scales"].to(self.device)
