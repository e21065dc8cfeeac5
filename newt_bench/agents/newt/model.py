"""The world model: encoder, dynamics, reward, policy prior and critics, conditioned on the task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from newt_bench.agents.newt.config import NewtConfig
from newt_bench.agents.newt.networks import MLP, Critics
from newt_bench.agents.shared.distributional import Bins
from newt_bench.agents.shared.gaussian import squashed_log_std, tanh_gaussian
from newt_bench.agents.shared.tasks import action_masks
from newt_bench.catalogue import PADDED_ACTION_DIM, PADDED_OBS_DIM
from newt_bench.vision import IMAGE_FEATURES

__all__ = ["Context", "PolicySample", "WorldModel"]


class PolicySample(NamedTuple):
    """Actions drawn from the policy prior.

    Attributes:
        action: In [-1, 1], 0 where masked, shape (..., 16).
        mean: tanh of the Gaussian's mean, shape (..., 16).
        log_prob: Log-density of the action, shape (...).
        scaled_entropy: What the policy loss rewards, shape (...). See `WorldModel.act`.
    """

    action: Tensor
    mean: Tensor
    log_prob: Tensor
    scaled_entropy: Tensor


class Context:
    """A batch's tasks, with what the networks' first layers make of their embeddings; computed when first used.

    Made by `WorldModel.context`. Stale once the parameters change.

    Args:
        model: The model.
        task: Task indices, shape (batch,).
    """

    def __init__(self, model: WorldModel, task: Tensor) -> None:
        self._model = model
        self._parts: dict[str, Tensor] = {}
        self.task = task
        self.mask = model.masks[task]
        self.discount = model.discounts[task]

    def __getitem__(self, network: str) -> Tensor:
        """The context of one network, broadcastable to (..., batch, width)."""
        if network not in self._parts:
            net: MLP = getattr(self._model, network)
            self._parts[network] = net.context(self._model.embeddings, self.task)
        return self._parts[network]

    def fork(self, z: Tensor) -> Context:
        """A context for many actions from the same latents of shape (batch, latent_dim).

        `WorldModel.next` and `WorldModel.reward` then take None for the latents.
        """
        forked = Context(self._model, self.task)
        for network in ("dynamics", "reward_head"):
            net: MLP = getattr(self._model, network)
            forked._parts[network] = net.fork(z, self[network])
        return forked


class WorldModel(nn.Module):
    """All networks of Newt, and the facts of the tasks that they need.

    Shapes below: `batch` is the batch axis that the context was made for, always last but one; any axes may
    precede it.

    Args:
        config: With everything resolved.
        embeddings: Task embeddings, frozen, shape (tasks, width); width 0 leaves conditioning out.
        action_dims: Action dimension of each task.
        discounts: Discount of each task.
        generator: Source of the initial weights.
    """

    embeddings: Tensor
    masks: Tensor
    discounts: Tensor
    task_rows: ClassVar[tuple[str, ...]] = ("embeddings", "masks", "discounts")

    def __init__(
        self,
        config: NewtConfig,
        embeddings: Tensor,
        action_dims: Sequence[int],
        discounts: Sequence[float],
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.bins = Bins(config.bins, -config.bin_range, config.bin_range)
        self.register_buffer("embeddings", embeddings.clone())
        self.register_buffer("masks", action_masks(action_dims))
        self.register_buffer("discounts", torch.tensor(discounts, dtype=torch.float32))

        dims, task_dim = config.dims, embeddings.shape[1]
        latent, wide = dims.latent_dim, (dims.mlp_dim, dims.mlp_dim)
        seen = PADDED_OBS_DIM + (IMAGE_FEATURES if config.pixels else 0)

        def mlp(inputs: int, hidden: Sequence[int], outputs: int, *, norm: bool = False, zero: bool = False) -> MLP:
            group = config.group if norm else None
            return MLP(
                inputs,
                hidden,
                outputs,
                task_dim=task_dim,
                sim_norm_group=group,
                zero_last=zero,
                generator=generator,
            )

        def critics() -> Critics:
            return Critics(
                latent + PADDED_ACTION_DIM,
                wide,
                config.bins,
                task_dim=task_dim,
                heads=dims.num_q,
                zero_last=True,
                generator=generator,
            )

        self.encoder = mlp(seen, [dims.enc_dim] * max(dims.num_enc_layers - 1, 1), latent, norm=True)
        self.dynamics = mlp(latent + PADDED_ACTION_DIM, wide, latent, norm=True)
        self.reward_head = mlp(latent + PADDED_ACTION_DIM, wide, config.bins, zero=True)
        self.policy = mlp(latent, wide, 2 * PADDED_ACTION_DIM)
        self.critics = critics()
        # A module of its own rather than a copy, so that nothing compiled or cached is shared with the online one.
        self.target_critics = critics()
        self.target_critics.load_state_dict(self.critics.state_dict())
        self.target_critics.requires_grad_(False)

    def context(self, task: Tensor) -> Context:
        """Prepares for a batch of tasks, given as indices of shape (batch,)."""
        return Context(self, task)

    def encode(self, obs: Tensor, context: Context) -> Tensor:
        """Latent states of observations.

        Args:
            obs: States of shape (..., batch, 128); with pixels, image features follow: (..., batch, 896).
            context: The tasks.

        Returns:
            Shape (..., batch, latent_dim).
        """
        z: Tensor = self.encoder(obs, context["encoder"])
        return z

    def next(self, z: Tensor | None, action: Tensor, context: Context) -> Tensor:
        """Latent states after actions: shape (..., batch, latent_dim)."""
        following: Tensor = self.dynamics(_joined(z, action), context["dynamics"])
        return following

    def reward_logits(self, z: Tensor | None, action: Tensor, context: Context) -> Tensor:
        """Distribution of the reward over bins: shape (..., batch, bins)."""
        logits: Tensor = self.reward_head(_joined(z, action), context["reward_head"])
        return logits

    def reward(self, z: Tensor | None, action: Tensor, context: Context) -> Tensor:
        """Expected reward: shape (..., batch)."""
        return self.bins.mean(self.reward_logits(z, action, context))

    def q_logits(self, z: Tensor, action: Tensor, context: Context, kept: Tensor | None = None) -> Tensor:
        """Distributions of all critics over bins: shape (heads, ..., batch, bins). `kept` is for dropout, see `q`."""
        logits: Tensor = self.critics(torch.cat((z, action), -1), context["critics"], kept)
        return logits

    def q(
        self,
        z: Tensor,
        action: Tensor,
        context: Context,
        heads: Sequence[int],
        *,
        target: bool = False,
        kept: Tensor | None = None,
    ) -> Tensor:
        """Values told by some critics, whose parameters are held fixed.

        Args:
            z: Latent states.
            action: Actions.
            context: The tasks.
            heads: Indices of the critics.
            target: Whether to ask the target critics.
            kept: Factors of the first hidden entries, shape (len(heads), ..., batch, mlp_dim); None for no dropout.

        Returns:
            Shape (len(heads), ..., batch).
        """
        name = "target_critics" if target else "critics"
        critics: Critics = getattr(self, name)
        if action.requires_grad and not z.requires_grad:
            return self.bins.mean(critics.some(action, context[name], heads, fixed=z, kept=kept))
        return self.bins.mean(critics.some(torch.cat((z, action), -1), context[name], heads, kept=kept))

    def act(self, z: Tensor, context: Context, noise: Tensor) -> PolicySample:
        """Draws actions from the policy prior: tanh of a Gaussian.

        The scaled entropy is -n lg, with n the task's number of actions and lg the Gaussian's log-density
        before the tanh: the published agent multiplies the entropy by n lg and divides it by the log-density, so
        that the tanh's correction cancels. Masked entries have zero noise and log-std and still add
        ln(2 pi)/2 each, so that the sum counts all 16.

        Args:
            z: Latent states, shape (..., batch, latent_dim).
            context: The tasks.
            noise: Standard normal, shape (..., batch, 16).

        Returns:
            The sample.
        """
        mean, raw = self.policy(z, context["policy"]).chunk(2, -1)
        log_std = squashed_log_std(raw, self.config.log_std_min, self.config.log_std_max)
        draw = tanh_gaussian(mean, log_std, noise, context.mask)
        gaussian = draw.gaussian.sum(-1)
        log_prob = gaussian - draw.squash.sum(-1)
        return PolicySample(draw.action, draw.mean, log_prob, -gaussian * context.mask.sum(-1))

    @torch.no_grad()
    def update_target(self) -> None:
        """Moves the target critics a step towards the online ones (Polyak averaging)."""
        torch._foreach_lerp_(list(self.target_critics.parameters()), list(self.critics.parameters()), self.config.tau)


def _joined(z: Tensor | None, action: Tensor) -> Tensor:
    return action if z is None else torch.cat((z, action), -1)
