"""A window on the screen that shows frames as they come: what `render_mode="human"` opens."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.errors import RenderingError
from newt_bench.extras import import_optional

__all__ = ["Window", "can_open_windows", "import_pygame"]


def can_open_windows() -> bool:
    """Whether pygame is installed, which the window is made with."""
    try:
        return importlib.util.find_spec("pygame") is not None
    except ValueError:  # something was put in its place
        return False


def import_pygame() -> ModuleType:
    """Imports pygame.

    Raises:
        MissingExtraError: It is not installed; the message names the command.
    """
    return import_optional("pygame", extra="arcade", packages=["pygame"], wanted_by="render_mode='human'")


class Window:
    """Shows frames at the pace of the task, in a window of their size.

    Args:
        title: Title of the window.
        size: Height and width in pixels.
        frames_per_second: The pace: `show` waits until the next frame is due.

    Raises:
        MissingExtraError: pygame is not installed.
        RenderingError: There is no screen.
    """

    def __init__(self, title: str, size: int, frames_per_second: float) -> None:
        self._pygame: Any = import_pygame()
        self._frames_per_second = frames_per_second
        try:
            self._pygame.display.init()
            self._window: Any = self._pygame.Window(title, (size, size))
        except self._pygame.error as error:
            raise RenderingError(
                f"No window can be opened here: {error}. "
                "Use render_mode='rgb_array', or set SDL_VIDEODRIVER=dummy to go without a screen"
            ) from error
        self._surface = self._window.get_surface()
        self._clock = self._pygame.time.Clock()

    def show(self, frame: NDArray[np.uint8]) -> None:
        """Shows a frame of shape (size, size, 3) once it is due."""
        self._clock.tick(self._frames_per_second)
        self._pygame.surfarray.blit_array(self._surface, frame.transpose(1, 0, 2))
        self._window.flip()
        self._pygame.event.pump()  # or the desktop takes the window for dead

    def close(self) -> None:
        """Closes the window."""
        self._window.destroy()
