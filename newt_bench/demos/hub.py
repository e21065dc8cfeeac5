"""Downloads demonstrations from the Hugging Face Hub, checks them, and keeps them in a cache.

The cache is `NEWT_BENCH_DEMOS` if that is set, else `newt-bench/demos` in the user's cache folder. A file takes its
place there once its checksum was right and the audit passed, so that what is there needs no network and no check.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import os
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from newt_bench import downloads
from newt_bench.catalogue import Task
from newt_bench.demos.format import SUFFIX
from newt_bench.demos.frames import FrameFile, frames_path
from newt_bench.demos.importing import import_published, import_strips, strip_name
from newt_bench.demos.manifest import MANIFEST_NAME, Entry, Manifest, packaged_manifest, parse_manifest
from newt_bench.demos.reading import DemoFile
from newt_bench.errors import DemosError, DownloadError, InputError, MissingExtraError
from newt_bench.extras import import_optional

__all__ = ["Hub", "Source", "cache_folder", "fetch", "find_source", "import_hub"]

_T = TypeVar("_T")

_COMMIT = re.compile(r"[0-9a-f]{40}")
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


class Download(NamedTuple):
    """A file that was downloaded.

    Attributes:
        path: Where it is.
        commit: The commit that it is of.
        sha256: What its checksum should be, as the Hub records it; None where it does not.
    """

    path: Path
    commit: str
    sha256: str | None


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

    def download(self, path: str, report: downloads.Report | None = None) -> Download:
        """Downloads one file into the cache's anteroom, from where the caller takes it. What broke off goes on.

        The Hub's client asks where the file is and what it should be, one request; another one fetches it.
        `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` work as usual. `NEWT_BENCH_DEMOS_MIRROR` names a second address
        that speaks as the Hub does, which is asked if the first cannot deliver.

        Args:
            path: The file in the repository.
            report: Told of progress.

        Raises:
            DownloadError: It cannot be had.
        """
        return self._ask(f"{path} cannot be downloaded", lambda endpoint: self._transfer(path, endpoint, report))

    def read(self, path: str) -> tuple[str, str]:
        """Reads a small text file, through the cache: its last known content if the Hub is not to be asked.

        Returns:
            The text, and the commit that it is of.

        Raises:
            DownloadError: It cannot be had.
        """
        return self._ask(f"{path} cannot be downloaded", lambda endpoint: self._read(path, endpoint))

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit, so that it always stands for the same files."""
        return _COMMIT.fullmatch(self.revision) is not None

    def commit(self) -> str:
        """The commit that the revision stands for now.

        Raises:
            DownloadError: It cannot be found out.
        """

        def ask(endpoint: str | None) -> str:
            found = (
                import_hub()
                .HfApi(endpoint=endpoint, library_name="newt-bench")
                .dataset_info(self.repository, revision=self.revision)
            )
            return str(found.sha)

        return self._ask("its commit cannot be found out", ask)

    def _ask(self, failure: str, attempt: Callable[[str | None], _T]) -> _T:
        """Tries the Hub, and then the mirror if there is one."""
        mirror = os.environ.get("NEWT_BENCH_DEMOS_MIRROR")
        endpoints = (os.environ.get("HF_ENDPOINT") or None, *([mirror] if mirror else []))
        problems: list[Exception] = []
        for endpoint in endpoints:
            try:
                return attempt(endpoint)
            except Exception as error:  # noqa: PERF203 (errors of whatever HTTP library the client's version uses)
                problems.append(error)
        if isinstance(problems[0], MissingExtraError):
            raise problems[0]
        reason = _reason(import_hub().errors, problems[0])
        raise DownloadError(f"{self}: {failure}. {reason}") from problems[0]

    def _transfer(self, path: str, endpoint: str | None, report: downloads.Report | None) -> Download:
        hub = import_hub()
        url = hub.hf_hub_url(self.repository, path, repo_type="dataset", revision=self.revision, endpoint=endpoint)
        found = hub.get_hf_file_metadata(url, library_name="newt-bench")
        # Another host, such as the one that large files are kept at, must not see the user's token.
        same_host = urlsplit(url).netloc == urlsplit(found.location).netloc
        headers = hub.utils.build_hf_headers(library_name="newt-bench") if same_host else {}
        name = f"{found.etag or hashlib.sha256(url.encode()).hexdigest()}{Path(path).suffix}"
        target = cache_folder() / ".downloads" / name
        try:
            downloads.fetch(found.location, target, report, headers)
        except DownloadError as error:
            raise DownloadError(str(error).replace(found.location, "the Hub's store")) from error
        return Download(target, found.commit_hash or self.revision, found.etag if _is_sha256(found.etag) else None)

    def _read(self, path: str, endpoint: str | None) -> tuple[str, str]:
        hub = import_hub()
        shown = not hub.utils.are_progress_bars_disabled()
        hub.utils.disable_progress_bars()  # for a few kilobytes
        try:
            found = hub.hf_hub_download(
                self.repository,
                path,
                repo_type="dataset",
                revision=self.revision,
                cache_dir=cache_folder() / ".hub",
                endpoint=endpoint,
                library_name="newt-bench",
            )
        finally:
            if shown:
                hub.utils.enable_progress_bars()
        # The client keeps a file below the commit that it is of.
        return Path(found).read_text(encoding="utf-8"), Path(found).parent.name


def _is_sha256(etag: str | None) -> bool:
    """Whether the Hub's name of a content is its checksum: it is for large files."""
    return etag is not None and len(etag) == 64 and set(etag) <= set("0123456789abcdef")


