"""Planning: model predictive path integral control in latent space, for many slots at a time.

Candidates are drawn around a mean plan, judged by the model, and the best of them make the next mean; some
candidates are rollouts of the policy prior. Shapes: (H, candidates, slots, 16), time first and slots last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from newt_bench.agents.newt.config import NewtConfig
from newt_bench.agents.newt.model import Context, WorldModel
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.catalogue import PADDED_ACTION_DIM

__all__ = ["Plan", "constraint_weight", "plan", "prolong"]

# Candidates per piece of work on CPU: few enough that a layer's activations stay in the cache.
_CPU_ROWS = 512


class Plan(NamedTuple):
    """The outcome of planning.

    Attributes:
        action: What to play now, shape (slots, 16).
        mean: The mean plan, to start from at the next step, shape (H, slots, 16).
        sequence: The plan that `action` begins, shape (H, slots, 16).
    """

    action: Tensor
    mean: Tensor
    sequence: Tensor


class _Rollouts(NamedTuple):
    """Policy rollouts: actions (H, P, slots, 16), returns (P, slots), last latents (P, slots, latent_dim)."""

    actions: Tensor
    returns: Tensor
    latents: Tensor


class _Piece(NamedTuple):
    """Some of the slots, with what is the same for all of their candidates."""

    slots: slice
    context: Context
    start: Context


def constraint_weight(config: NewtConfig, step: int) -> float:
    """How much of the initial distribution is the policy's, after `step` environment steps."""
    if not config.constrained_planning:
        return 0.0
    if step < config.constraint_steps:
        return 1.0
    return max(0.0, 1 - (step - config.constraint_steps) / config.constraint_decay)


@torch.no_grad()
def plan(
    model: WorldModel,
    obs: Tensor,
    task: Tensor,
    previous: Tensor,
    randomness: Randomness,
    *,
    constraint: float = 0.0,
    explore: bool = False,
    deterministic: bool = False,
) -> Plan:
    """Plans for every slot.

    Random numbers are drawn in this order: noise of the policy rollouts, step by step; in every iteration, noise
    of the candidates, noise of the last policy action, two critics; then the elites' lots and the noise of
    exploration.

    Args:
        model: The model.
        obs: Observations, shape (slots, 128 or 896).
        task: Task indices, shape (slots,).
        previous: Mean of the last plan shifted by one step, 0 at the start of an episode: (H, slots, 16).
        randomness: Source of all draws.
        constraint: Weight of the policy rollouts' distribution in the initial one.
        explore: Whether to add noise to the action.
        deterministic: Whether to play the mean plan instead of drawing an elite.

    Returns:
        The plan.
    """
    config, context = model.config, model.context(task)
    horizon, policies, slots = len(previous), config.num_policy_samples, len(task)
    drawn, mask = config.num_samples - policies, context.mask
    z = model.encode(obs, context)
    pieces = _pieces(model, z, task, drawn)
    rollouts = _policy_rollouts(model, z, context, horizon, policies, randomness)
    mean, std = previous, torch.full_like(previous, config.max_std)
    if constraint and policies > 1:
        prior_std = rollouts.actions.std(1).clamp(config.min_std, config.max_std)
        mean = torch.lerp(mean, rollouts.actions.mean(1), constraint)
        std = torch.lerp(std, prior_std, constraint)

    for _ in range(config.iterations):
        noise = randomness.normal(horizon, drawn, slots, PADDED_ACTION_DIM)
        candidates = noise.mul_(std.unsqueeze(1)).add_(mean.unsqueeze(1)).clamp_(-1, 1).mul_(mask)
        last_noise = randomness.normal(policies + drawn, slots, PADDED_ACTION_DIM)
        heads = randomness.two_of(config.dims.num_q)
        values = [_values(model, p, candidates, rollouts, last_noise, heads) for p in pieces]
        elite_values, index = torch.cat(values, 1).topk(config.num_elites, 0)
        weights = torch.softmax(config.temperature * elite_values, 0)
        actions = torch.cat((rollouts.actions, candidates), 1)
        elites = actions.gather(1, index[None, ..., None].expand(horizon, -1, -1, PADDED_ACTION_DIM))
        share = weights.unsqueeze(-1)
        mean = (share * elites).sum(1) * mask
        variance = (share * (elites - mean.unsqueeze(1)).square()).sum(1)
        std = variance.sqrt().clamp(config.min_std, config.max_std) * mask

    sequence = mean if deterministic else _draw(elites, weights, randomness)
    action = sequence[0]
    if explore:
        action = action + std[0] * randomness.normal(slots, PADDED_ACTION_DIM)
    return Plan(action.clamp(-1, 1), mean, sequence)


