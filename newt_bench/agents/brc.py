"""BRC: wide, normalised, residual critics that learn many tasks by classification (arXiv 2505.23150)."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from newt_bench.agents.shared.conditioning import ConditioningBlock
from newt_bench.agents.shared.distributional import Support, cross_entropy
from newt_bench.agents.shared.ensembles import Critics, StackedLayerNorm, StackedLinear, polyak_
from newt_bench.agents.shared.gaussian import TanhGaussian, squashed_log_std, tanh_gaussian
from newt_bench.agents.shared.learned import LearnedSettings
from newt_bench.agents.shared.offpolicy import OffPolicyAgent, OffPolicyNetworks, OffPolicySettings, TransitionBatch
from newt_bench.agents.shared.optimizers import descend
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.agents.shared.temperature import Temperature
from newt_bench.catalogue import Task
from newt_bench.errors import AgentError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["BRCAgent", "BRCNetworks", "BRCSettings", "ResidualNetworks", "actor_loss", "critic_loss", "critic_target"]

_LOG_STD_RANGE = (-10.0, 2.0)
_GAIN = math.sqrt(2)


@dataclasses.dataclass(frozen=True)
class BRCSettings(OffPolicySettings):
    """Settings of BRC, beside those of `OffPolicySettings`.

    Defaults are the published ones but for what a CPU cannot do: a critic of width 512 instead of 4096, batches of 512
    instead of 1024, and half an update per step instead of two.

    Attributes:
        critic_width: Width of the critics.
        critic_blocks: Their residual blocks.
        actor_width: Width of the actor.
        actor_blocks: Its residual blocks.
        atoms: Atoms of the critics' distributions, between -`v_max` and `v_max`.
        initial_spread: About the standard deviation of the distributions that critics begin with, around 0, in units of
            scaled returns. 0: they begin about uniform, as published, and narrow by the discount alone with every pass
            of the targets, which takes some 1 / (tau (1 - discount)) updates: too many for a short run.
        replay_capacity: Steps held by the replay buffer, for each task.
        learning_rate: AdamW's, for actor and critics.
        weight_decay: AdamW's.
        temperature_learning_rate: Adam's, for the temperature.
        temperature_beta1: Adam's rate of the first moment, for the temperature.
        initial_temperature: What the temperature starts from.
        target_entropy_scale: Target entropy per action, negated.
        temperature_per_task: Whether each task has its own temperature; else all share one.
        random_episodes: Episodes' worth of steps, of the longest task and summed over all environments, that are
            played uniformly at random first.
    """

    conditioning_width: int = 32
    batch_size: int = 512
    updates_per_step: float = 0.5
    replay_capacity: int = 100_000
    v_max: float | None = 10.0
    critic_width: int = 512
    critic_blocks: int = 2
    actor_width: int = 256
    actor_blocks: int = 1
    atoms: int = 101
    initial_spread: float = 0.0
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    temperature_learning_rate: float = 3e-4
    temperature_beta1: float = 0.5
    initial_temperature: float = 0.1
    target_entropy_scale: float = 0.5
    temperature_per_task: bool = False
    random_episodes: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "critic_width", "actor_width")
        self.at_least(2, "atoms")
        self.at_least(0, "critic_blocks", "actor_blocks", "random_episodes", "weight_decay", "initial_spread")

    def resolved(self, num_tasks: int) -> Self:
        """See `Settings.resolved`. For several tasks, each has a learned vector.

        Raises:
            AgentError: The critics have no range of values, or would begin narrower than their atoms can tell.
        """
        if not self.v_max:
            raise AgentError("BRC's critics need a v_max above 0, to which rewards are scaled")
        spacing = 2 * self.v_max / (self.atoms - 1)
        if 0 < self.initial_spread < spacing:
            raise AgentError(
                f"initial_spread is {self.initial_spread}, but atoms are {spacing:.3g} apart: take at least that, or 0"
            )
        settings = super().resolved(num_tasks)
        if self.conditioning is None and num_tasks > 1:
            return dataclasses.replace(settings, conditioning="one-hot")
        return settings


class ResidualNetworks(nn.Module):
    """Several residual networks of the same shape: linear, LayerNorm, ReLU, then blocks, then a linear output.

    A block adds LayerNorm(linear(ReLU(LayerNorm(linear(x))))) to x.

    Args:
        heads: Number of networks.
        inputs: Width of the input.
        width: Width of all hidden layers.
        blocks: Number of blocks.
        outputs: Width of the output.
        generator: Source of the initial weights, which are orthogonal.
    """

    def __init__(
        self, heads: int, inputs: int, width: int, blocks: int, outputs: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.heads = heads

        def linear(inputs: int, outputs: int) -> StackedLinear:
            return StackedLinear(heads, inputs, outputs, generator, orthogonal_gain=_GAIN)

        hidden = 2 * blocks
        self.layers = nn.ModuleList([linear(inputs, width), *(linear(width, width) for _ in range(hidden))])
        self.norms = nn.ModuleList(StackedLayerNorm(heads, width) for _ in range(hidden + 1))
        self.last = linear(width, outputs)

    def forward(self, x: Tensor, *, fixed: bool = False) -> Tensor:
        """Computes the outputs of all networks.

        Args:
            x: Shape (batch, inputs).
            fixed: Whether the parameters are held fixed, so that only the input gets a gradient.

        Returns:
            Shape (heads, batch, outputs).
        """

        def normed_linear(i: int, y: Tensor) -> Tensor:
            result: Tensor = self.norms[i](self.layers[i](y, fixed=fixed), fixed=fixed)
            return result

        y = functional.relu(normed_linear(0, x.expand(self.heads, *x.shape)))
        for i in range(1, len(self.layers), 2):
            y = y + normed_linear(i + 1, functional.relu(normed_linear(i, y)))
        outputs: Tensor = self.last(y, fixed=fixed)
        return outputs


class BRCNetworks(OffPolicyNetworks):
    """Actor, two critics with targets, temperature. The actor sees the critics' task vectors as they are.

    Args:
        config: With everything resolved.
        tasks: The tasks.
        conditioning: Makes the task vector, which is scaled to norm 1.
        generator: Source of the initial weights.
    """

    def __init__(
        self, config: BRCSettings, tasks: Sequence[Task], conditioning: ConditioningBlock, generator: torch.Generator
    ) -> None:
        super().__init__(tasks, padded=bool(config.padded))
        inputs, reach = self.obs_width + conditioning.width, config.v_max or 1.0
        self.actor = ResidualNetworks(
            1, inputs, config.actor_width, config.actor_blocks, 2 * self.action_width, generator
        )
        networks = ResidualNetworks(
            2, inputs + self.action_width, config.critic_width, config.critic_blocks, config.atoms, generator
        )
        self.support = Support(config.atoms, -reach, reach)
        if config.initial_spread:
            bell = -0.5 * (self.support.atoms / config.initial_spread).square()
            networks.last.bias.data.copy_(bell.expand_as(networks.last.bias))
        self.critics = Critics(networks, conditioning, unit_norm=True)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)
        self.temperature = Temperature(
            [task.action_dim for task in tasks],
            target_scale=config.target_entropy_scale,
            initial=config.initial_temperature,
            per_task=config.temperature_per_task,
        )

    def act(self, obs: Tensor, task: Tensor, mask: Tensor, noise: Tensor) -> TanhGaussian:
        """Draws actions.

        Args:
            obs: Observations, shape (batch, obs_width).
            task: Task indices, shape (batch,).
            mask: 1 for the action entries that the task has, shape (batch, action_width).
            noise: Standard normal, shape (batch, action_width).

        Returns:
            The draw.
        """
        outputs: Tensor = self.actor(torch.cat((obs, self.critics.told(task).detach()), -1))
        mean, raw = outputs.squeeze(0).chunk(2, -1)
        return tanh_gaussian(mean, squashed_log_std(raw, *_LOG_STD_RANGE), noise, mask)


@torch.no_grad()
def critic_target(model: BRCNetworks, batch: TransitionBatch, randomness: Randomness) -> Tensor:
    """The distribution that both critics are to tell: the mean of both target critics', backed up with entropy.

    Atom z moves to r + gamma (z - alpha log pi).

    Returns:
        Probabilities of the atoms, shape (batch, atoms).
    """
    following = model.act(batch.next_obs, batch.task, batch.mask, randomness.normal(*batch.mask.shape))
    logits = model.target_critics(batch.next_obs, batch.task, following.action)
    bonus = -model.temperature(batch.task) * following.log_prob
    places = model.support.shifted(batch.reward + batch.discount * bonus, batch.discount)
    return model.support.project(torch.softmax(logits, -1).mean(0), places)


def critic_loss(model: BRCNetworks, batch: TransitionBatch, target: Tensor) -> Tensor:
    """Cross-entropy of both critics with `critic_target`: the sum of their means over the batch."""
    return cross_entropy(model.critics(batch.obs, batch.task, batch.action), target).mean(-1).sum()


def actor_loss(model: BRCNetworks, batch: TransitionBatch, randomness: Randomness) -> tuple[Tensor, Tensor]:
    """Mean of alpha log pi minus the mean of both critics, whose parameters and task vectors are held fixed.

    Returns:
        The loss, a scalar, and the log-densities of the actions drawn, shape (batch,).
    """
    sample = model.act(batch.obs, batch.task, batch.mask, randomness.normal(*batch.mask.shape))
    values = model.support.mean(model.critics(batch.obs, batch.task, sample.action, fixed=True)).mean(0)
    log_prob = sample.log_prob
    return (model.temperature(batch.task) * log_prob - values).mean(), log_prob


class BRCAgent(OffPolicyAgent[BRCSettings, BRCNetworks]):
    """BRC. Evaluation plays the tanh of the Gaussian's mean. See `OffPolicyAgent` for the arguments."""

    FORMAT: ClassVar[str] = "newt-bench/brc-1"
    SETTINGS: ClassVar[type[LearnedSettings]] = BRCSettings

    def make_model(self, conditioning: ConditioningBlock, generator: torch.Generator) -> BRCNetworks:
        """See `LearnedAgent.make_model`."""
        return BRCNetworks(self.config, self.tasks, conditioning, generator)

    def make_optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """See `OffPolicyAgent.make_optimizers`."""
        config, model = self.config, self.model
        optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.AdamW(
                network.parameters(), config.learning_rate, weight_decay=config.weight_decay, foreach=True
            )
            for name, network in (("critics", model.critics), ("actor", model.actor))
        }
        optimizers["temperature"] = torch.optim.Adam(
            model.temperature.parameters(), config.temperature_learning_rate, betas=(config.temperature_beta1, 0.999)
        )
        return optimizers

    def random_steps(self) -> int:
        """See `OffPolicyAgent.random_steps`."""
        return self.config.random_episodes * max(task.max_episode_steps for task in self.tasks)

    def capacity(self) -> int:
        """See `OffPolicyAgent.capacity`."""
        return self.config.replay_capacity * len(self.tasks)

    def reward_divisor(self, task: Tensor) -> Tensor:
        """See `OffPolicyAgent.reward_divisor`. The range of values has room for entropy, too.

        It is `(largest return + alpha |target entropy| / (1 - gamma)) / v_max`. (The published code halves the target
        entropy again at this place.)
        """
        temperature = self.model.temperature
        entropy: Tensor = temperature(task) * temperature.target[task].abs() / (1 - self.discounts[task])
        return (self.model.returns.reach(task) + entropy) / (self.config.v_max or 1.0)

    def explore(self, obs: Tensor, task: Tensor, mask: Tensor, first: Tensor) -> Tensor:
        """See `OffPolicyAgent.explore`."""
        return self.model.act(obs, task, mask, self.exploration_noise(mask, first)).action

    def perform(self, obs: Tensor, task: Tensor, mask: Tensor) -> Tensor:
        """See `OffPolicyAgent.perform`."""
        return self.model.act(obs, task, mask, torch.zeros_like(mask)).mean

    def learn(self, batch: TransitionBatch) -> dict[str, Tensor]:
        """See `OffPolicyAgent.learn`."""
        model, randomness = self.model, self.streams["learning"]
        loss = critic_loss(model, batch, critic_target(model, batch, randomness))
        descend(self.optimizers["critics"], loss)
        policy, log_prob = actor_loss(model, batch, randomness)
        descend(self.optimizers["actor"], policy)
        descend(self.optimizers["temperature"], model.temperature.loss(batch.task, log_prob))
        polyak_(model.target_critics, model.critics, self.config.tau)
        return {
            "critic_loss": loss.detach(),
            "actor_loss": policy.detach(),
            "entropy": -log_prob.detach().mean(),
            "temperature": model.temperature.log.detach().exp().mean(),
        }
