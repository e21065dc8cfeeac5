"""Fetches files over HTTP, resuming what broke off, and unpacks zip archives without trusting them."""

from __future__ import annotations

import hashlib
import http.client
import stat
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from newt_bench.errors import DownloadError

__all__ = ["Report", "fetch", "sha256", "unpack"]

#: Called with the bytes that are there and the bytes expected, or None if the server does not say.
Report = Callable[[int, "int | None"], None]

_CHUNK = 1 << 16
_TIMEOUT_SECONDS = 60
_TRIES_WITHOUT_PROGRESS = 3
_PAUSE_SECONDS = 1.0
_MAX_MEMBERS = 100_000


def fetch(url: str, path: Path, report: Report | None = None, headers: Mapping[str, str] | None = None) -> None:
    """Downloads a file. What arrives is kept in `<path>.part`, so that a later call goes on from there.

    Args:
        url: An http or https address.
        path: Where the whole file goes; its folder is made.
        report: Told of progress.
        headers: Sent to the server of this address, and to no other that it redirects to.

    Raises:
        DownloadError: The server refuses, or the connection keeps breaking without progress.
    """
    if not url.startswith(("http://", "https://")):
        raise DownloadError(f"{url} is not an address of the web")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    failures = 0
    while failures < _TRIES_WITHOUT_PROGRESS:
        before, problem = _size(part), "the connection broke off"
        try:
            if _go_on(url, part, report or _silent, headers or {}):
                part.replace(path)
                return
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != http.HTTPStatus.TOO_MANY_REQUESTS:
                raise DownloadError(f"{url}: the server answers {error.code} {error.reason}") from error
            problem = str(error)
        except (OSError, http.client.HTTPException) as error:
            problem = str(error) or type(error).__name__
        if _size(part) <= before:
            failures += 1
            time.sleep(_PAUSE_SECONDS * failures)
        else:
            failures = 0
    raise DownloadError(f"{url}: {problem}. Run the same command again to go on from where it stopped")


def _silent(done: int, total: int | None) -> None:
    """Reports nothing."""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _go_on(url: str, part: Path, report: Report, headers: Mapping[str, str]) -> bool:
    """Appends what is missing to `part`; returns whether it is whole now."""
    start = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})  # noqa: S310
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)  # noqa: S310 (checked by the caller)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        error.close()
        if error.headers.get("Content-Range") == f"bytes */{start}":
            return True
        part.unlink()  # longer than the server's file: of something else
        return False
    with response:
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            part.unlink()
            return False
        done = start if resumed else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        with part.open("ab" if resumed else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                report(done, total)
    return total is None or done == total


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def unpack(archive: Path, folder: Path, max_bytes: int) -> None:
    """Unpacks a zip file as `folder`; if all its members lie in one folder, that one's content.

    A folder that is new appears whole or not at all. In one that exists, files of the same names are
    replaced, and others stay.

    Args:
        archive: The zip file.
        folder: Where its content goes.
        max_bytes: Refuse to unpack to more than this.

    Raises:
        DownloadError: A member is no plain file inside the archive, or there is too much. Nothing was written.
        zipfile.BadZipFile: The file is damaged, or no zip file. Nothing was written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        zipfile.ZipFile(archive) as opened,
        tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as name,
    ):
        members = [member for member in opened.infolist() if not member.is_dir()]
        paths = _checked_paths(archive, members, max_bytes)
        temporary = Path(name) / "content"
        temporary.mkdir()
        for member, path in zip(members, paths, strict=True):
            target = temporary / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(member) as source, target.open("xb") as file:
                _copy(source, file)
        _move_into(temporary, folder)


def _copy(source: IO[bytes], file: IO[bytes]) -> None:
    try:
        while chunk := source.read(_CHUNK):
            file.write(chunk)
    except (zlib.error, EOFError) as error:
        raise zipfile.BadZipFile(str(error)) from error


def _checked_paths(archive: Path, members: Collection[zipfile.ZipInfo], max_bytes: int) -> list[PurePosixPath]:
    """Paths of the members below the folder that the archive becomes."""
    for member in members:
        if problem := _problem(member):
            raise DownloadError(f"{archive.name} is not safe to unpack: {member.filename!r} {problem}")
    # The library reads no more of a member than it declares, so what is declared is what would be written.
    total = sum(member.file_size for member in members)
    if total > max_bytes or len(members) > _MAX_MEMBERS:
        raise DownloadError(
            f"{archive.name} is not safe to unpack: {len(members)} files of {total} bytes (limit {max_bytes})"
        )
    paths = [PurePosixPath(member.filename) for member in members]
    if len(set(paths)) < len(paths):
        raise DownloadError(f"{archive.name} is not safe to unpack: two files have the same name")
    shared = len({path.parts[0] for path in paths}) == 1 and all(len(path.parts) > 1 for path in paths)
    return [PurePosixPath(*path.parts[1:]) for path in paths] if shared else paths


def _problem(member: zipfile.ZipInfo) -> str | None:
    """Why a member must not be unpacked, or None."""
    name = member.filename
    if name.startswith("/") or "\\" in name or ":" in name or ".." in PurePosixPath(name).parts:
        return "may lie outside of the folder"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is a link or another special file"
    return "is encrypted" if member.flag_bits & 1 else None


def _move_into(source: Path, folder: Path) -> None:
    if not folder.exists():
        source.rename(folder)
        return
    for path in sorted(source.rglob("*")):
        target = folder / path.relative_to(source)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            path.replace(target)