@torch.no_grad()
def prolong(model: WorldModel, obs: Tensor, task: Tensor, sequence: Tensor, steps: int) -> Tensor:
    """Makes an action sequence longer by rolling the policy prior's mean through the model.

    Args:
        model: The model.
        obs: Observations that the sequence starts from, shape (slots, 128 or 896).
        task: Task indices, shape (slots,).
        sequence: Actions, shape (steps so far, slots, 16); possibly none.
        steps: Length wanted.

    Returns:
        Shape (steps, slots, 16).
    """
    context = model.context(task)
    z, actions = model.encode(obs, context), list(sequence[:steps])
    for t in range(steps):
        if t == len(actions):
            actions.append(model.act(z, context, torch.zeros(len(task), PADDED_ACTION_DIM, device=z.device)).mean)
        z = model.next(z, actions[t], context)
    return torch.stack(actions)


def _pieces(model: WorldModel, z: Tensor, task: Tensor, candidates: int) -> list[_Piece]:
    """Slots in portions. On an accelerator all at once."""
    size = max(1, _CPU_ROWS // candidates) if z.device.type == "cpu" else len(task)
    pieces = []
    for first in range(0, len(task), size):
        slots = slice(first, first + size)
        context = model.context(task[slots])
        pieces.append(_Piece(slots, context, context.fork(z[slots])))
    return pieces


def _policy_rollouts(
    model: WorldModel, z: Tensor, context: Context, horizon: int, count: int, randomness: Randomness
) -> _Rollouts:
    """Rolls the policy prior through the model. The same rollouts serve in all iterations."""
    slots = z.shape[0]
    z = z.expand(count, -1, -1)
    returns, discount, actions = z.new_zeros(count, slots), torch.ones_like(context.discount), []
    for _ in range(horizon):
        action = model.act(z, context, randomness.normal(count, slots, PADDED_ACTION_DIM)).action
        returns = returns + discount * model.reward(z, action, context)
        z, discount = model.next(z, action, context), discount * context.discount
        actions.append(action)
    return _Rollouts(torch.stack(actions), returns, z)


def _values(
    model: WorldModel,
    piece: _Piece,
    candidates: Tensor,
    rollouts: _Rollouts,
    last_noise: Tensor,
    heads: Sequence[int],
) -> Tensor:
    """Values of the policy rollouts and the candidates, in this order: shape (P + candidates, slots of the piece)."""
    context, slots = piece.context, piece.slots
    actions = candidates[:, :, slots]
    discount = context.discount
    returns = model.reward(None, actions[0], piece.start)
    z = model.next(None, actions[0], piece.start)
    for action in actions[1:]:
        returns = returns + discount * model.reward(z, action, context)
        z, discount = model.next(z, action, context), discount * context.discount
    z = torch.cat((rollouts.latents[:, slots], z))
    returns = torch.cat((rollouts.returns[:, slots], returns))
    last = model.act(z, context, last_noise[:, slots]).action
    values = returns + discount * model.q(z, last, context, heads).mean(0)
    return values.nan_to_num_(0, 0, 0)


def _draw(elites: Tensor, weights: Tensor, randomness: Randomness) -> Tensor:
    """Draws one elite per slot with probability equal to its weight (Gumbel-max): shape (H, slots, 16)."""
    exponential = -torch.log1p(-randomness.uniform(*weights.shape))
    lots = torch.log(weights) - torch.log(exponential)
    chosen = lots.argmax(0)
    return elites.gather(1, chosen[None, None, :, None].expand(len(elites), 1, -1, PADDED_ACTION_DIM)).squeeze(1)
