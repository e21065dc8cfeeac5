"""What a domain module supplies: a simulation that plays one task."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Rebuildable", "Simulation"]


class Simulation(Protocol):
    """Plays one task on one simulator. `TaskEnv` adds everything that all tasks share.

    A domain module `newt_bench.envs.<domain>` offers `make(task: Task) -> Simulation`; further keyword
    parameters of `make` become keyword arguments of `gymnasium.make` for its tasks. The simulation may
    assume valid input: actions are float32 of shape (action_dim,), clipped to [-1, 1] and free of NaN; no
    step comes before a reset or after the horizon. It must not read or change any global random state.

    Attributes:
        step_seconds: Simulated seconds per agent step; frames per second of videos is its inverse.
    """

    step_seconds: float

    @property
    def renderer(self) -> str | None:
        """What draws the frames; None before the first.

        Such as `egl: llvmpipe (LLVM 15.0.6, 256 bits)`.
        """
        ...

    def reset(self, seed: int) -> NDArray[np.floating]:
        """Starts an episode that is a function of `seed` and the actions alone.

        Args:
            seed: Integer in [0, 2**31).

        Returns:
            The state observation, shape (obs_dim,), in a new array.
        """
        ...

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.floating], float, float]:
        """Plays one agent step, action repeats included.

        Args:
            action: Shape (action_dim,), in [-1, 1].

        Returns:
            The state observation of shape (obs_dim,) in a new array, the reward, and the success flag at this step
            (0 or 1, or NaN where the task defines none).
        """
        ...

    def render(self, size: int) -> NDArray[np.uint8]:
        """Draws the current state from the task's published camera.

        Args:
            size: Height and width of the image in pixels.

        Returns:
            RGB image of shape (size, size, 3).
        """
        ...

    def close(self) -> None:
        """Frees what was opened. Called at most once."""
        ...


@runtime_checkable
class Rebuildable(Protocol):
    """A simulation whose episodes bear traces of the ones before, unless it is built anew, which takes time.

    `TaskEnv` has it built anew for episodes with a seed of the caller's, which thereby are functions of seed and
    actions alone. Later episodes, whose seeds `TaskEnv` derives, are functions of all that happened since.
    """

    def rebuild_at_next_reset(self) -> None:
        """Makes the next `reset` forget everything that came before it."""
        ...
