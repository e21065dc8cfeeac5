"""Gradient steps: optimisers, their schedules, and the state that a resumed run needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from newt_bench.agents.newt.losses import Batch, RunningScale, model_loss, policy_loss
from newt_bench.agents.newt.model import WorldModel
from newt_bench.agents.shared.optimizers import descend, load_moments, moments
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.errors import AgentError

__all__ = ["Learner"]


class Learner:
    """Trains a world model.

    In pretraining the policy learns with the model, in one optimiser; online it has an optimiser of its own, with
    separate moments.

    Args:
        model: The model.
        randomness: Source of all draws.
        warmup: Whether the learning rate rises linearly over the first updates.
    """

    def __init__(self, model: WorldModel, randomness: Randomness, *, warmup: bool = False) -> None:
        config = model.config
        self.model, self.randomness, self.warmup = model, randomness, warmup
        self.updates = 0
        self.scale = RunningScale(config.tau).to(model.embeddings.device)
        networks = (model.encoder, model.dynamics, model.reward_head, model.critics, model.policy)
        rates = [config.learning_rate * (config.encoder_lr_scale if net is model.encoder else 1) for net in networks]
        groups = [{"params": list(net.parameters()), "lr": lr} for net, lr in zip(networks, rates, strict=True)]
        self._optimizer = torch.optim.Adam(groups, foreach=True)
        self._policy_optimizer = torch.optim.Adam(
            model.policy.parameters(), config.learning_rate, eps=1e-5, foreach=True
        )
        self._rates = {id(group): group["lr"] for group in self._groups()}

    def pretrain(self, batch: Batch) -> dict[str, Tensor]:
        """One update on demonstrations: model, values and behaviour cloning. Returns the losses."""
        loss = model_loss(self.model, batch, self.randomness, cloning=True)
        norm = self._step(self._optimizer, loss.total)
        self.model.update_target()
        self.updates += 1
        return {**loss.parts, "grad_norm": norm}

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One online update: model and values, then the policy. Returns the losses."""
        loss = model_loss(self.model, batch, self.randomness)
        norm = self._step(self._optimizer, loss.total)
        pi_loss, parts = policy_loss(self.model, loss.latents, batch, self.scale, self.randomness)
        pi_norm = self._step(self._policy_optimizer, pi_loss)
        self.model.update_target()
        self.updates += 1
        return {**loss.parts, **parts, "grad_norm": norm, "policy_grad_norm": pi_norm}

    def state(self) -> dict[str, Tensor]:
        """Moments, steps and running scale, as tensors by name."""
        state = {"scale": self.scale.value, "updates": torch.tensor(self.updates)}
        for optimizer, parameters in self._stepped():
            state |= moments(optimizer, parameters)
        return state

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state` told.

        Raises:
            AgentError: Something is missing or of another shape.
        """
        missing = [name for name in ("scale", "updates") if name not in state]
        if missing:
            raise AgentError(f"The training state lacks {', '.join(missing)}")
        for optimizer, parameters in self._stepped():
            load_moments(optimizer, parameters, state)
        self.updates = int(state["updates"])
        self.scale.value.copy_(state["scale"])

    def _step(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> Tensor:
        factor = min(1.0, (self.updates + 1) / self.model.config.warmup_updates) if self.warmup else 1.0
        for group in optimizer.param_groups:
            group["lr"] = self._rates[id(group)] * factor
        return descend(optimizer, loss, self.model.config.max_grad_norm)

    def _groups(self) -> Iterable[dict[str, Any]]:
        return [*self._optimizer.param_groups, *self._policy_optimizer.param_groups]

    def _stepped(self) -> Iterable[tuple[torch.optim.Optimizer, dict[str, Tensor]]]:
        """Each optimiser with its parameters by name."""
        model, policy = self.model.named_parameters(), self.model.policy.named_parameters()
        yield self._optimizer, {f"model.{name}": p for name, p in model if p.requires_grad}
        yield self._policy_optimizer, {f"policy.{name}": p for name, p in policy}