def _reason(errors: Any, error: BaseException) -> str:
    """What went wrong, and what to do."""
    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, errors.OfflineModeIsEnabled | errors.LocalEntryNotFoundError):
        return "It is not in the cache, and the Hub is not to be asked (HF_HUB_OFFLINE)"
    if isinstance(error, errors.GatedRepoError):
        return "Access to it must be asked for on its page; then log in with: hf auth login"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "There is no such repository, or it is private; log in with: hf auth login"
    if isinstance(error, errors.RevisionNotFoundError):
        return "It has no such revision (any more); update newt-bench, or name another with NEWT_BENCH_DEMOS_REPO"
    if isinstance(error, errors.EntryNotFoundError):
        return "The repository has no such file"
    return str(error) if isinstance(error, DownloadError) else f"{type(error).__name__}: {error}"


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
        hub = self.hub(task)
        return _place(hub) / f"{task.name}{SUFFIX}" if hub else None

    def hub(self, task: Task) -> Hub | None:
        """The repository that the task's file comes from; None if there is none to be had."""
        listed = task.name in self.manifest.tasks
        return Hub(self.manifest.repository, self.manifest.revision) if listed else self.published


def _place(hub: Hub) -> Path:
    return cache_folder() / hub.repository.replace("/", "--") / hub.revision.replace("/", "--")


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
        return Source(manifest, Hub(published.repository, published.revision) if published else None)
    hub = Hub.parse(named)
    text, commit = hub.read(MANIFEST_NAME)
    manifest, _ = parse_manifest(text, f"{hub}, {MANIFEST_NAME}")
    return Source(dataclasses.replace(manifest, repository=hub.repository, revision=commit), None)


def fetch(task: Task, source: Source, report: downloads.Report | None = None, *, frames: bool = False) -> Path:
    """Returns the task's file in the cache, after downloading it if it is not there.

    Args:
        task: The task.
        source: Where from.
        report: Told of the progress of a download.
        frames: Also download the frames, if they are not there, to their place beside it.

    Raises:
        DownloadError: A file cannot be had, or is not the expected one twice.
        DemosError: A file is not safe or not valid.
    """
    path, hub, entry = source.path(task), source.hub(task), source.entry(task)
    if path is None or hub is None:
        raise DownloadError(f"{source.manifest.repository} has no demonstrations of {task.name}")
    if not path.is_file():
        if entry:
            _fetch_entry(entry, hub, path, report)
        else:
            _fetch_published(task, hub, path, report)
    if frames and not frames_path(path).is_file():
        if entry:
            _fetch_frames(entry, hub, path, report)
        else:
            _fetch_strips(task, hub, path, report)
    return path


def _fetch_entry(entry: Entry, hub: Hub, path: Path, report: downloads.Report | None) -> None:
    got = _fetch_checked(hub, entry.file, entry.sha256, report)
    with _taking(got.path, f"{hub}, {entry.file}"):
        with DemoFile(got.path, max_bytes=entry.bytes):
            pass
        path.parent.mkdir(parents=True, exist_ok=True)
        got.path.replace(path)


def _fetch_frames(entry: Entry, hub: Hub, path: Path, report: downloads.Report | None) -> None:
    if entry.frames_sha256 is None:
        raise DownloadError(f"{hub} has no frames beside {entry.file}")
    got = _fetch_checked(hub, entry.frames_file, entry.frames_sha256, report)
    with _taking(got.path, f"{hub}, {entry.frames_file}"):
        with FrameFile(got.path) as frames, DemoFile(path) as demos:
            frames.check_match(demos)
        got.path.replace(frames_path(path))


def _fetch_published(task: Task, hub: Hub, path: Path, report: downloads.Report | None) -> None:
    """Downloads and converts; the Hub's own record says what the checksum should be."""
    got = _fetch_checked(hub, f"{task.name}.pt", None, report)
    origin = {"name": f"published at {hub.repository}", "revision": got.commit, "file": f"{task.name}.pt"}
    with _taking(got.path, f"{hub}, {task.name}.pt"):
        import_published(got.path, task, path, origin=origin, licence=f"{_PUBLISHED_LICENCE}{hub.repository}")


def _fetch_strips(task: Task, hub: Hub, path: Path, report: downloads.Report | None) -> None:
    """Downloads images of frames until there is one for every observation, and converts them."""
    with DemoFile(path) as demos:
        commit = Hub(hub.repository, str(demos.info.policy.get("revision") or hub.revision))

        def strips() -> Generator[Path, None, None]:
            for number in itertools.count():
                got = _fetch_checked(commit, strip_name(task.name, number), None, report)
                with _taking(got.path, f"{commit}, {strip_name(task.name, number)}"):
                    yield got.path

        with contextlib.closing(strips()) as images:
            import_strips(images, demos)


@contextlib.contextmanager
def _taking(download: Path, name: str) -> Iterator[None]:
    """Removes a download at the end, unless it was taken; names it in errors as the user knows it."""
    try:
        yield
    except DemosError as error:
        raise DemosError(f"{name}: {str(error).removeprefix(f'{download}: ')}. It was removed") from error
    finally:
        download.unlink(missing_ok=True)


def _fetch_checked(hub: Hub, file: str, sha256: str | None, report: downloads.Report | None) -> Download:
    """Downloads a file, once more if its checksum is wrong."""
    for _ in range(2):
        got = hub.download(file, report)
        expected, found = sha256 or got.sha256, downloads.sha256(got.path)
        if expected in (None, found):
            return got
        got.path.unlink()
    raise DownloadError(
        f"{hub}: {file} is not the expected file, twice: expected sha256 {expected}, found {found}. It was removed"
    )
