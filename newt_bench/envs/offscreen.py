"""Draws MuJoCo models off screen, in one process with whatever else draws there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.envs import opengl

opengl.import_mujoco()
from gymnasium.envs.mujoco.mujoco_rendering import OffScreenViewer  # noqa: E402

__all__ = ["OffscreenCamera"]


class _Viewer(OffScreenViewer):
    """Gymnasium's viewer, with silence from one that is deleted half built."""

    def free(self) -> None:
        if hasattr(self, "opengl_context"):
            super().free()  # type: ignore[no-untyped-call] # all of Gymnasium's module is


class OffscreenCamera:
    """A camera in a MuJoCo simulation, with an OpenGL context of its own.

    It draws with Gymnasium's viewer, and adds what that leaves to its user: the viewer draws into whatever
    context happens to be current, and ends GLFW for the whole process when closed.

    Args:
        model: A `mujoco.MjModel`. Its off-screen buffer is enlarged if need be.
        data: The simulation's `mujoco.MjData`.
        size: Height and width of frames in pixels.
        camera_id: Index of the model's camera.

    Attributes:
        renderer: What draws, such as `egl: llvmpipe (LLVM 15.0.6, 256 bits)`.

    Raises:
        RenderingError: No OpenGL back end works here, or the one that the user set does not.
    """

    def __init__(self, model: Any, data: Any, size: int, camera_id: int) -> None:
        self._viewer: Any = None
        self._camera_id = camera_id
        buffer = model.vis.global_
        buffer.offwidth, buffer.offheight = max(buffer.offwidth, size), max(buffer.offheight, size)
        with opengl.loading_backend():
            self._viewer = _Viewer(model, data, size, size)
        self.renderer = opengl.renderer_name()
        opengl.release_context()

    def draw(self) -> NDArray[np.uint8]:
        """Draws the simulation as it is now.

        Returns:
            RGB image of shape (size, size, 3).
        """
        assert self._viewer is not None, "the camera is closed"
        self._viewer.make_context_current()
        frame: NDArray[np.uint8] = self._viewer.render("rgb_array", self._camera_id)
        opengl.release_context()
        return frame

    def close(self) -> None:
        """Frees buffers and context. Later calls do nothing."""
        if self._viewer is not None:
            self._viewer.make_context_current()  # buffers are freed by number, in the current context
            self._viewer.con.free()
            self._viewer.free()
            self._viewer = None
            opengl.release_context()

    def __del__(self) -> None:
        self.close()
