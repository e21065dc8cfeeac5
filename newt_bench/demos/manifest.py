"""The manifest: which repository holds the demonstrations, and what its files must be."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from newt_bench.catalogue import task_index
from newt_bench.content import content_folder
from newt_bench.demos.audit import MAX_BYTES
from newt_bench.demos.format import SUFFIX
from newt_bench.demos.frames import FRAMES_SUFFIX
from newt_bench.errors import DemosError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["MANIFEST_NAME", "Entry", "Manifest", "Published", "packaged_manifest", "parse_manifest", "pin_published"]

MANIFEST_NAME = "manifest.toml"

_FILE = re.compile(r"[a-z0-9][a-z0-9-]*\.h5")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_REVISION = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One task's file.

    Attributes:
        file: Its name in the repository.
        sha256: Its checksum, in hexadecimal.
        size: Its size in bytes.
        bytes: How much its datasets hold.
        episodes: Number of episodes.
        steps: Number of steps.
        mean_return: Mean return of the episodes.
        mean_score: Mean score of the episodes, or None where it is not known.
        frames_sha256: Checksum of the file of frames beside it, or None where there is none.
        frames_size: Its size in bytes.
    """

    file: str
    sha256: str
    size: int
    bytes: int
    episodes: int
    steps: int
    mean_return: float
    mean_score: float | None = None
    frames_sha256: str | None = None
    frames_size: int | None = None

    @property
    def frames_file(self) -> str:
        """Name of the file of frames in the repository."""
        return f"{self.file.removesuffix(SUFFIX)}{FRAMES_SUFFIX}"


class Published(NamedTuple):
    """The repository of the published benchmark's own files."""

    repository: str
    revision: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a repository holds.

    Attributes:
        repository: `owner/name` on the Hub.
        revision: The commit that the files are of.
        tasks: Files by task name.
    """

    repository: str
    revision: str
    tasks: Mapping[str, Entry]

    def to_toml(self) -> str:
        """The text of `manifest.toml`."""
        lines = [
            "# Demonstrations by task. Written by `newt-bench demos push`.",
            "format = 1",
            f"repository = {json.dumps(self.repository)}",
            f"revision = {json.dumps(self.revision)}",
        ]
        for name, entry in sorted(self.tasks.items()):
            values = {key: value for key, value in dataclasses.asdict(entry).items() if value is not None}
            lines += ["", f"[tasks.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        return "\n".join(lines) + "\n"


@functools.cache
def packaged_manifest() -> tuple[Manifest, Published | None]:
    """The manifest of this release."""
    path = content_folder("demos") / MANIFEST_NAME
    return parse_manifest(path.read_text(encoding="utf-8"), str(path))


def parse_manifest(text: str, where: str) -> tuple[Manifest, Published | None]:
    """Reads a manifest.

    Args:
        text: Its text.
        where: What it is, for messages.

    Raises:
        DemosError: It is malformed, or names a file in another place.
    """
    try:
        document = tomllib.loads(text)
    except ValueError as error:
        raise DemosError(f"{where} is not TOML: {error}") from error
    try:
        _require(document.get("format") == 1, "it is of a format that this release does not know; update newt-bench")
        repository, revision = document.get("repository"), document.get("revision")
        published = document.get("published")
        tasks = document.get("tasks", {})
        _require(_matches(_REPOSITORY, repository), f"'{repository}' is not a repository")
        _require(_matches(_REVISION, revision), f"'{revision}' is not a revision")
        _require(isinstance(tasks, dict), "'tasks' is not a table")
        entries = {name: _entry(name, fields) for name, fields in tasks.items()}
        manifest = Manifest(str(repository), str(revision), entries)
        return manifest, _published(published) if published else None
    except (DemosError, TypeError) as error:
        raise DemosError(f"{where}: {error}") from error


def pin_published(text: str, commit: str) -> str:
    """The text of a manifest with another revision of the published files; nothing else changes, comments included.

    Raises:
        DemosError: It does not name published files.
    """
    pinned, found = re.subn(
        r'(^\[published\]\n(?:(?!\[).*\n)*?revision = )"[^"\n]*"', rf'\g<1>"{commit}"', text, flags=re.MULTILINE
    )
    if found != 1:
        raise DemosError("the manifest has no table [published] with a revision")
    return pinned


def _published(fields: Any) -> Published:
    published = Published(**fields)
    _require(_matches(_REPOSITORY, published.repository), f"published: '{published.repository}' is not a repository")
    _require(_matches(_REVISION, published.revision), f"published: '{published.revision}' is not a revision")
    return published


def _entry(name: str, fields: Any) -> Entry:
    _require(name in task_index(), f"there is no task '{name}'")
    _require(isinstance(fields, dict), f"'tasks.{name}' is not a table")
    entry = Entry(**fields)
    _require(_matches(_FILE, entry.file), f"tasks.{name}: '{entry.file}' is not the name of a file of this repository")
    _require(_matches(_SHA256, entry.sha256), f"tasks.{name}: '{entry.sha256}' is not a SHA-256")
    numbers = ["size", "bytes", "episodes", "steps"]
    if entry.frames_sha256 is not None or entry.frames_size is not None:
        _require(_matches(_SHA256, entry.frames_sha256), f"tasks.{name}: '{entry.frames_sha256}' is not a SHA-256")
        numbers.append("frames_size")
    for field in numbers:
        value = getattr(entry, field)
        _require(type(value) is int and 0 < value <= MAX_BYTES, f"tasks.{name}: {field} = {value}")
    return entry


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise DemosError(message)
