"""The base class of the games: what the rules of one game have to supply."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from newt_bench.envs.miniarcade.canvas import Canvas

__all__ = ["Game"]


class Game(abc.ABC):
    """The world and the rules of one game, advanced frame by frame.

    A subclass sets up its world in `setup`, moves it by one frame in `advance`, tells its state in `observe` and
    shows it in `draw`. State is kept in Python floats (float64). All chance comes from `self.rng`, and drawing
    changes nothing: pictures are functions of the state, of `self.time` and of the generators of `decoration`.

    Attributes:
        rng: The generator of the episode; games draw from it in `setup` and `advance` only.
        time: Frames completed since the start of the episode.
        success: Whether the goal is reached in the current state; stays False in games that define none.
        frames_per_second: Nominal speed of the game.
        controls: What the keys of a keyboard do when a person plays: maps `left`, `right`, `up`, `down` and `space`
            to (index of the action, its value while the key is held).
    """

    frames_per_second: ClassVar[int] = 30
    controls: ClassVar[Mapping[str, tuple[int, float]]] = {
        "left": (0, -1.0),
        "right": (0, 1.0),
        "up": (1, -1.0),
        "down": (1, 1.0),
    }

    rng: np.random.Generator
    time: int
    success: bool

    def start(self, rng: np.random.Generator) -> None:
        """Begins an episode that is a function of the generator's state and the actions alone."""
        # Drawn first and always, so that decorations are free to change without touching any episode.
        self._decoration_seed = int(rng.integers(2**63))
        self.rng = rng
        self.time = 0
        self.success = False
        self.setup()

    def play(self, action: Sequence[float]) -> float:
        """Advances by one frame and returns the reward.

        Args:
            action: As many numbers in [-1, 1] as the game has actions.
        """
        reward = self.advance(action)
        self.time += 1
        return reward

    def decoration(self, *key: int) -> np.random.Generator:
        """A generator for what is only to look at, such as stars or flicker; made for use in `draw`.

        Args:
            *key: Non-negative integers that tell one use in the game from another; with `self.time` among them,
                the decoration changes from frame to frame.

        Returns:
            The same numbers whenever it is called with the same key in the same episode.
        """
        return np.random.default_rng((self._decoration_seed, *key))

    @abc.abstractmethod
    def setup(self) -> None:
        """Puts the world into its first state. Nothing of an earlier episode may remain."""

    @abc.abstractmethod
    def advance(self, action: Sequence[float]) -> float:
        """Moves the world by one frame and returns the reward; `self.time` is the number of frames before it."""

    @abc.abstractmethod
    def observe(self) -> Sequence[float]:
        """The state observation of the game."""

    @abc.abstractmethod
    def draw(self, canvas: Canvas) -> None:
        """Draws the current state in world coordinates. Must not change the game."""
