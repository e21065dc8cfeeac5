"""Reads tensors out of files that `torch.save` wrote, without torch and without running what the file asks for.

Such a file is a zip archive of raw numbers and one pickle that says how they make up tensors. A pickle may name any
function to call. Here only the names of tensor types are known, and stand for functions of this module; the classes of
TensorDict stand for a record that remembers its arguments; everything else is refused before anything is called.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from newt_bench.errors import DemosError

__all__ = ["MAX_BYTES", "read_tensors"]

MAX_BYTES = 2**36

_MAX_PICKLE_BYTES = 2**22
_MAX_DEPTH = 16
_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
#: Plain things that tensors and TensorDicts are described with.
_HARMLESS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): lambda *items: dict(*items),
    ("torch", "Size"): lambda items=(): tuple(items),
    ("torch", "device"): lambda *place: place,
}


def read_tensors(path: Path, names: Sequence[str], max_bytes: int = MAX_BYTES) -> dict[str, NDArray[Any]]:
    """Reads the mapping of tensors that a file holds, on its own or inside a TensorDict.

    Args:
        path: A `.pt` file.
        names: Tensors that the mapping must have; it may have more.
        max_bytes: Refuse a file of more than this.

    Returns:
        All tensors of that mapping by name.

    Raises:
        DemosError: The file is damaged, no such file, or asks for something that is not allowed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content = _Archive(path, archive, max_bytes).load()
        return _find(content, frozenset(names), path)
    except DemosError:
        raise
    except FileNotFoundError as error:
        raise DemosError(f"{path} does not exist") from error
    except (
        # What zipfile and pickle raise on damaged or crafted input.
        zipfile.BadZipFile, pickle.UnpicklingError, OSError, EOFError, ValueError, TypeError, KeyError, IndexError,
        AttributeError, RuntimeError, OverflowError, MemoryError, NotImplementedError,
    ) as error:  # fmt: skip
        raise DemosError(f"{path} is damaged, or not written by torch.save: {type(error).__name__}: {error}") from error


class _Archive:
    """The zip archive of one file."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, max_bytes: int) -> None:
        self._path = path
        self._archive = archive
        members = {member.filename: member for member in archive.infolist()}
        pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1 or len(members) != len(archive.infolist()):
            raise DemosError(f"{path} is not written by torch.save: it has {len(pickles)} files data.pkl")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
            raise DemosError(f"{path} is not safe to read: torch.save does not compress, and this is compressed")
        if sum(member.file_size for member in members.values()) > min(max_bytes, 2 * path.stat().st_size):
            raise DemosError(f"{path} is not safe to read: it holds more than the {max_bytes} bytes that are allowed")
        self._root = pickles[0].removesuffix("data.pkl")
        self._members = members
        self._storages: dict[str, NDArray[Any]] = {}

    def load(self) -> Any:
        order = self._archive.read(f"{self._root}byteorder") if f"{self._root}byteorder" in self._members else b"little"
        if order.strip() != b"little":
            raise DemosError(f"{self._path} was written on a big-endian machine, which is not supported")
        member = self._members[f"{self._root}data.pkl"]
        if member.file_size > _MAX_PICKLE_BYTES:
            raise DemosError(f"{self._path} is not safe to read: its description takes {member.file_size} bytes")
        return _Unpickler(self._path, self._archive.read(member), self.storage).load()

    def storage(self, kind: str, key: str, count: int) -> NDArray[Any]:
        """Raw numbers: `count` of them."""
        if key not in self._storages:
            dtype = np.dtype(_STORAGES[kind])
            member = self._members[f"{self._root}data/{key}"]
            if member.file_size != count * dtype.itemsize:
                raise DemosError(f"{self._path} is damaged: tensor storage {key} has {member.file_size} bytes")
            self._storages[key] = np.frombuffer(self._archive.read(member), dtype)
        return self._storages[key]


class _Storage(str):
    """Name of a storage type."""

    __slots__ = ()


class _Record:
    """Stands for an object of a class of TensorDict: remembers what it would have been made of."""

    def __init__(self, *arguments: Any) -> None:
        self.parts: list[Any] = list(arguments)


#: Instructions that descriptions of tensors need. Others are refused, such as the one that reserves memory.
_INSTRUCTIONS = (
    *(
        "PROTO",
        "FRAME",
        "STOP",
        "MARK",
        "POP",
        "POP_MARK",
        "DUP",
        "GLOBAL",
        "STACK_GLOBAL",
        "REDUCE",
        "NEWOBJ",
        "BUILD",
    ),
    *("BINPERSID", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "TUPLE", "EMPTY_LIST", "APPEND"),
    *("APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "MEMOIZE"),
)


class _Unpickler(pickle._Unpickler):
    """Knows a few names and instructions, and calls nothing that is not of this module.

    The implementation in Python, not the one in C: it reserves no memory because a number in the file says so.
    """

    stack: list[Any]  # of the base class
    dispatch: ClassVar[dict[int, Any]] = {
        getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]] for name in _INSTRUCTIONS
    }

    def __init__(self, path: Path, data: bytes, storage: Callable[[str, str, int], NDArray[Any]]) -> None:
        super().__init__(io.BytesIO(data))
        self._path = path
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        """Only looks names up here; nothing is imported."""
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _STORAGES:
            return _Storage(name)
        if (module, name) in _HARMLESS:
            return _HARMLESS[module, name]
        if module.partition(".")[0] == "tensordict":
            return _Record
        raise DemosError(f"{self._path} is not safe to read: it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        """Raw numbers of a tensor."""
        tag, kind, key, _, count = pid
        if tag != "storage" or not isinstance(kind, _Storage) or not isinstance(key, str):
            raise DemosError(f"{self._path} is not safe to read: it asks for {tag!r}")
        return self._storage(kind, key, int(count))

    def _remember_state(self) -> None:
        """Stands in for setting an object's attributes."""
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Record):
            raise DemosError(f"{self._path} is not safe to read: it changes a {type(self.stack[-1]).__name__}")
        self.stack[-1].parts.append(state)

    dispatch[pickle.BUILD[0]] = _remember_state


def _tensor(storage: NDArray[Any], offset: int, shape: Sequence[int], strides: Sequence[int], *_: Any) -> NDArray[Any]:
    """A tensor within its storage."""
    if min((offset, *shape, *strides)) < 0 or len(shape) != len(strides):
        raise ValueError("tensor of negative size")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= len(storage):
        raise ValueError("tensor beyond its storage")
    if math.prod(shape) > len(storage):
        raise ValueError("tensor larger than its storage")
    steps = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], tuple(shape), steps, writeable=False)


def _find(content: Any, names: frozenset[str], path: Path) -> dict[str, NDArray[Any]]:
    """The outermost mapping that has all names."""
    seen: set[str] = set()
    for mapping in _mappings(content, 0):
        tensors = {key: value for key, value in mapping.items() if isinstance(value, np.ndarray)}
        if names <= tensors.keys():
            return tensors
        seen.update(map(str, tensors))
    raise DemosError(
        f"{path} lacks {', '.join(sorted(names - seen)) or 'one mapping of tensors'}; it has {sorted(seen)}"
    )


def _mappings(content: Any, depth: int) -> Iterator[dict[Any, Any]]:
    if depth > _MAX_DEPTH:
        return
    inner: Sequence[Any] = ()
    if isinstance(content, dict):
        yield content
        inner = list(content.values())
    elif isinstance(content, _Record):
        inner = content.parts
    elif isinstance(content, list | tuple):
        inner = content
    for item in inner:
        yield from _mappings(item, depth + 1)
