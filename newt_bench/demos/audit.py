"""Looks a file over before anything of it is read.

HDF5 files can name other files of the machine (external links, external storage, virtual datasets), load code
(filters), and declare far more data than they hold. A file of demonstrations needs nothing of that, so all of it is
refused: a file is a flat list of known datasets with plain numbers, and a few text attributes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from newt_bench.demos.format import COLUMNS, Column
from newt_bench.errors import DemosError
from newt_bench.version import __version__

__all__ = ["FILTERS", "MAX_BYTES", "Stored", "audit", "audit_datasets", "check_offsets", "read_attributes"]

#: Filters by their numbers in HDF5's registry: deflate, shuffle, fletcher32, lzf. All of them come with h5py.
FILTERS = frozenset({1, 2, 3, 32000})
#: Refuse to read more than this from one file, unless told otherwise.
MAX_BYTES = 2**36

_MAX_RATIO, _FREE_BYTES = 100, 2**24  # what a file may unpack to: so many times its size, and a little
_MAX_CHUNK_BYTES = 2**26
_MAX_LINKS = 64
_MAX_TEXT = 2**20


class Stored(NamedTuple):
    """How a dataset lies in its file.

    Attributes:
        shape: Its shape.
        start: Where in the file its bytes begin, in one piece; None if they are in chunks.
    """

    shape: tuple[int, ...]
    start: int | None


def audit(handle: Any, file_bytes: int, max_bytes: int = MAX_BYTES) -> dict[str, Stored]:
    """Checks everything of an open file that can be checked without reading its datasets, but for the offsets.

    Args:
        handle: An open `h5py.File`.
        file_bytes: Size of the file.
        max_bytes: Refuse a file whose datasets hold more than this.

    Returns:
        The datasets that are there, in the order of `COLUMNS`: a row of `reward` for every step, and one of
        `reset_seed` for every episode.

    Raises:
        DemosError: The file is not safe to read, or not of this format.
    """
    found = audit_datasets(handle, COLUMNS, file_bytes, max_bytes)
    steps, episodes = found["reward"].shape[0], found["reset_seed"].shape[0]
    for name, (shape, _) in found.items():
        expected = COLUMNS[name].expected_rows(steps, episodes)
        if shape[0] != expected:
            raise DemosError(
                f"dataset '{name}' has {shape[0]} rows where {steps} steps in {episodes} episodes make {expected}"
            )
    return found


def audit_datasets(handle: Any, columns: Mapping[str, Column], file_bytes: int, max_bytes: int) -> dict[str, Stored]:
    """Checks that an open file holds some datasets, plainly stored, and nothing else.

    Args:
        handle: An open `h5py.File`.
        columns: The datasets that are known.
        file_bytes: Size of the file.
        max_bytes: Refuse a file whose datasets hold more than this.

    Returns:
        The datasets that are there, in the order of `columns`.

    Raises:
        DemosError: The file is not safe to read, or lacks a dataset.
    """
    names = _check_links(handle, columns)
    missing = sorted(name for name, column in columns.items() if column.required and name not in names)
    if missing:
        raise DemosError(f"dataset '{missing[0]}' is missing")
    found = {name: _check_dataset(handle, name, columns[name], file_bytes) for name in columns if name in names}
    total = sum(math.prod(shape) * columns[name].dtype.itemsize for name, (shape, _) in found.items())
    if total > max_bytes:
        raise DemosError(f"it holds {total} bytes, more than the {max_bytes} that are allowed")
    if total > _MAX_RATIO * file_bytes + _FREE_BYTES:
        raise DemosError(f"its {file_bytes} bytes would unpack to {total}")
    return found


def check_offsets(offsets: NDArray[np.int64], total: int, name: str, of_what: str) -> None:
    """Checks that offsets rise from 0 to the number of what they divide.

    Raises:
        DemosError: They do not.
    """
    if offsets[0] != 0 or offsets[-1] != total or not (offsets[1:] > offsets[:-1]).all():
        raise DemosError(f"its {name} do not rise from 0 to its {total} {of_what}")


def _check_links(handle: Any, columns: Mapping[str, Column]) -> list[str]:
    """Names of the datasets: all that the root links to, directly and each once."""
    import h5py

    count = handle.id.get_num_objs()
    if count > _MAX_LINKS:
        raise DemosError(f"it has {count} entries where a few are known")
    names, places = [], set()
    for raw in list(handle.id):
        name = raw.decode("utf-8", "replace")
        if handle.id.links.get_info(raw).type != h5py.h5l.TYPE_HARD:
            raise DemosError(f"entry {name!r} is a link to elsewhere")
        if name not in columns:
            raise DemosError(f"entry {name!r} is not known")
        found = h5py.h5o.get_info(handle.id, raw)
        if found.type != h5py.h5o.TYPE_DATASET:
            raise DemosError(f"entry {name!r} is not a dataset")
        if found.addr in places:
            raise DemosError(f"entry {name!r} is a second name of another")
        places.add(found.addr)
        names.append(name)
    return names


def _check_dataset(handle: Any, name: str, column: Column, file_bytes: int) -> Stored:
    """A dataset that is stored plainly. Its layout is looked at before anything follows it."""
    import h5py

    dataset = h5py.h5d.open(handle.id, name.encode())
    plan = dataset.get_create_plist()
    layout = plan.get_layout()
    if layout not in (h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED):
        raise DemosError(f"dataset '{name}' is virtual, or stored in another odd way")
    if plan.get_external_count():
        raise DemosError(f"dataset '{name}' is stored in other files")
    for index in range(plan.get_nfilters()):
        code = plan.get_filter(index)[0]
        if code not in FILTERS:
            raise DemosError(f"dataset '{name}' needs filter {code}, which is not allowed")
    kind = dataset.get_type()
    if kind.get_class() not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT) or kind.dtype != column.dtype:
        raise DemosError(f"dataset '{name}' does not hold {np.dtype(column.dtype).name} numbers")
    shape: tuple[int, ...] = dataset.shape
    if len(shape) != 1 + column.vector or 0 in shape:
        raise DemosError(f"dataset '{name}' has shape {shape}")
    if layout == h5py.h5d.CONTIGUOUS:
        return Stored(shape, _check_extent(dataset, name, column, file_bytes))
    _check_chunks(dataset, name, column, plan.get_chunk())
    return Stored(shape, None)


def _check_extent(dataset: Any, name: str, column: Column, file_bytes: int) -> int:
    start, size = dataset.get_offset(), math.prod(dataset.shape) * column.dtype.itemsize
    if start is None or start + size > file_bytes:
        raise DemosError(f"dataset '{name}' declares {size} bytes that the file does not hold")
    return int(start)


def _check_chunks(dataset: Any, name: str, column: Column, chunk: tuple[int, ...]) -> None:
    if math.prod(chunk) * column.dtype.itemsize > _MAX_CHUNK_BYTES:
        raise DemosError(f"dataset '{name}' has chunks of {chunk}, more than {_MAX_CHUNK_BYTES} bytes")
    expected = math.prod(-(-rows // part) for rows, part in zip(dataset.shape, chunk, strict=True))
    if dataset.get_num_chunks() != expected:
        raise DemosError(f"dataset '{name}' lacks {expected - dataset.get_num_chunks()} of its {expected} chunks")


def read_attributes(
    handle: Any, kind: str, newest: int, numbers: Collection[str] = ()
) -> tuple[dict[str, str], dict[str, int]]:
    """Reads the attributes of a file.

    Args:
        handle: An open `h5py.File`.
        kind: The format that it should be of.
        newest: The version of that format up to which this release reads.
        numbers: Attributes that are whole numbers; others are text.

    Returns:
        Texts and numbers by name.

    Raises:
        DemosError: It is of another format, or of a version that this release cannot read, or lacks a number.
    """
    found = _text(handle, "format") if "format" in handle.attrs else None
    if found != kind:
        raise DemosError(f"it is no file of the format {kind}: attribute 'format' is missing or another")
    for name in ("format_version", *numbers):
        if name not in handle.attrs:
            raise DemosError(f"attribute '{name}' is missing")
    version = _number(handle, "format_version")
    if version > newest:
        release = _text(handle, "readable_by")[:20] if "readable_by" in handle.attrs else "the newest release"
        raise DemosError(
            f"it is of format {version}, and newt-bench {__version__} reads formats up to {newest}. "
            f'Install a newer one with: pip install "newt-bench>={release}"'
        )
    if version < 1:
        raise DemosError(f"format {version} does not exist")
    texts = [name for name in handle.attrs if name not in ("format", "format_version", *numbers)]
    return {name: _text(handle, name) for name in texts}, {name: _number(handle, name) for name in numbers}


def _text(handle: Any, name: str) -> str:
    import h5py

    attribute = h5py.h5a.open(handle.id, name.encode())
    if attribute.shape != () or attribute.get_type().get_class() != h5py.h5t.STRING:
        raise DemosError(f"attribute '{name}' is not text")
    held = np.empty((), attribute.dtype)
    attribute.read(held)
    value: Any = held[()]
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    if len(text) > _MAX_TEXT:
        raise DemosError(f"attribute '{name}' is longer than {_MAX_TEXT} characters")
    return text


def _number(handle: Any, name: str) -> int:
    import h5py

    attribute = h5py.h5a.open(handle.id, name.encode())
    if attribute.shape != () or attribute.get_type().get_class() != h5py.h5t.INTEGER:
        raise DemosError(f"attribute '{name}' is not a whole number")
    held = np.empty((), attribute.dtype)
    attribute.read(held)
    return int(held[()])
