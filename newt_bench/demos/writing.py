"""Writes files of demonstrations."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from newt_bench.atomic import atomic_path
from newt_bench.demos.format import COLUMNS, FORMAT, FORMAT_VERSION, READABLE_BY, UNKNOWN, Episode, Info
from newt_bench.demos.reading import DemoFile, import_h5py
from newt_bench.errors import DemosError

__all__ = ["Compression", "explained", "write_columns", "write_demos"]

#: How datasets are stored. Plain ones can be mapped into memory, and load fastest; see benchmarks/demos.py.
Compression = Literal["none", "lzf", "gzip"]

_CHUNK_BYTES = 2**20
_ALIGNMENT = 64  # bytes; datasets begin at multiples of it, for mapped arrays


def write_demos(path: Path, info: Info, episodes: Sequence[Episode], compression: Compression = "none") -> None:
    """Writes episodes of one task. The file appears whole or not at all; its bytes are a function of the arguments.

    Args:
        path: The file; one that exists is replaced.
        info: Where the episodes come from.
        episodes: At least one.
        compression: How to store the datasets.

    Raises:
        DemosError: The episodes do not fit together.
        MissingExtraError: h5py is not installed.
    """
    if not episodes:
        raise DemosError(f"{path}: there is no episode to write")
    for number, episode in enumerate(episodes):
        _check_lengths(path, number, episode)
    with_features = [episode.feature is not None for episode in episodes]
    if any(with_features) and not all(with_features):
        raise DemosError(f"{path}: some episodes have features, and some have not")
    columns = {
        name: np.concatenate([getattr(episode, name) for episode in episodes])
        for name in ("observation", "action", "reward", "success", "score", *["feature"] * all(with_features))
    }
    columns["offset"] = np.cumsum([0, *(len(episode) for episode in episodes)])
    columns["reset_seed"] = np.array([episode.reset_seed for episode in episodes])
    write_columns(path, info, columns, compression)


def _check_lengths(path: Path, number: int, episode: Episode) -> None:
    for name in ("observation", "action", "reward", "success", "score"):
        expected = len(episode) + (name == "observation")
        if len(getattr(episode, name)) != expected or not expected:
            raise DemosError(f"{path}: episode {number} has {len(getattr(episode, name))} rows of {name}")


def write_columns(
    path: Path, info: Info, columns: Mapping[str, NDArray[Any]], compression: Compression = "none"
) -> None:
    """Writes the datasets of a file as they are, and audits the file before it takes its place.

    Args:
        path: The file; one that exists is replaced.
        info: Where the demonstrations come from.
        columns: The datasets. `success`, `score` and `reset_seed` may be left out where they are not known.
        compression: How to store them.

    Raises:
        DemosError: The datasets do not fit together.
    """
    if compression not in get_args(Compression):
        raise DemosError(f"compression must be one of {', '.join(get_args(Compression))}, not {compression!r}")
    steps, episodes = len(columns["reward"]), len(columns["offset"]) - 1
    whole = {
        "success": np.full(steps, UNKNOWN),
        "score": np.full(steps, np.nan),
        "reset_seed": np.full(episodes, UNKNOWN),
        **columns,
    }
    with atomic_path(path) as temporary:
        h5py = import_h5py()
        with explained(path), h5py.File(temporary, "w", alignment_threshold=1, alignment_interval=_ALIGNMENT) as file:
            file.attrs["format"] = FORMAT
            file.attrs["format_version"] = FORMAT_VERSION
            file.attrs["readable_by"] = READABLE_BY
            for name, text in info.attributes().items():
                file.attrs[name] = text
            for name, array in whole.items():
                data = np.ascontiguousarray(array, COLUMNS[name].dtype)
                file.create_dataset(name, data=data, track_times=False, **_storage(data, compression))
        with explained(path, temporary), DemoFile(temporary):
            pass


def _storage(data: NDArray[Any], compression: Compression) -> dict[str, Any]:
    if compression == "none":
        return {}
    row_bytes = data.nbytes // len(data)
    rows = min(len(data), max(1, _CHUNK_BYTES // row_bytes))
    level = {"compression_opts": 4} if compression == "gzip" else {}
    return {"chunks": (rows, *data.shape[1:]), "compression": compression, "shuffle": True, **level}


@contextlib.contextmanager
def explained(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Names the file in errors, and not the temporary one that is to take its place."""
    try:
        yield
    except DemosError as error:
        raise DemosError(f"{path}: {str(error).removeprefix(f'{temporary}: ')}") from error
    except OSError as error:
        raise DemosError(f"{path} cannot be written: {error}") from error
