"""Downloads demonstrations from the Hugging Face Hub, checks them, and keeps them in a cache.

The cache is `NEWT_BENCH_DEMOS` if that is set, else `newt-bench/demos` in the user's cache folder. A file takes its
place there once its checksum was right and the audit passed, so that what is there needs no network and no check.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from newt_bench import downloads
from newt_bench.atomic import atomic_path
from newt_bench.catalogue import Task
from newt_bench.demos.format import SUFFIX
from newt_bench.demos.importing import import_published
from newt_bench.demos.manifest import MANIFEST_NAME, Entry, Manifest, packaged_manifest, parse_manifest
from newt_bench.demos.reading import DemoFile
from newt_bench.errors import DemosError, DownloadError, InputError
from newt_bench.extras import import_optional

__all__ = ["Hub", "Source", "cache_folder", "fetch", "find_source", "import_hub"]

_PUBLISHED_LICENCE = "as stated at https://huggingface.co/datasets/"


def cache_folder() -> Path:
    """Where downloaded demonstrations are kept."""
    if folder := os.environ.get("NEWT_BENCH_DEMOS"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "newt-bench" / "demos"


def import_hub() -> Any:
    """Imports huggingface_hub.

    Raises:
        MissingExtraError: It is not installed.
    """
    return import_optional(
        "huggingface_hub", extra="demos", packages=("huggingface_hub",), wanted_by="Downloading demonstrations"
    )


@dataclasses.dataclass(frozen=True)
class Hub:
    """A data set repository on the Hub, at a revision.

    Attributes:
        repository: Such as `owner/name`.
        revision: A commit, branch or tag.
    """

    repository: str
    revision: str = "main"

    @classmethod
    def parse(cls, text: str) -> Hub:
        """Reads `owner/name` or `owner/name@revision`.

        Raises:
            InputError: It is neither.
        """
        repository, _, revision = text.partition("@")
        owner, _, name = repository.partition("/")
        if not all(part.replace("-", "").replace("_", "").replace(".", "").isalnum() for part in (owner, name)):
            raise InputError(f"A Hub repository is named as owner/name or owner/name@revision, not {text!r}")
        return cls(repository, revision or "main")

    def __str__(self) -> str:
        return f"Hugging Face data set {self.repository} at {self.revision}"

    def download(self, path: str, *, again: bool = False, progress: bool = False) -> Path:
        """Downloads one file into the cache's own store; what broke off goes on.

        `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` work as usual. `NEWT_BENCH_DEMOS_MIRROR` names a second
        address that speaks as the Hub does, which is asked if the first cannot deliver.

        Args:
            path: The file in the repository.
            again: Fetch it even if it is there.
            progress: Whether to show a progress bar, if standard error is a terminal.

        Raises:
            DownloadError: It cannot be had.
        """
        problem: DownloadError | None = None
        for endpoint in (os.environ.get("HF_ENDPOINT") or None, os.environ.get("NEWT_BENCH_DEMOS_MIRROR") or None):
            if problem is not None and endpoint is None:
                break
            try:
                return self._ask(endpoint, path, again, progress)
            except DownloadError as error:
                problem = problem or error
        assert problem is not None
        raise problem

    def _ask(self, endpoint: str | None, path: str, again: bool, progress: bool) -> Path:
        hub = import_hub()
        try:
            with _progress_bars(hub, progress):
                found = hub.hf_hub_download(
                    self.repository,
                    path,
                    repo_type="dataset",
                    revision=self.revision,
                    cache_dir=cache_folder() / ".hub",
                    force_download=again,
                    endpoint=endpoint,
                    library_name="newt-bench",
                )
        except Exception as error:  # errors of whatever HTTP library its version uses
            raise DownloadError(f"{self}: {path} cannot be downloaded. {_reason(hub, error)}") from error
        return Path(found)


def _reason(hub: Any, error: BaseException) -> str:
    """What went wrong, and what to do."""
    errors = hub.errors
    if isinstance(error, errors.GatedRepoError):
        return "Access to it must be asked for on its page; then log in with: hf auth login"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "There is no such repository, or it is private; log in with: hf auth login"
    if isinstance(error, errors.RevisionNotFoundError):
        return "It has no such revision (any more); update newt-bench, or name another with NEWT_BENCH_DEMOS_REPO"
    if isinstance(error, errors.LocalEntryNotFoundError):
        cause = error.__cause__
        if cause is None or "offline" in str(cause).lower():
            return "It is not in the cache, and the Hub is not to be asked or not to be reached (HF_HUB_OFFLINE)"
        return f"The Hub cannot be reached, or refuses: {cause}"
    if isinstance(error, errors.EntryNotFoundError):
        return "The repository has no such file"
    return f"{type(error).__name__}: {error}"


@contextmanager
def _progress_bars(hub: Any, wanted: bool) -> Iterator[None]:
    """The Hub's own progress bars, on a terminal only."""
    utils = hub.utils
    if (wanted and sys.stderr.isatty()) or utils.are_progress_bars_disabled():
        yield
        return
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.enable_progress_bars()


