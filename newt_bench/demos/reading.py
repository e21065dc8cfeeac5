"""Reads files of demonstrations."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import Task, get_task
from newt_bench.demos.audit import MAX_BYTES, audit, read_attributes
from newt_bench.demos.format import COLUMNS, Info
from newt_bench.errors import DemosError, NewtBenchError, UnknownTaskError
from newt_bench.extras import import_optional

__all__ = ["DemoFile", "import_h5py"]


def import_h5py() -> Any:
    """Imports h5py.

    Raises:
        MissingExtraError: It is not installed.
    """
    return import_optional("h5py", extra="demos", packages=("h5py",), wanted_by="Reading and writing demonstrations")


class DemoFile:
    """One file of demonstrations, audited when it is first opened.

    It is opened read-only and without locks, so that a read-only folder will do, and any number of processes may read
    it at once. Every process opens its own handle at the first use: an instance may be pickled, and used on both
    sides of a fork.

    Args:
        path: The file.
        max_bytes: Refuse a file that holds more than this.

    Attributes:
        path: The file.
        info: Where the demonstrations come from.
        steps: Number of steps, over all episodes.
        episodes: Number of episodes.

    Raises:
        DemosError: The file is not there, damaged, unsafe, or not of this format.
        MissingExtraError: h5py is not installed.
    """

    def __init__(self, path: str | Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = Path(path)
        self._max_bytes = max_bytes
        self._handle: Any = None
        self._process = 0
        self._names: tuple[str, ...] = ()
        self.info: Info
        self.steps = self.episodes = 0
        with self._explained():
            self._open()
            self._offsets = self.read("offset")
            self._check_offsets()

    @property
    def task(self) -> Task:
        """The catalogue's record of the task.

        Raises:
            DemosError: The catalogue has no such task.
        """
        try:
            return get_task(self.info.task)
        except UnknownTaskError as error:
            raise DemosError(f"{self.path}: {error}") from error

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Boundaries of the episodes in steps: episode k has the steps from offsets[k] up to offsets[k + 1]."""
        return self._offsets

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the datasets that are there."""
        return self._names

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a dataset."""
        with self._explained():
            shape: tuple[int, ...] = self._open()[name].shape
        return shape

    def read(self, name: str) -> NDArray[Any]:
        """Reads a whole dataset into memory, in one go."""
        with self._explained():
            dataset = self._open()[name]
            array: NDArray[Any] = np.empty(dataset.shape, COLUMNS[name].dtype)
            dataset.read_direct(array)
        return array

    def map(self, name: str) -> NDArray[Any]:
        """Maps a dataset into memory, read-only: only the rows that are used take memory, shared by all processes.

        A compressed dataset cannot be mapped, and is read.
        """
        with self._explained():
            dataset = self._open()[name]
            start = dataset.id.get_offset()
            if start is None:
                return self.read(name)
            return np.memmap(self.path, COLUMNS[name].dtype, "r", start, dataset.shape)

    def close(self) -> None:
        """Closes this process's handle. Later reads open another."""
        if self._handle is not None and self._process == os.getpid():
            self._handle.close()
        self._handle = None

    def __enter__(self) -> DemoFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None}

    def _open(self) -> Any:
        if self._handle is None or self._process != os.getpid():
            status = self.path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise DemosError(f"{self.path}: it is not a file")
            handle = import_h5py().File(self.path, "r", locking=False)
            try:
                attributes = read_attributes(handle)
                self.steps, self.episodes = audit(handle, status.st_size, self._max_bytes)
                self.info = Info.from_attributes(attributes)
            except BaseException:
                handle.close()
                raise
            self._names = tuple(name for name in COLUMNS if name in handle)
            self._handle, self._process = handle, os.getpid()
        return self._handle

    def _check_offsets(self) -> None:
        offsets = self._offsets
        if offsets[0] != 0 or offsets[-1] != self.steps or not (np.diff(offsets) > 0).all():
            raise DemosError(f"its offsets do not rise from 0 to its {self.steps} steps")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Names the file in errors, and closes it."""
        try:
            yield
        except DemosError as error:
            self.close()
            raise DemosError(f"{self.path}: {str(error).removeprefix(f'{self.path}: ')}") from error
        except NewtBenchError:
            raise
        except (FileNotFoundError, PermissionError) as error:
            raise DemosError(
                f"{self.path} {'does not exist' if not self.path.exists() else 'may not be read'}"
            ) from error
        except Exception as error:  # h5py meets damage with errors of many kinds
            self.close()
            raise DemosError(f"{self.path}: it is damaged, or no HDF5 file: {error}") from error
