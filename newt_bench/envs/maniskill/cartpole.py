"""The stock cartpoles with a sparse reward."""

from __future__ import annotations

from typing import Any

import torch
from mani_skill.envs.tasks.control.cartpole import CartpoleBalanceEnv, CartpoleEnv, CartpoleSwingUpEnv

__all__ = ["SparseCartpoleBalanceEnv", "SparseCartpoleSwingUpEnv"]

# Of (cos(angle) + 1) / 2, which is 1 upright: the pole leans by less than 45.6 degrees.
_UPRIGHT = 0.85


class _SparseReward(CartpoleEnv):  # type: ignore[misc]
    """Rewards every control step with 1 while the pole is near upright, else with 0."""

    def compute_dense_reward(self, obs: Any, action: torch.Tensor, info: dict[str, Any]) -> torch.Tensor:
        """Reward, shape (1,); ManiSkill divides it by 1 to normalise it."""
        upright: torch.Tensor = (self.pole_angle_cosine + 1) / 2
        return (upright > _UPRIGHT).float()


class SparseCartpoleBalanceEnv(_SparseReward, CartpoleBalanceEnv):  # type: ignore[misc]
    """Keep the pole up."""


class SparseCartpoleSwingUpEnv(_SparseReward, CartpoleSwingUpEnv):  # type: ignore[misc]
    """Swing the pole up and keep it there."""
