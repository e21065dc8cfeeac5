"""All of an agent's random numbers from one place, whose state can be saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Randomness"]


class Randomness:
    """A stream of random tensors on one device, and of small choices that stay on the host.

    Args:
        seed: One or several integers; streams of different seeds are independent.
        device: Where the tensors are.
    """

    def __init__(self, seed: int | tuple[int, ...], device: torch.device | str = "cpu") -> None:
        sequence = np.random.SeedSequence(seed)
        self._generator = torch.Generator(device)
        self._generator.manual_seed(int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        self._host = np.random.Generator(np.random.PCG64(sequence.spawn(1)[0]))

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(shape, generator=self._generator, device=self._generator.device)

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1)."""
        return torch.rand(shape, generator=self._generator, device=self._generator.device)

    def two_of(self, count: int) -> tuple[int, int]:
        """Two different indices below `count`, in random order; the same one twice if there is but one."""
        if count == 1:
            return 0, 0
        first, second = self._host.choice(count, 2, replace=False)
        return int(first), int(second)

    @property
    def host(self) -> np.random.Generator:
        """NumPy's generator, for what is drawn on the host."""
        return self._host

    def state(self) -> dict[str, Any]:
        """The stream's position, JSON-compatible."""
        bits = self._generator.get_state().numpy().tobytes().hex()
        return {"generator": bits, "host": json.loads(json.dumps(self._host.bit_generator.state))}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from a position that `state` told."""
        bits = bytearray.fromhex(state["generator"])
        self._generator.set_state(torch.frombuffer(bits, dtype=torch.uint8))
        self._host.bit_generator.state = state["host"]