@dataclasses.dataclass(frozen=True)
class Source:
    """Where demonstrations come from.

    Attributes:
        manifest: What the project's repository, or the user's, holds.
        published: Where tasks come from that it lacks; None: from nowhere.
    """

    manifest: Manifest
    published: Hub | None

    def entry(self, task: Task) -> Entry | None:
        """The manifest's record of the task's file."""
        return self.manifest.tasks.get(task.name)

    def path(self, task: Task) -> Path | None:
        """Where the task's file is kept, or will be; None if there is none to be had."""
        if task.name in self.manifest.tasks:
            hub = Hub(self.manifest.repository, self.manifest.revision)
            return _place(hub) / hub.revision.replace("/", "--") / f"{task.name}{SUFFIX}"
        return _place(self.published) / f"{task.name}{SUFFIX}" if self.published else None


def _place(hub: Hub) -> Path:
    return cache_folder() / hub.repository.replace("/", "--")


def find_source(repository: str | None = None) -> Source:
    """Where demonstrations come from now.

    Args:
        repository: `owner/name` or `owner/name@revision` of a repository that `newt-bench demos push` filled. None:
            `NEWT_BENCH_DEMOS_REPO` if that is set, else what this release's own manifest names.

    Raises:
        DownloadError: The repository's manifest cannot be had.
        DemosError: It is malformed.
    """
    named = repository or os.environ.get("NEWT_BENCH_DEMOS_REPO")
    if not named:
        manifest, published = packaged_manifest()
        return Source(manifest, Hub(published.repository, published.revision))
    hub = Hub.parse(named)
    path = hub.download(MANIFEST_NAME)
    # The store keeps a file below the commit that it is of: all files come from that one.
    manifest, _ = parse_manifest(path.read_text(encoding="utf-8"), f"{hub}, {MANIFEST_NAME}")
    return Source(dataclasses.replace(manifest, repository=hub.repository, revision=path.parent.name), None)


def fetch(task: Task, source: Source, progress: bool = False, report: Callable[[str], None] | None = None) -> Path:
    """Returns the task's file in the cache, after downloading it if it is not there.

    Args:
        task: The task.
        source: Where from.
        progress: Whether to show a progress bar, if standard error is a terminal.
        report: Told what is done.

    Raises:
        DownloadError: The file cannot be had, or is not the expected one twice.
        DemosError: The file is not safe or not valid.
    """
    path = source.path(task)
    if path is None:
        raise DownloadError(f"{source.manifest.repository} has no demonstrations of {task.name}")
    if path.is_file():
        return path
    if report:
        report(f"downloading {task.name}")
    entry = source.entry(task)
    if entry is None:
        assert source.published is not None
        _fetch_published(task, source.published, path, progress)
    else:
        _fetch_entry(entry, Hub(source.manifest.repository, source.manifest.revision), path, progress)
    return path


def _fetch_entry(entry: Entry, hub: Hub, path: Path, progress: bool) -> None:
    got = _fetch_checked(hub, entry.file, lambda _: entry.sha256, progress)
    try:
        with DemoFile(got, max_bytes=entry.bytes):
            pass
        with atomic_path(path) as temporary:
            shutil.move(got.resolve(), temporary)
    except DemosError as error:
        raise DemosError(f"{hub}, {entry.file}: {str(error).removeprefix(f'{got}: ')}. It was removed") from error
    finally:
        _remove(got)


def _fetch_published(task: Task, hub: Hub, path: Path, progress: bool) -> None:
    """Downloads and converts; the Hub's own record says what the checksum should be."""
    got = _fetch_checked(hub, f"{task.name}.pt", _recorded_sha256, progress)
    origin = {"name": f"published at {hub.repository}", "revision": got.parent.name}
    try:
        import_published(got, task, path, origin=origin, licence=f"{_PUBLISHED_LICENCE}{hub.repository}")
    except DemosError as error:
        raise DemosError(f"{hub}: {str(error).replace(str(got), got.name)}. It was removed") from error
    finally:
        _remove(got)


def _fetch_checked(hub: Hub, file: str, expected: Callable[[Path], str | None], progress: bool) -> Path:
    """Downloads a file, once more if its checksum is wrong."""
    for again in (False, True):
        got = hub.download(file, again=again, progress=progress)
        wanted, found = expected(got), downloads.sha256(got)
        if wanted in (None, found):
            return got
        _remove(got)
    raise DownloadError(
        f"{hub}: {file} is not the expected file, twice: expected sha256 {wanted}, found {found}. It was removed"
    )


def _recorded_sha256(path: Path) -> str | None:
    """The checksum that the Hub records of a large file, after which its store names it."""
    name = path.resolve().name
    return name if len(name) == 64 and set(name) <= set("0123456789abcdef") else None


def _remove(path: Path) -> None:
    """Removes a file of the Hub's store, and the link to it."""
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
