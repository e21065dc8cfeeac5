"""The `atari` domain: games of the Arcade Learning Environment (arXiv 1207.4708) under a continuous joystick."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import gymnasium
import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import Task
from newt_bench.envs.images import resize
from newt_bench.errors import InputError

with warnings.catch_warnings():  # the package sets a global warnings filter of its own
    import ale_py
    from ale_py import roms

__all__ = ["JOYSTICKS", "AtariSimulation", "make"]

#: Joystick mappings, by how far the stick must be pushed left or down (as a coordinate) to count:
#: `release` is that of ale_py 0.10 and of the published scores, where a stick that is neither right nor up is
#: left or down, so that it has no neutral position; `deadzone` is that of ale_py 0.12.
JOYSTICKS: dict[str, float] = {"release": 0.5, "deadzone": -0.5}

_PUSHED = np.float32(0.5)
_PI = np.float32(math.pi)
_FRAMES_PER_SECOND = 60
_CANVAS = 224


def make(task: Task, joystick: str = "release") -> AtariSimulation:
    """Builds the simulation of a game; `task.simulator_id` is its Gymnasium id.

    Args:
        task: The task.
        joystick: How a stick position becomes one of the console's 18 actions. `release`, the default, never
            centres the stick: every published score belongs to it. `deadzone` holds the stick centred up to
            half a push, and paddles turn at the speed of the push.

    Raises:
        InputError: There is no such joystick.
    """
    if joystick not in JOYSTICKS:
        raise InputError(f"{task.id}: joystick must be one of {', '.join(JOYSTICKS)}, not {joystick!r}")
    rom = roms.get_rom_path(gymnasium.registry[task.simulator_id].kwargs["game"])
    assert rom is not None
    return AtariSimulation(rom, task.action_repeat, joystick)


def _console_actions() -> dict[tuple[bool, bool, bool, bool, bool], ale_py.Action]:
    """The console's actions by (right, left, up, down, fire)."""
    vertical = {"": (False, False), "UP": (True, False), "DOWN": (False, True)}
    horizontal = {"": (False, False), "RIGHT": (True, False), "LEFT": (False, True)}
    return {
        (*across, *along, fire): ale_py.Action.__members__[(v + h + ("FIRE" if fire else "")) or "NOOP"]
        for v, along in vertical.items()
        for h, across in horizontal.items()
        for fire in (False, True)
    }


_ACTIONS = _console_actions()


class AtariSimulation:
    """Plays a game in the emulator, without sticky actions and past the end of the game.

    Actions are the push of the stick (from none at -1 to full at 1), its direction (the angle in half turns,
    anticlockwise from right), and the fire button (pressed above 0). The observation is the console's 128 bytes
    of memory, each divided by 255. Rewards are the game's own points. After the end of the game the emulator
    stands still.

    Args:
        rom: File of the game.
        frames: Emulator frames per agent step.
        joystick: Key of `JOYSTICKS`.
    """

    def __init__(self, rom: Path, frames: int, joystick: str) -> None:
        # First of all: the emulator's banner is printed when it is built, at the level that is set then.
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self._emulator = ale_py.ALEInterface()
        self._emulator.setFloat("repeat_action_probability", 0.0)
        self._emulator.loadROM(rom)
        self._emulator.reset_game()
        # Every episode starts here. The emulator's own reset would leave traces of the last episode, unless the game
        # is loaded anew, which takes hundreds of steps' time. The state does not include the screen.
        self._start = self._emulator.cloneState(include_rng=True)
        self._start_screen = self._emulator.getScreenRGB()
        self._started = False
        self._frames = range(frames)
        self._threshold = np.float32(JOYSTICKS[joystick])
        self._full_strength = joystick == "release"
        self._drawn = False
        self.step_seconds = frames / _FRAMES_PER_SECOND

    def reset(self, seed: int) -> NDArray[np.float32]:
        """See `Simulation.reset`. The seed changes nothing: nothing is random without sticky actions."""
        self._emulator.restoreState(self._start)
        self._started = False
        return self._observe()

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, float]:
        """See `Simulation.step`. The games define no success."""
        console_action, strength = self._console_action(action)
        act = self._emulator.act
        reward = 0.0
        for _ in self._frames:
            reward += act(console_action, strength)
        self._started = True
        return self._observe(), reward, math.nan

    def _console_action(self, action: NDArray[np.float32]) -> tuple[ale_py.Action, float]:
        """Console action and paddle strength. All arithmetic is float32, as in the published benchmark."""
        push, angle, fire = (action[0] + 1) / 2, _PI * action[1], (action[2] + 1) / 2
        x, y = push * np.cos(angle), push * np.sin(angle)
        right, up = bool(x > _PUSHED), bool(y > _PUSHED)
        left, down = not right and bool(x < self._threshold), not up and bool(y < self._threshold)
        strength = 1.0 if self._full_strength else float(push)
        return _ACTIONS[right, left, up, down, bool(fire > _PUSHED)], strength

    def _observe(self) -> NDArray[np.float32]:
        memory: NDArray[np.float32] = self._emulator.getRAM().astype(np.float32)
        memory /= 255
        return memory

    def render(self, size: int) -> NDArray[np.uint8]:
        """See `Simulation.render`. The screen stands unscaled in the middle of a black square of 224 pixels."""
        screen = self._emulator.getScreenRGB() if self._started else self._start_screen
        height, width, _ = screen.shape
        top, left = (_CANVAS - height) // 2, (_CANVAS - width) // 2
        canvas = np.zeros((_CANVAS, _CANVAS, 3), np.uint8)
        canvas[top : top + height, left : left + width] = screen
        self._drawn = True
        return resize(canvas, size)

    @property
    def renderer(self) -> str | None:
        """See `Simulation.renderer`. The emulator draws on the CPU."""
        return f"software: ale_py {ale_py.__version__}" if self._drawn else None

    def close(self) -> None:
        """See `Simulation.close`."""
        del self._emulator, self._start
