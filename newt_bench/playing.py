"""Lets a person play a task with the keyboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from newt_bench.catalogue import get_task, tasks
from newt_bench.envs.window import import_pygame
from newt_bench.errors import InputError

__all__ = ["Outcome", "describe_controls", "play"]

Controls = Mapping[str, tuple[int, float]]


class Outcome(NamedTuple):
    """How an episode went.

    Attributes:
        episode_return: Sum of the rewards.
        score: The task's score so far.
        steps: Steps played; fewer than the horizon if the player left.
    """

    episode_return: float
    score: float
    steps: int


def play(task_name: str, *, seed: int = 0, size: int = 672, speed: float = 1.0) -> Outcome:
    """Plays one episode in a window; it begins with the first key, and ends early with Escape or a closed window.

    Args:
        task_name: A task of the MiniArcade.
        seed: Seed of the episode.
        size: Height and width of the window in pixels.
        speed: Multiple of the task's own pace.

    Raises:
        InputError: The task has no keys to play with, or another argument cannot be used.
        MissingExtraError: pygame is not installed.
        RenderingError: There is no screen.
    """
    task = get_task(task_name)
    if not 0 < speed <= 100:
        raise InputError(f"speed must lie in (0, 100], not {speed}")
    env = gymnasium.make(task.id, render_mode="human", render_size=size)
    try:
        base: Any = env.unwrapped
        if base.controls is None:
            names = ", ".join(tasks(domain="miniarcade", split="core").names)
            raise InputError(f"{task.name} cannot be played with keys; these can: {names}")
        base.metadata["render_fps"] *= speed
        return _episode(env, base.controls, task.action_dim, seed)
    finally:
        env.close()


def describe_controls(task_name: str) -> str:
    """The keys of a task, such as `left, right, space`."""
    with gymnasium.make(get_task(task_name).id) as env:
        controls: Controls | None = env.unwrapped.controls  # type: ignore[attr-defined]
    return ", ".join(controls or ())


def _episode(env: gymnasium.Env[Any, Any], controls: Controls, action_dim: int, seed: int) -> Outcome:
    keyboard = _Keyboard(controls)
    total, steps, truncated = 0.0, 0, False
    _, info = env.reset(seed=seed)
    keyboard.wait()
    while not truncated and not keyboard.quit:
        action = np.zeros(action_dim, np.float32)
        for index, value in keyboard.held():
            action[index] += value
        _, reward, _, truncated, info = env.step(action)
        total, steps = total + float(reward), steps + 1
        keyboard.poll()
    return Outcome(total, float(info["score"]), steps)


class _Keyboard:
    """Which of the keys are held.

    Args:
        controls: What each key does.

    Attributes:
        quit: Whether the player wants to leave.
    """

    def __init__(self, controls: Controls) -> None:
        self._pygame: Any = import_pygame()
        self._effects = {getattr(self._pygame, f"K_{key.upper()}"): effect for key, effect in controls.items()}
        self._held: set[int] = set()
        self.quit = False

    def held(self) -> list[tuple[int, float]]:
        """Index of the action and value, of every key that is held."""
        return [self._effects[key] for key in self._held]

    def wait(self) -> None:
        """Waits for the first key."""
        while not self._held and not self.quit:
            self._take(self._pygame.event.wait())
        self.poll()

    def poll(self) -> None:
        """Takes in what has happened since."""
        for event in self._pygame.event.get():
            self._take(event)

    def _take(self, event: Any) -> None:
        pygame = self._pygame
        pressed = event.key if event.type == pygame.KEYDOWN else None
        if event.type in (pygame.QUIT, pygame.WINDOWCLOSE) or pressed == pygame.K_ESCAPE:
            self.quit = True
        elif pressed is not None and pressed in self._effects:
            self._held.add(pressed)
        elif event.type == pygame.KEYUP:
            self._held.discard(event.key)
