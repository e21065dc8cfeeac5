"""Plays a game as the simulation of a task."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from newt_bench.envs.miniarcade.canvas import Canvas
from newt_bench.envs.miniarcade.game import Game
from newt_bench.errors import MissingExtraError
from newt_bench.extras import install_command

__all__ = ["GameSimulation"]


class GameSimulation:
    """Plays one game; one step is one frame.

    Args:
        game: The game.
        has_success: Whether the task defines a success.
    """

    def __init__(self, game: Game, has_success: bool) -> None:
        self._game = game
        self._has_success = has_success
        self._canvas: Canvas | None = None
        self.step_seconds = 1 / game.frames_per_second

    @property
    def controls(self) -> Mapping[str, tuple[int, float]]:
        """What the keys of a keyboard do, see `Game.controls`."""
        return self._game.controls

    def reset(self, seed: int) -> NDArray[np.float32]:
        """See `Simulation.reset`."""
        self._game.start(np.random.default_rng(seed))
        return np.array(self._game.observe(), np.float32)

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, float]:
        """See `Simulation.step`."""
        reward = self._game.play(action.tolist())
        success = float(self._game.success) if self._has_success else math.nan
        return np.array(self._game.observe(), np.float32), reward, success

    def render(self, size: int) -> NDArray[np.uint8]:
        """See `Simulation.render`.

        Raises:
            MissingExtraError: pygame, which only pictures need, is not installed.
        """
        if self._canvas is None or self._canvas.size != size:
            try:
                self._canvas = Canvas(size)
            except ModuleNotFoundError as error:
                raise MissingExtraError(
                    f"Pictures of MiniArcade tasks need the package 'pygame', which is not installed. "
                    f"Install it with: {install_command('arcade')}"
                ) from error
        self._game.draw(self._canvas)
        return self._canvas.image()

    @property
    def renderer(self) -> str | None:
        """See `Simulation.renderer`."""
        return None if self._canvas is None else self._canvas.renderer

    def close(self) -> None:
        """See `Simulation.close`."""
        self._canvas = None
