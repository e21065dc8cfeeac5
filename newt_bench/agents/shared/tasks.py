"""Padded actions of many tasks, and the tensors of models that have one row per task."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from newt_bench.catalogue import PADDED_ACTION_DIM

__all__ = ["action_masks", "masked_mse", "task_row_names"]


def action_masks(action_dims: Sequence[int]) -> Tensor:
    """Masks of padded actions: shape (tasks, 16), 1 for the entries that a task has and 0 past them.

    Args:
        action_dims: Action dimension of each task.
    """
    return (torch.arange(PADDED_ACTION_DIM) < torch.tensor(action_dims).unsqueeze(-1)).float()


def masked_mse(prediction: Tensor, action: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over the valid entries of actions (..., 16): shape (...)."""
    return ((prediction - action).square() * mask).sum(-1) / mask.sum(-1)


def task_row_names(model: nn.Module) -> tuple[str, ...]:
    """Names, as in its `state_dict`, of the tensors of a model that have one row per task.

    A module says which of its own tensors are such by an attribute `task_rows`, a tuple of names. A checkpoint can be
    loaded for some of its tasks because their rows can be picked.
    """
    return tuple(
        f"{prefix}.{name}" if prefix else name
        for prefix, module in model.named_modules()
        for name in getattr(module, "task_rows", ())
    )
