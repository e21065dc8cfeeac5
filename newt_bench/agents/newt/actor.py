"""Acting: what is remembered of every slot between steps, and how an action comes about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from newt_bench.agents.newt.model import WorldModel
from newt_bench.agents.newt.planner import constraint_weight, plan, prolong
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.catalogue import PADDED_ACTION_DIM
from newt_bench.errors import AgentError

__all__ = ["Actor"]


class Actor:
    """Acts in a number of slots. Training and evaluation have one each, so that neither disturbs the other.

    Args:
        model: The model.
        randomness: Source of all draws.
        explore: Whether to act for training: noise on plans, samples of the policy, and one look per action.
    """

    def __init__(self, model: WorldModel, randomness: Randomness, *, explore: bool) -> None:
        self.model, self.randomness, self.explore = model, randomness, explore
        self.forget()

    def forget(self) -> None:
        """Forgets all slots."""
        self._mean = torch.zeros(0)  # last plan's mean, shifted: (H, slots, 16)
        self._queue = torch.zeros(0)  # actions decided on: (open_loop, slots, 16)
        self._played = torch.zeros(0)  # how many of them are played: (slots,)

    def act(self, obs: Tensor, task: Tensor, first: Tensor, *, step: int, planning: bool) -> Tensor:
        """Chooses actions.

        Args:
            obs: Observations, shape (slots, 128 or 896).
            task: Task indices, shape (slots,).
            first: Whether an episode begins, shape (slots,).
            step: Environment steps of training so far.
            planning: Whether to plan, or let the policy prior act alone.

        Returns:
            Shape (slots, 16).
        """
        length = self._length
        self.begin(first)
        if length == 1:
            return self._decide(obs, task, torch.ones_like(first), step, planning)[0]
        look = self._played >= length
        if bool(look.any()):
            sequence = self._decide(obs, task, look, step, planning)
            fresh = prolong(self.model, obs, task, sequence, length)
            self._queue = torch.where(look[:, None], fresh, self._queue)
            self._played[look] = 0
        actions = self._queue[self._played, torch.arange(len(task), device=obs.device)]
        self._played += 1
        return actions

    @property
    def _length(self) -> int:
        """Actions per look."""
        return 1 if self.explore else self.model.config.open_loop

    def prior(self, obs: Tensor, task: Tensor) -> Tensor:
        """The policy prior's actions: its mean in evaluation, a sample in training. Shape (slots, 16)."""
        with torch.no_grad():
            context = self.model.context(task)
            noise = self.randomness.normal(len(task), PADDED_ACTION_DIM)
            sample = self.model.act(self.model.encode(obs, context), context, noise)
        return sample.action if self.explore else sample.mean

    def uniform(self, task: Tensor) -> Tensor:
        """Actions uniform in [-1, 1]: shape (slots, 16)."""
        return (2 * self.randomness.uniform(len(task), PADDED_ACTION_DIM) - 1) * self.model.masks[task]

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What is remembered, as tensors by name, and the position in the random stream."""
        return {"mean": self._mean, "queue": self._queue, "played": self._played}, self.randomness.state()

    def load_state(self, tensors: Mapping[str, Tensor], randomness: Mapping[str, Any]) -> None:
        """Goes on from what `state` told."""
        device = self.model.embeddings.device
        self._mean, self._queue = tensors["mean"].to(device), tensors["queue"].to(device)
        self._played = tensors["played"].to(device)
        self.randomness.load_state(randomness)

    def begin(self, first: Tensor) -> None:
        """Forgets the slots where an episode begins. `act` calls it; call it where something else acts.

        Raises:
            AgentError: There are other slots than before, in the middle of episodes.
        """
        slots, length, device = len(first), self._length, first.device
        if self._mean.dim() == 1 or self._mean.shape[1] != slots:
            if not bool(first.all()):
                raise AgentError(f"The number of slots became {slots} in the middle of episodes")
            self._mean = torch.zeros(self.model.config.horizon, slots, PADDED_ACTION_DIM, device=device)
        if self._queue.dim() == 1 or self._queue.shape[:2] != (length, slots):
            self._queue = torch.zeros(length, slots, PADDED_ACTION_DIM, device=device)
            self._played = torch.full((slots,), length, device=device)
        self._mean *= ~first[:, None]
        self._played[first] = length

    def _decide(self, obs: Tensor, task: Tensor, look: Tensor, step: int, planning: bool) -> Tensor:
        """A sequence to play, shape (1 or H, slots, 16), of which the first action may carry noise.

        What is remembered of the slots that do not look, shape (slots,), stays.
        """
        if not planning:
            return self.prior(obs, task).unsqueeze(0)
        config = self.model.config
        found = plan(
            self.model,
            obs,
            task,
            self._mean,
            self.randomness,
            constraint=constraint_weight(config, step),
            explore=self.explore,
            deterministic=config.deterministic and not self.explore,
        )
        ahead = min(self._length, config.horizon)
        shifted = torch.cat((found.mean[ahead:], torch.zeros_like(found.mean[:ahead])))
        self._mean = torch.where(look[:, None], shifted, self._mean)
        return torch.cat((found.action[None], found.sequence[1:]))
