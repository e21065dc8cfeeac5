"""Draws dm_control's physics, each from one camera."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.envs import mujoco_memory, opengl

opengl.import_dm_control()
from dm_control.mujoco import engine  # noqa: E402

__all__ = ["SuiteCamera"]


class SuiteCamera:
    """A view of a dm_control physics. The OpenGL context is made at the first frame, in this process.

    Args:
        physics: A `dm_control.mujoco.Physics`; it stays the caller's to free, after `close`.
        view: Index of one of the model's cameras, or the pose of another one: keyword arguments of dm_control's
            `MovableCamera.set_pose` (metres and degrees).
    """

    def __init__(self, physics: Any, view: int | Mapping[str, Any]) -> None:
        self._physics = physics
        self._view = view
        self._camera: Any = None
        mujoco_memory.put_textures_away(physics.model.ptr)

    def render(self, size: int) -> NDArray[np.uint8]:
        """Draws the current state.

        Args:
            size: Height and width of the image in pixels, the same at every call.

        Returns:
            RGB image of shape (size, size, 3).
        """
        if self._camera is None:
            with mujoco_memory.textures_in_place(self._physics.model.ptr):
                self._camera = self._make_camera(size)
        frame: NDArray[np.uint8] = self._camera.render().copy()
        return frame

    def _make_camera(self, size: int) -> Any:
        buffer = self._physics.model.vis.global_
        buffer.offwidth, buffer.offheight = max(buffer.offwidth, size), max(buffer.offheight, size)
        if isinstance(self._view, int):
            return engine.Camera(self._physics, height=size, width=size, camera_id=self._view)
        camera = engine.MovableCamera(self._physics, height=size, width=size)
        camera.set_pose(**self._view)
        return camera

    @property
    def renderer(self) -> str | None:
        """What draws the frames, such as `egl: llvmpipe (...)`; None before the first."""
        return None if self._camera is None else opengl.dm_control_renderer_name(self._physics)

    def close(self) -> None:
        """Lets go of the physics, which can then be freed."""
        self._camera = None
