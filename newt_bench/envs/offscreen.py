"""Draws MuJoCo models off screen, for simulators whose own renderers make bad neighbours.

The renderers of MuJoCo and Gymnasium settle on a back end at import or from the environment alone, may draw
into whichever OpenGL context is current, and may free objects of another one. `OffscreenCamera` takes the
back end of `opengl.choose_backend` at its first frame and works in its own context only.
"""

from __future__ import annotations

import atexit
import importlib
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.envs import mujoco_memory, opengl
from newt_bench.errors import RenderingError

opengl.import_mujoco()
import mujoco  # noqa: E402

__all__ = ["FreeView", "OffscreenCamera"]

# MuJoCo's modules by the values of MUJOCO_GL that name a back end.
_CONTEXT_MODULES = {
    "cgl": "mujoco.cgl",
    "egl": "mujoco.egl",
    "osmesa": "mujoco.osmesa",
    **dict.fromkeys(("glfw", "glx", "wgl"), "mujoco.glfw"),
}
_MAX_GEOMS = 1000


@dataclass(frozen=True)
class FreeView:
    """A camera that is not part of the model.

    Attributes:
        lookat: The point in the centre of the image, in metres.
        distance: Of the camera from that point, in metres.
        azimuth: Direction of view in the horizontal plane, in degrees from the x axis.
        elevation: Direction of view above the horizontal plane, in degrees; -90 looks straight down.
    """

    lookat: tuple[float, float, float]
    distance: float
    azimuth: float
    elevation: float

    def camera(self) -> Any:
        """The view as MuJoCo has it."""
        camera = mujoco.MjvCamera()
        camera.type = mujoco.mjtCamera.mjCAMERA_FREE
        camera.lookat[:] = self.lookat
        camera.distance, camera.azimuth, camera.elevation = self.distance, self.azimuth, self.elevation
        return camera


class OffscreenCamera:
    """Draws one MuJoCo model in an OpenGL context of its own, which the first frame makes.

    Args:
        model: A `mujoco.MjModel`.
        data: Its `mujoco.MjData`; every frame shows it as it is then.
        view: Name of one of the model's cameras, or a free one.

    Attributes:
        renderer: Back end and renderer, as `opengl.renderer_name` gives them; None before the first frame.
    """

    def __init__(self, model: Any, data: Any, view: str | FreeView) -> None:
        self.renderer: str | None = None
        self._model = model
        self._data = data
        self._camera = view.camera() if isinstance(view, FreeView) else _fixed_camera(model, view)
        self._options = mujoco.MjvOption()
        self._scene: Any = None
        self._gl: Any = None
        self._context: Any = None
        self._finalizer: Any = None
        mujoco_memory.put_textures_away(model)

    def render(self, size: int) -> NDArray[np.uint8]:
        """Draws the current state.

        Args:
            size: Height and width in pixels. The first frame's is the largest of this camera.

        Returns:
            RGB image of shape (size, size, 3), in a new array.

        Raises:
            RenderingError: The back end does not load.
        """
        with opengl.foreign_contexts():
            if self._context is None:
                self._open(size)
            self._gl.make_current()
            every = mujoco.mjtCatBit.mjCAT_ALL
            mujoco.mjv_updateScene(self._model, self._data, self._options, None, self._camera, every, self._scene)
            frame = np.empty((size, size, 3), np.uint8)
            viewport = mujoco.MjrRect(0, 0, size, size)
            mujoco.mjr_render(viewport, self._scene, self._context)
            mujoco.mjr_readPixels(frame, None, viewport, self._context)
        return np.ascontiguousarray(frame[::-1])  # OpenGL's rows begin at the bottom

    def _open(self, size: int) -> None:
        """Makes the OpenGL context and uploads the model."""
        self._gl = _new_gl_context(size)
        self._gl.make_current()
        buffer = self._model.vis.global_
        buffer.offwidth, buffer.offheight = max(buffer.offwidth, size), max(buffer.offheight, size)
        self._scene = mujoco.MjvScene(self._model, _MAX_GEOMS)
        with mujoco_memory.textures_in_place(self._model):
            self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self.renderer = opengl.renderer_name()
        self._finalizer = weakref.finalize(self, _free, self._gl, self._context)
        # At exit, what is registered last runs first: this, before the back end shuts down.
        self._finalizer.atexit = False
        atexit.register(self._finalizer)

    def close(self) -> None:
        """Frees the OpenGL context, if there is one. A camera that is not closed does so when it goes, or at exit."""
        if self._finalizer is not None:
            self._finalizer()
            atexit.unregister(self._finalizer)
        self._context = self._gl = self._scene = self._finalizer = None


def _free(gl: Any, context: Any) -> None:
    with opengl.foreign_contexts():
        gl.make_current()
        context.free()  # deletes names of the current context, which must hence be its own
        gl.free()


def _fixed_camera(model: Any, name: str) -> Any:
    camera = mujoco.MjvCamera()
    camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
    camera.fixedcamid = model.camera(name).id
    return camera


def _new_gl_context(size: int) -> Any:
    backend = opengl.choose_backend()
    module = _CONTEXT_MODULES.get(backend.lower())
    if module is None:
        raise RenderingError(
            f"'{backend}' (from MUJOCO_GL or NEWT_BENCH_GL) is no OpenGL back end that can draw frames. "
            f"Unset the variable to let newt-bench choose, or set one of: {', '.join(_CONTEXT_MODULES)}"
        )
    with opengl.loading_backend():
        return importlib.import_module(module).GLContext(size, size)
