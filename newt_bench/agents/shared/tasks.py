"""Facts of tasks as tables with one row per task, and the tensors of models that are such tables."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from newt_bench.catalogue import PADDED_ACTION_DIM

__all__ = ["action_masks", "task_row_names"]


def action_masks(action_dims: Sequence[int]) -> Tensor:
    """Masks of padded actions: shape (tasks, 16), 1 for the entries that a task has and 0 past them.

    Args:
        action_dims: Action dimension of each task.
    """
    return (torch.arange(PADDED_ACTION_DIM) < torch.tensor(action_dims).unsqueeze(-1)).float()


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
