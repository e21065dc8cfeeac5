"""Several processes that learn one model, each on its own tasks: start them with `torchrun`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from newt_bench.agents.team import Team

__all__ = ["TorchTeam", "average_", "average_gradients", "rank_and_world", "share", "total"]

Item = TypeVar("Item")


def rank_and_world() -> tuple[int, int]:
    """This process's index and the number of processes; (0, 1) unless `torch.distributed` is initialised."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


class TorchTeam(Team):
    """The processes that `torchrun` started, connected by `torch.distributed`: NCCL on GPUs, Gloo elsewhere.

    Each process takes the GPU of its index on the machine.
    """

    def __init__(self) -> None:
        if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
            gpu = torch.cuda.is_available()
            if gpu:
                torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
            dist.init_process_group("nccl" if gpu else "gloo")
        self.rank, self.size = rank_and_world()

    def gather(self, item: Item) -> list[Item]:
        """See `Team.gather`."""
        items: list[Any] = [None] * self.size
        if self.size > 1:
            dist.all_gather_object(items, item)
        return items if self.size > 1 else [item]

    def any(self, flag: bool) -> bool:
        """See `Team.any`."""
        return total(float(flag)) > 0

    def leave(self) -> None:
        """See `Team.leave`."""
        if dist.is_initialized():
            dist.destroy_process_group()


def total(value: float) -> float:
    """Sum of a number over all processes."""
    if rank_and_world()[1] == 1:
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    tensor = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(tensor)
    return float(tensor)


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
