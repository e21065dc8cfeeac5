"""Gives back memory that MuJoCo holds and nothing needs: textures while nothing is drawn, and what its compiler keeps.

A model holds its textures as they are uploaded to OpenGL, though only the making of a rendering context reads them. The
sky of the DeepMind Control suite takes 11 MiB in each model, all else in it 0.1 MiB. Here a process keeps each distinct
texture once, compressed, and has the system take back the memory of the models' own copies (on Linux).
"""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import sys
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["free_compiler_leftovers", "put_textures_away", "textures_in_place"]

_SMALLEST = 2**20  # bytes of a model's textures that are worth it

#: Textures by digest.
_compressed: dict[bytes, bytes] = {}
#: Digests of the textures of each model whose own are put away.
_put_away: weakref.WeakKeyDictionary[Any, list[bytes]] = weakref.WeakKeyDictionary()


def put_textures_away(model: Any) -> None:
    """Gives back the memory of a model's textures, which read as black then. Later calls do nothing.

    Args:
        model: A `mujoco.MjModel`.
    """
    pixels = model.tex_data
    if not sys.platform.startswith("linux") or pixels.nbytes < _SMALLEST or model in _put_away:
        return
    digests = []
    for texture in _textures(model):
        digest = hashlib.blake2b(texture.data, digest_size=16).digest()
        if digest not in _compressed:
            _compressed[digest] = zlib.compress(texture.data, 1)
        digests.append(digest)
    _put_away[model] = digests
    _give_back(pixels)


@contextmanager
def textures_in_place(model: Any) -> Iterator[None]:
    """For a block that makes a rendering context: the textures are in the model there, whether or not put away.

    Args:
        model: A `mujoco.MjModel`.
    """
    digests = _put_away.get(model)
    if digests is None:
        yield
        return
    for texture, digest in zip(_textures(model), digests, strict=True):
        texture[:] = np.frombuffer(zlib.decompress(_compressed[digest]), np.uint8)
    try:
        yield
    finally:
        _give_back(model.tex_data)


def _textures(model: Any) -> list[NDArray[np.uint8]]:
    """The pixels of each, as views."""
    return np.split(model.tex_data, model.tex_adr[1:])


def _give_back(pixels: NDArray[np.uint8]) -> None:
    """Has the system take back the whole pages of an array; when touched again, they are zero."""
    start = -(-pixels.ctypes.data // mmap.PAGESIZE) * mmap.PAGESIZE
    end = (pixels.ctypes.data + pixels.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), ctypes.c_int(mmap.MADV_DONTNEED))


def free_compiler_leftovers() -> None:
    """Frees what MuJoCo keeps of the models that this process compiled; where it is not imported, does nothing.

    That is the source of the last model, textures included, and the decoded files of all in case another needs them
    (on Linux; Python has no name for the function). With Meta-World they take 80 MB.
    """
    mujoco: Any = sys.modules.get("mujoco")
    if mujoco is None:
        return
    mujoco.MjModel.from_xml_string("<mujoco/>")  # takes the place of the last one
    for path in Path(mujoco.__file__).parent.glob("libmujoco.so.*"):
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(str(path))  # which is loaded already
            library.mj_getCache.restype = ctypes.c_void_p
            library.mj_clearCache(ctypes.c_void_p(library.mj_getCache()))
