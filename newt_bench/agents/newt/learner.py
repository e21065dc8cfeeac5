"""Gradient steps: optimisers, their schedules, and the state that a resumed run needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from newt_bench.agents.newt.losses import Batch, RunningScale, model_loss, policy_loss
from newt_bench.agents.newt.model import WorldModel
from newt_bench.agents.shared.distributed import average_gradients
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
        for name, parameter, optimizer in self._slots():
            for key, value in optimizer.state.get(parameter, {}).items():
                state[f"{name}.{key}"] = value
        return state

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state` told.

        Raises:
            AgentError: Something is missing or of another shape.
        """
        problems = [name for name in ("scale", "updates") if name not in state]
        for name, parameter, optimizer in self._slots():
            found = {key: state.get(f"{name}.{key}") for key in ("step", "exp_avg", "exp_avg_sq")}
            if all(value is None for value in found.values()):
                continue  # not stepped yet
            problems += [
                f"{name}.{key}"
                for key, value in found.items()
                if value is None or (key != "step" and value.shape != parameter.shape)
            ]
            optimizer.state[parameter] = {
                key: value.clone() if key == "step" else value.to(parameter.device, copy=True)
                for key, value in found.items()
                if value is not None
            }
        if problems:
            raise AgentError(f"The training state lacks, or has in another shape: {', '.join(problems)}")
        self.updates = int(state["updates"])
        self.scale.value.copy_(state["scale"])

    def _step(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> Tensor:
        factor = min(1.0, (self.updates + 1) / self.model.config.warmup_updates) if self.warmup else 1.0
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        for group in optimizer.param_groups:
            group["lr"] = self._rates[id(group)] * factor
        loss.backward()
        average_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, self.model.config.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return norm

    def _groups(self) -> Iterable[dict[str, Any]]:
        return [*self._optimizer.param_groups, *self._policy_optimizer.param_groups]

    def _slots(self) -> Iterable[tuple[str, Tensor, torch.optim.Optimizer]]:
        """Name, parameter and optimiser of everything that has moments."""
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                yield f"model.{name}", parameter, self._optimizer
        for name, parameter in self.model.policy.named_parameters():
            yield f"policy.{name}", parameter, self._policy_optimizer
