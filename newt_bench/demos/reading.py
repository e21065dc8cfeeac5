"""Reads files of demonstrations, audited before anything of them is used."""

from __future__ import annotations

import abc
import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import Task, get_task
from newt_bench.demos.audit import MAX_BYTES, Stored, audit, check_offsets, read_attributes
from newt_bench.demos.format import COLUMNS, FORMAT, FORMAT_VERSION, Column, Info
from newt_bench.errors import DemosError, NewtBenchError, UnknownTaskError
from newt_bench.extras import import_optional

__all__ = ["AuditedFile", "DemoFile", "import_h5py"]


_Opened = TypeVar("_Opened", bound="AuditedFile")


def import_h5py() -> Any:
    """Imports h5py.

    Raises:
        MissingExtraError: It is not installed.
    """
    return import_optional("h5py", extra="demos", packages=("h5py",), wanted_by="Reading and writing demonstrations")


class AuditedFile(abc.ABC):
    """A flat HDF5 file that is audited when it is first opened.

    It is opened read-only and without locks, so that a read-only folder will do, and any number of processes may read
    it at once. Every process opens its own handle at the first use: an instance may be pickled, and used on both
    sides of a fork.

    Args:
        path: The file.
        max_bytes: Refuse a file that holds more than this.

    Attributes:
        path: The file.
        known: What a file of this kind may hold.

    Raises:
        DemosError: The file is not there, damaged, unsafe, or not of this format.
        MissingExtraError: h5py is not installed.
    """

    known: ClassVar[Mapping[str, Column]]

    def __init__(self, path: str | Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = Path(path)
        self._max_bytes = max_bytes
        self._handle: Any = None
        self._process = 0
        self._stored: dict[str, Stored] = {}

    @abc.abstractmethod
    def _inspect(self, handle: Any, file_bytes: int) -> dict[str, Stored]:
        """Audits an open file and notes what it tells of itself.

        Args:
            handle: The `h5py.File`.
            file_bytes: Its size.

        Returns:
            Its datasets.

        Raises:
            DemosError: It is not safe to read, or of another kind.
        """

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the datasets that are there."""
        return tuple(self._stored)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a dataset."""
        return self._stored[name].shape

    def read(self, name: str, start: int = 0, end: int | None = None) -> NDArray[Any]:
        """Reads a dataset into memory, in one go: all of it, or some rows."""
        with self._explained():
            dataset = self._open()[name]
            rows = slice(start, len(dataset) if end is None else end)
            array: NDArray[Any] = np.empty((rows.stop - rows.start, *dataset.shape[1:]), self.known[name].dtype)
            dataset.read_direct(array, rows)
        return array

    def map(self, name: str) -> NDArray[Any]:
        """Maps a dataset into memory, read-only: only the rows that are used take memory, shared by all processes.

        A compressed dataset cannot be mapped, and is read.
        """
        with self._explained():
            self._open()  # audits it again in a process of its own
            shape, start = self._stored[name]
            if start is None:
                return self.read(name)
            rows = np.memmap(self.path, self.known[name].dtype, "r", start, shape)
            return rows.view(np.ndarray)  # whose slices are cheaper

    def close(self) -> None:
        """Closes this process's handle. Later reads open another."""
        if self._handle is not None and self._process == os.getpid():
            self._handle.close()
        self._handle = None

    def __enter__(self: _Opened) -> _Opened:
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
                self._stored = self._inspect(handle, status.st_size)
            except BaseException:
                handle.close()
                raise
            self._handle, self._process = handle, os.getpid()
        return self._handle

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


class DemoFile(AuditedFile):
    """One file of demonstrations, see `AuditedFile`.

    Args:
        path: The file.
        max_bytes: Refuse a file that holds more than this.

    Attributes:
        info: Where the demonstrations come from.
        steps: Number of steps, over all episodes.
        episodes: Number of episodes.
    """

    known = COLUMNS

    def __init__(self, path: str | Path, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(path, max_bytes)
        self.info: Info
        self.steps = self.episodes = 0
        with self._explained():
            self._open()
            self._offsets = self.read("offset")
            check_offsets(self._offsets, self.steps, "offsets", "steps")

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

    def _inspect(self, handle: Any, file_bytes: int) -> dict[str, Stored]:
        attributes, _ = read_attributes(handle, FORMAT, FORMAT_VERSION)
        stored = audit(handle, file_bytes, self._max_bytes)
        self.steps, self.episodes = stored["reward"].shape[0], stored["reset_seed"].shape[0]
        self.info = Info.from_attributes(attributes)
        return stored
