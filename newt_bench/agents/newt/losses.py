"""What Newt minimises. Time comes first in all shapes: (H, batch, ...), with H the horizon."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from newt_bench.agents.newt.config import NewtConfig
from newt_bench.agents.newt.model import Context, PolicySample, WorldModel
from newt_bench.agents.shared.distributed import average_
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.agents.shared.tasks import masked_mse
from newt_bench.catalogue import PADDED_ACTION_DIM

__all__ = ["Batch", "ModelLoss", "RunningScale", "model_loss", "policy_loss", "td_target", "time_weights"]


@dataclasses.dataclass(frozen=True)
class Batch:
    """Subsequences of episodes, one task each.

    Attributes:
        obs: Observations, with pixels followed by image features: (H + 1, batch, 128 or 896).
        action: Actions, 0 where masked: (H, batch, 16).
        reward: Rewards: (H, batch).
        task: Task indices: (batch,).
    """

    obs: Tensor
    action: Tensor
    reward: Tensor
    task: Tensor


@dataclasses.dataclass(frozen=True)
class ModelLoss:
    """The loss of everything but the policy.

    Attributes:
        total: The weighted sum, to differentiate.
        parts: Its parts by name, detached.
        latents: The model's rollout, detached: (H + 1, batch, latent_dim).
    """

    total: Tensor
    parts: dict[str, Tensor]
    latents: Tensor


class RunningScale(nn.Module):
    """The span of values: 5th to 95th percentile over a batch, at least 1, averaged exponentially.

    Args:
        rate: Rate of the average.
    """

    value: Tensor

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("value", torch.ones(()))

    @torch.no_grad()
    def update(self, values: Tensor) -> None:
        """Takes in a batch of values of any shape. With several processes, their spans are averaged."""
        low, high = torch.quantile(values.flatten(), values.new_tensor([0.05, 0.95]))
        self.value.lerp_(average_(high - low).clamp(min=1), self.rate)


def time_weights(config: NewtConfig, terms: int, horizon: int, device: torch.device | None = None) -> Tensor:
    """Weights of the steps in a loss, in proportion to rho^t.

    Args:
        config: Hyper-parameters.
        terms: Steps that the loss is over.
        horizon: H, the actions of the model's rollout.
        device: Where to.

    Returns:
        Shape (terms,): the first of weights that sum to 1 over t = 0..H; or, where means are wanted, rho^t / terms.
    """
    weights = config.rho ** torch.arange(horizon + 1, device=device, dtype=torch.float32)
    return weights[:terms] / (weights.sum() if config.time_weights == "sum" else terms)


@torch.no_grad()
def td_target(model: WorldModel, following: Tensor, reward: Tensor, context: Context, randomness: Randomness) -> Tensor:
    """Reward plus discounted value of the next state: the less of two critics drawn at random.

    Episodes end by their horizon only, so that there is no terminal state to treat apart.

    Args:
        model: The model.
        following: Latents of the observations after the steps, (H, batch, latent_dim).
        reward: (H, batch).
        context: The tasks.
        randomness: Draws actions, then critics.

    Returns:
        (H, batch).
    """
    action = model.act(following, context, randomness.normal(*following.shape[:-1], PADDED_ACTION_DIM)).action
    heads = randomness.two_of(model.config.dims.num_q)
    q = model.q(following, action, context, heads, target=model.config.target == "target")
    return reward + context.discount * q.amin(0)


def model_loss(model: WorldModel, batch: Batch, randomness: Randomness, *, cloning: bool = False) -> ModelLoss:
    """Consistency of latents, rewards and values; with `cloning`, imitation by the policy as well.

    Cloning's gradient reaches encoder and dynamics.

    Args:
        model: The model.
        batch: The data.
        randomness: Draws for the TD targets, then for dropout, then for cloning.
        cloning: Whether to add behaviour cloning, as pretraining does.

    Returns:
        The loss.
    """
    config, context, horizon = model.config, model.context(batch.task), len(batch.action)
    weights = time_weights(config, horizon, horizon, batch.obs.device)

    z = [model.encode(batch.obs[0], context)]
    with torch.no_grad():
        following = model.encode(batch.obs[1:], context)
    target = td_target(model, following, batch.reward, context, randomness)
    for action in batch.action:
        z.append(model.next(z[-1], action, context))
    rollout = torch.stack(z)
    before = rollout[:-1]

    consistency = weights @ (rollout[1:] - following).square().mean((1, 2))
    reward_logits = model.reward_logits(before, batch.action, context)
    reward = weights @ model.bins.cross_entropy(reward_logits, model.bins.two_hot(batch.reward)).mean(1)
    kept = _kept(model, randomness, config.dims.num_q, *before.shape[:-1])
    q_logits = model.q_logits(before, batch.action, context, kept)
    value = (model.bins.cross_entropy(q_logits, model.bins.two_hot(target)).mean(2) @ weights).mean()

    total = config.consistency_coef * consistency + config.reward_coef * reward + config.value_coef * value
    parts = {"consistency": consistency, "reward": reward, "value": value, "target": target.mean()}
    if cloning:
        sample = model.act(before, context, randomness.normal(*before.shape[:-1], PADDED_ACTION_DIM))
        parts["cloning"] = (_cloning_loss(sample, batch, context, config.entropy_coef).mean(1) * weights).mean()
        total = total + config.pretrain_bc_coef * parts["cloning"]
    return ModelLoss(total, {"total": total.detach()} | {k: v.detach() for k, v in parts.items()}, rollout.detach())


def policy_loss(
    model: WorldModel, latents: Tensor, batch: Batch, scale: RunningScale, randomness: Randomness
) -> tuple[Tensor, dict[str, Tensor]]:
    """Value, entropy and action supervision of the policy along the model's rollout.

    Args:
        model: The model; its critics' parameters are held fixed.
        latents: (H + 1, batch, latent_dim), without gradient.
        batch: The data.
        scale: Divides the values; updated first.
        randomness: Draws actions, then critics, then for dropout.

    Returns:
        The loss, and its parts by name, detached.
    """
    config, context = model.config, model.context(batch.task)
    horizon = len(batch.action)
    weights = time_weights(config, horizon + 1, horizon, latents.device)
    sample = model.act(latents, context, randomness.normal(*latents.shape[:-1], PADDED_ACTION_DIM))
    heads = randomness.two_of(config.dims.num_q)
    kept = _kept(model, randomness, len(heads), *latents.shape[:-1])
    q = model.q(latents, sample.action, context, heads, kept=kept).mean(0)
    scale.update(q[0].detach())
    loss = weights @ (-config.entropy_coef * sample.scaled_entropy - q / scale.value).mean(1)
    parts = {"q": q.detach().mean(), "entropy": -sample.log_prob.detach().mean(), "scale": scale.value.clone()}
    if config.bc_coef:
        error = masked_mse(sample.action[:-1], batch.action, context.mask).mean(1)
        parts["supervision"] = (weights[:-1] @ error).detach()
        loss = loss + config.bc_coef * (weights[:-1] @ error)
    return loss, {"policy": loss.detach()} | parts


def _cloning_loss(sample: PolicySample, batch: Batch, context: Context, entropy_coef: float) -> Tensor:
    return masked_mse(sample.action, batch.action, context.mask) - entropy_coef * sample.scaled_entropy


def _kept(model: WorldModel, randomness: Randomness, heads: int, *batch: int) -> Tensor | None:
    """Dropout's factors of the critics' first hidden entries, shape (heads, *batch, mlp_dim); None without dropout."""
    rate = model.config.q_dropout
    if not rate:
        return None
    return (randomness.uniform(heads, *batch, model.config.dims.mlp_dim) >= rate).float() / (1 - rate)
