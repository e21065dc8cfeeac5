"""Chooses MuJoCo's OpenGL back end, as late as possible and only if the user chose none.

The choice is MuJoCo's own environment variable `MUJOCO_GL` (`egl`, `osmesa`, `glfw`, ...). When the user
set it, or set `NEWT_BENCH_GL` for newt-bench alone, that is used as it is. Otherwise macOS, Windows and
Linux with a display get `glfw`, and Linux without a display gets `egl` if it works here, else `osmesa`.

dm_control loads its back end while it is being imported, which fails, or costs time, where only states are
wanted. `import_dm_control` defers that to the first frame.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from newt_bench.envs.environment_variables import environment_variable
from newt_bench.errors import RenderingError

__all__ = [
    "choose_backend",
    "dm_control_renderer_name",
    "foreign_contexts",
    "import_dm_control",
    "import_mujoco",
    "loading_backend",
    "renderer_name",
]

# What PyOpenGL and MuJoCo raise when a back end's library is missing or broken.
_LOADING_ERRORS = (ImportError, AttributeError, RuntimeError, OSError)
_PROBE = "import mujoco; c = mujoco.GLContext(16, 16); c.make_current(); c.free()"


@functools.cache
def choose_backend() -> str:
    """Names the OpenGL back end that rendering uses in this process, as a value for `MUJOCO_GL`.

    Raises:
        RenderingError: None is set, and neither EGL nor OSMesa works here; or one that needs a display is set,
            and there is none.
    """
    chosen = os.environ.get("NEWT_BENCH_GL") or os.environ.get("MUJOCO_GL")
    if chosen:
        if chosen.lower() in ("glfw", "glx") and sys.platform.startswith("linux") and not _has_display():
            raise RenderingError(
                f"The OpenGL back end '{chosen}' (from MUJOCO_GL or NEWT_BENCH_GL) needs a display, and this session "
                "has none. Unset the variable, or set it to egl or osmesa"
            )
        return chosen
    if not sys.platform.startswith("linux") or _has_display():
        return "glfw"
    for candidate in ("egl", "osmesa"):
        if _works(candidate):
            return candidate
    raise RenderingError(
        "No OpenGL back end works on this machine, so frames cannot be drawn (states can be had without). "
        "On Debian or Ubuntu: apt-get install libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri, "
        "or libosmesa6 for MUJOCO_GL=osmesa"
    )


def _has_display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _works(backend: str) -> bool:
    """Tries a back end in a child process: a broken driver may crash whoever loads it."""
    environment = {**os.environ, "MUJOCO_GL": backend}
    child = subprocess.run([sys.executable, "-c", _PROBE], env=environment, capture_output=True, check=False)
    return child.returncode == 0


def import_dm_control() -> None:
    """Imports dm_control without loading any graphics library, unless it is imported already.

    The first frame that any dm_control physics draws then loads the back end of `choose_backend`.
    """
    import_mujoco()
    if "dm_control._render" in sys.modules:
        return
    with environment_variable("MUJOCO_GL", "disabled"):
        render: Any = importlib.import_module("dm_control._render")
    render.Renderer = _load_renderer


def import_mujoco() -> None:
    """Imports MuJoCo, which loads the back end that the user set at once; states must not fail with it.

    Domain modules call this before anything else imports MuJoCo.
    """
    try:
        importlib.import_module("mujoco")
    except ModuleNotFoundError as error:
        if error.name == "mujoco":
            raise
        _import_mujoco_without_graphics()
    except _LOADING_ERRORS:
        _import_mujoco_without_graphics()


def _import_mujoco_without_graphics() -> None:
    with environment_variable("MUJOCO_GL", "disabled"):
        importlib.import_module("mujoco")


@contextmanager
def loading_backend() -> Iterator[str]:
    """For a block that loads graphics by what `MUJOCO_GL` says: there it says what `choose_backend` chose.

    Afterwards the variable keeps the choice, unless the user had set it: what else draws in this process
    should use the same back end.

    Yields:
        The back end.

    Raises:
        RenderingError: No back end works here, or the one that the user set does not load.
    """
    backend = choose_backend()
    try:
        with environment_variable("MUJOCO_GL", backend):
            yield backend
    except _LOADING_ERRORS as error:
        raise RenderingError(
            f"The OpenGL back end '{backend}' (from MUJOCO_GL or NEWT_BENCH_GL) does not load here: {error}. "
            "Unset the variable to let newt-bench choose, or install the back end's libraries"
        ) from error
    os.environ.setdefault("MUJOCO_GL", backend)
    egl: Any = sys.modules.get("OpenGL.EGL")
    if egl is not None:
        # MuJoCo and dm_control both end EGL at exit, the first to do so under the other's open contexts.
        atexit.unregister(egl.eglTerminate)


def _load_renderer(*args: Any, **kwargs: Any) -> Any:
    """Stands in for dm_control's renderer class until the first frame, then loads the real one."""
    render: Any = sys.modules["dm_control._render"]
    try:
        with loading_backend():
            importlib.reload(render)  # puts the chosen class in place of this function
    except RenderingError:
        render.Renderer = _load_renderer
        raise
    return render.Renderer(*args, **kwargs)


@contextmanager
def foreign_contexts() -> Iterator[None]:
    """A block in which other OpenGL contexts than dm_control's may become current in this thread.

    dm_control remembers which context it last made current, and would go on to draw into the other one.
    After the block it knows that it must make its own current again.
    """
    try:
        yield
    finally:
        base: Any = sys.modules.get("dm_control._render.base")
        if base is not None:
            forgotten = base._CURRENT_CONTEXT_FOR_THREAD.pop(threading.current_thread(), None)
            base._CURRENT_THREAD_FOR_CONTEXT.pop(forgotten, None)


def renderer_name() -> str:
    """Back end and OpenGL's own name of the renderer, such as `egl: llvmpipe (LLVM 15.0.6, 256 bits)`.

    It asks the context that is current in this thread, so a frame must have been drawn.
    """
    gl: Any = importlib.import_module("OpenGL.GL")
    name = gl.glGetString(gl.GL_RENDERER)
    return f"{choose_backend()}: {name.decode() if name else 'unknown'}"


def dm_control_renderer_name(physics: Any) -> str:
    """`renderer_name` of a dm_control physics that has drawn a frame, whatever has drawn since.

    Args:
        physics: A `dm_control.mujoco.Physics`.
    """
    with physics.contexts.gl.make_current() as context:
        name: str = context.call(renderer_name)
    return name
