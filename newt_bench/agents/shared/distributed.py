"""Several processes that learn one model, each on its own tasks: start them with `torchrun`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

__all__ = ["average_", "average_gradients", "rank_and_world", "share"]

Item = TypeVar("Item")


def rank_and_world() -> tuple[int, int]:
    """This process's index and the number of processes; (0, 1) unless `torch.distributed` is initialised."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def share(items: Sequence[Item]) -> tuple[Item, ...]:
    """This process's share of items, dealt round-robin: any number of items over any number of processes."""
    rank, world = rank_and_world()
    return tuple(items[rank::world])


def average_(tensor: Tensor) -> Tensor:
    """Replaces a tensor by its mean over all processes."""
    _, world = rank_and_world()
    if world > 1:
        dist.all_reduce(tensor)
        tensor /= world
    return tensor


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replaces gradients by their mean over all processes, in one message.

    All processes must have gradients for the same parameters.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients or rank_and_world()[1] == 1:
        return
    flat = average_(torch.cat([g.reshape(-1) for g in gradients]))
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))
