"""Soft actor-critic (arXiv 1801.01290, 1812.05905), for one task or many."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from newt_bench.agents.shared.conditioning import ConditioningBlock
from newt_bench.agents.shared.ensembles import Critics, StackedMLP, polyak_
from newt_bench.agents.shared.gaussian import TanhGaussian, squashed_log_std, tanh_gaussian
from newt_bench.agents.shared.learned import LearnedSettings
from newt_bench.agents.shared.offpolicy import OffPolicyAgent, OffPolicyNetworks, OffPolicySettings, TransitionBatch
from newt_bench.agents.shared.optimizers import descend
from newt_bench.agents.shared.perceptrons import perceptron
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.agents.shared.temperature import Temperature
from newt_bench.catalogue import Task

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SACAgent", "SACNetworks", "SACSettings", "actor_loss", "critic_loss"]

_LOG_STD_RANGE = (-5.0, 2.0)


@dataclasses.dataclass(frozen=True)
class SACSettings(OffPolicySettings):
    """Hyper-parameters of SAC, beside those of `OffPolicySettings`.

    Defaults for one task are CleanRL's. For several tasks networks are larger, with LayerNorm, and rewards are scaled.

    Attributes:
        hidden: Widths of the hidden layers of actor and critics. None means 256, 256 for one task and 1024, 1024, 1024
            for several.
        norm: Whether LayerNorm comes before each activation. None means for several tasks.
        actor_learning_rate: Adam's, for the actor.
        critic_learning_rate: Adam's, for the critics.
        temperature_learning_rate: Adam's, for the temperatures.
        actor_every: Updates of the critics per update of actor and temperatures.
        actor_updates: Gradient steps of actor and temperatures then, on the same batch.
        initial_temperature: What temperatures start from.
        target_entropy_scale: Target entropy per action, negated.
        temperature_per_task: Whether each task has its own temperature; else all share one.
        random_steps: Environment steps, summed over all environments, that are played uniformly at random first.
    """

    hidden: tuple[int, ...] | None = None
    norm: bool | None = None
    actor_learning_rate: float = 3e-4
    critic_learning_rate: float = 1e-3
    temperature_learning_rate: float = 1e-3
    actor_every: int = 2
    actor_updates: int = 2
    initial_temperature: float = 1.0
    target_entropy_scale: float = 1.0
    temperature_per_task: bool = True
    random_steps: int = 5_000

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "actor_every", "actor_updates")
        self.at_least(0, "random_steps")

    def resolved(self, num_tasks: int) -> Self:
        """See `Settings.resolved`."""
        several = num_tasks > 1
        return dataclasses.replace(
            super().resolved(num_tasks),
            hidden=self.hidden or ((1024, 1024, 1024) if several else (256, 256)),
            norm=several if self.norm is None else self.norm,
        )


class Actor(nn.Module):
    """From observations to tanh of a Gaussian.

    Args:
        inputs: Entries of the observation and of the task vector, together.
        action_width: Entries of actions.
        hidden: Widths of the hidden layers.
        norm: Whether LayerNorm comes before each activation.
        generator: Source of the initial weights.
    """

    def __init__(
        self, inputs: int, action_width: int, hidden: Sequence[int], *, norm: bool, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.network = perceptron(inputs, hidden, 2 * action_width, generator, norm=norm)

    def forward(self, obs: Tensor, told: Tensor, mask: Tensor, noise: Tensor) -> TanhGaussian:
        """Draws actions.

        Args:
            obs: Observations, shape (batch, width).
            told: Task vectors, shape (batch, width).
            mask: 1 for the action entries that the task has, shape (batch, action_width).
            noise: Standard normal, shape (batch, action_width).

        Returns:
            The draw.
        """
        mean, raw = self.network(torch.cat((obs, told), -1)).chunk(2, -1)
        return tanh_gaussian(mean, squashed_log_std(raw, *_LOG_STD_RANGE), noise, mask)


class SACNetworks(OffPolicyNetworks):
    """Actor, two critics with targets, temperatures. The task vector is the critics'; the actor sees it as it is.

    Args:
        config: With everything resolved.
        tasks: The tasks.
        conditioning: Makes the task vector.
        generator: Source of the initial weights.
    """

    def __init__(
        self,
        config: SACSettings,
        tasks: Sequence[Task],
        conditioning: ConditioningBlock,
        generator: torch.Generator,
    ) -> None:
        super().__init__(tasks, padded=bool(config.padded))
        hidden, norm = config.hidden or (), bool(config.norm)
        inputs = self.obs_width + conditioning.width
        self.actor = Actor(inputs, self.action_width, hidden, norm=norm, generator=generator)
        networks = StackedMLP(2, inputs + self.action_width, hidden, 1, norm=norm, generator=generator)
        self.critics = Critics(networks, conditioning)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)
        self.temperature = Temperature(
            [task.action_dim for task in tasks],
            target_scale=config.target_entropy_scale,
            initial=config.initial_temperature,
            per_task=config.temperature_per_task,
        )

    def act(self, obs: Tensor, task: Tensor, mask: Tensor, noise: Tensor) -> TanhGaussian:
        """Draws actions; see `Actor.forward`. Tasks are given by index, shape (batch,)."""
        sample: TanhGaussian = self.actor(obs, self.critics.told(task).detach(), mask, noise)
        return sample


def critic_loss(model: SACNetworks, batch: TransitionBatch, randomness: Randomness) -> tuple[Tensor, Tensor]:
    """Squared error of both critics to r + gamma (min of the target critics - alpha log pi).

    Returns:
        The sum over critics of the mean over the batch, and the mean target; scalars.
    """
    task = batch.task
    with torch.no_grad():
        following = model.act(batch.next_obs, task, batch.mask, randomness.normal(*batch.mask.shape))
        q = model.target_critics(batch.next_obs, task, following.action).squeeze(-1).amin(0)
        target = batch.reward + batch.discount * (q - model.temperature(task) * following.log_prob)
    found = model.critics(batch.obs, task, batch.action).squeeze(-1)
    return (found - target).square().mean(-1).sum(), target.mean()


def actor_loss(model: SACNetworks, batch: TransitionBatch, randomness: Randomness) -> tuple[Tensor, Tensor]:
    """Mean of alpha log pi - min of the critics, whose parameters are held fixed.

    Returns:
        The loss, a scalar, and the log-densities of the actions drawn, shape (batch,).
    """
    sample = model.act(batch.obs, batch.task, batch.mask, randomness.normal(*batch.mask.shape))
    q = model.critics(batch.obs, batch.task, sample.action, fixed=True).squeeze(-1).amin(0)
    log_prob = sample.log_prob
    return (model.temperature(batch.task) * log_prob - q).mean(), log_prob


class SACAgent(OffPolicyAgent[SACSettings, SACNetworks]):
    """Soft actor-critic. Evaluation plays the tanh of the Gaussian's mean. See `OffPolicyAgent` for the arguments."""

    FORMAT: ClassVar[str] = "newt-bench/sac-1"
    SETTINGS: ClassVar[type[LearnedSettings]] = SACSettings

    def make_model(self, conditioning: ConditioningBlock, generator: torch.Generator) -> SACNetworks:
        """See `LearnedAgent.make_model`."""
        return SACNetworks(self.config, self.tasks, conditioning, generator)

    def make_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """See `OffPolicyAgent.make_optimizers`."""
        config, model = self.config, self.model
        return {
            "critics": torch.optim.Adam(model.critics.parameters(), config.critic_learning_rate, foreach=True),
            "actor": torch.optim.Adam(model.actor.parameters(), config.actor_learning_rate, foreach=True),
            "temperature": torch.optim.Adam(model.temperature.parameters(), config.temperature_learning_rate),
        }

    def random_steps(self) -> int:
        """See `OffPolicyAgent.random_steps`."""
        return self.config.random_steps

    def explore(self, obs: Tensor, task: Tensor, mask: Tensor, first: Tensor) -> Tensor:
        """See `OffPolicyAgent.explore`."""
        return self.model.act(obs, task, mask, self.exploration_noise(mask, first)).action

    def perform(self, obs: Tensor, task: Tensor, mask: Tensor) -> Tensor:
        """See `OffPolicyAgent.perform`."""
        return self.model.act(obs, task, mask, torch.zeros_like(mask)).mean

    def learn(self, batch: TransitionBatch) -> dict[str, Tensor]:
        """See `OffPolicyAgent.learn`."""
        model, config, randomness = self.model, self.config, self.streams["learning"]
        loss, target = critic_loss(model, batch, randomness)
        descend(self.optimizers["critics"], loss)
        metrics = {"critic_loss": loss.detach(), "target": target}
        if self.updates % config.actor_every == 0:
            for _ in range(config.actor_updates):
                loss, log_prob = actor_loss(model, batch, randomness)
                descend(self.optimizers["actor"], loss)
                descend(self.optimizers["temperature"], model.temperature.loss(batch.task, log_prob))
            metrics |= {"actor_loss": loss.detach(), "entropy": -log_prob.detach().mean()}
        polyak_(model.target_critics, model.critics, config.tau)
        return metrics | {"temperature": model.temperature.log.detach().exp().mean()}
