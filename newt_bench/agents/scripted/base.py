"""What an expert is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import Task

__all__ = ["Action", "Expert", "Maker", "State", "stateless"]

State = NDArray[np.float64]
Action = Sequence[float] | NDArray[Any]
#: Chooses an action on a state, both without padding; actions are clipped to [-1, 1]. It may remember an episode.
Expert = Callable[[State], Action]
#: Makes the expert for one episode of a task.
Maker = Callable[[Task], Expert]


def stateless(expert: Expert) -> Maker:
    """A maker of an expert that remembers nothing."""
    return lambda task: expert
