"""Files that some tasks need and no package carries: where they come from, and where they go.

They go below `<root>/data`, where the root is `NEWT_BENCH_ASSETS` if that is set, else ManiSkill's own
`MS_ASSET_DIR`, else `~/.maniskill`. Nothing is downloaded unless `newt-bench assets download` is called.
"""

from __future__ import annotations

import dataclasses
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from newt_bench import downloads
from newt_bench.errors import CatalogueError, DownloadError, MissingAssetsError
from newt_bench.extras import import_optional

__all__ = ["PACKS", "Asset", "HubFile", "Pack", "WebFile", "asset", "data_folder", "download", "missing", "require"]


@dataclasses.dataclass(frozen=True)
class HubFile:
    """A file of a data set on the Hugging Face Hub; `HF_ENDPOINT` and `HF_TOKEN` work as usual."""

    repository: str
    path: str

    def __str__(self) -> str:
        return f"Hugging Face data set {self.repository}, file {self.path}"


@dataclasses.dataclass(frozen=True)
class WebFile:
    """A file on the web."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclasses.dataclass(frozen=True)
class Pack:
    """A zip file that holds one or more assets.

    Attributes:
        name: Short name.
        folder: Where its content goes, below the data folder.
        source: Where it comes from.
        sha256: Of the zip file, or None where the source makes the file on demand and promises no bytes; the
            checksums inside the zip file must do then.
        max_bytes: Refuse to unpack to more than this.
    """

    name: str
    folder: str
    source: HubFile | WebFile
    sha256: str | None
    max_bytes: int


@dataclasses.dataclass(frozen=True)
class Asset:
    """What a task's `assets` entry names.

    Attributes:
        name: Such as `ycb:013_apple`.
        pack: The pack that holds it.
        files: Files that must be there, below the pack's folder.
    """

    name: str
    pack: Pack
    files: tuple[str, ...]

    def is_there(self, folder: Path) -> bool:
        """Whether all files are below the data folder `folder`."""
        return all((folder / self.pack.folder / file).is_file() for file in self.files)


# The objects of the YCB set as ManiSkill 3.0.1 reads them; its own record has the same checksum. GitHub packs
# the robots' releases anew for every download.
PACKS: dict[str, Pack] = {
    "ycb": Pack(
        name="ycb",
        folder="assets/mani_skill2_ycb",
        source=HubFile("haosulab/ManiSkill2", "data/mani_skill2_ycb.zip"),
        sha256="1551724fd1ac7bad9807ebcf46dd4a788caed5c9499c1225b9bfa080ffbefcb3",
        max_bytes=2**31,
    ),
    "robot:xarm6": Pack(
        name="robot:xarm6",
        folder="robots/xarm6",
        source=WebFile("https://github.com/haosulab/ManiSkill-XArm6/archive/refs/tags/v0.1.1.zip"),
        sha256=None,
        max_bytes=2**30,
    ),
    "robot:anymal_c": Pack(
        name="robot:anymal_c",
        folder="robots/anymal_c",
        source=WebFile("https://github.com/haosulab/ManiSkill-ANYmalC/archive/refs/tags/v0.1.1.zip"),
        sha256=None,
        max_bytes=2**30,
    ),
}
_ROBOT_FILES = {"robot:xarm6": ("xarm6_robotiq.urdf",), "robot:anymal_c": ("urdf/anymal.urdf",)}


def data_folder() -> Path:
    """The folder that ManiSkill calls its asset folder."""
    root = os.environ.get("NEWT_BENCH_ASSETS") or os.environ.get("MS_ASSET_DIR") or "~/.maniskill"
    return Path(root).expanduser() / "data"


def asset(name: str) -> Asset:
    """Looks up an entry of a task's `assets`.

    Raises:
        CatalogueError: There is no such asset.
    """
    if name in _ROBOT_FILES:
        return Asset(name, PACKS[name], _ROBOT_FILES[name])
    kind, _, model = name.partition(":")
    if kind != "ycb" or not model:
        raise CatalogueError(f"There is no asset '{name}'; known are ycb:MODEL, {', '.join(_ROBOT_FILES)}")
    return Asset(
        name, PACKS["ycb"], ("info_pick_v0.json", f"models/{model}/collision.ply", f"models/{model}/textured.obj")
    )


def missing(names: Iterable[str], folder: Path | None = None) -> list[str]:
    """Those of the assets that are not all there.

    Args:
        names: Entries of tasks' `assets`.
        folder: The data folder; None for `data_folder()`.
    """
    place = folder or data_folder()
    return [name for name in names if not asset(name).is_there(place)]


def require(names: Sequence[str], folder: Path, task: str) -> None:
    """Does nothing if all assets are there.

    Args:
        names: Entries of the task's `assets`.
        folder: The data folder that the simulator reads.
        task: Name of the task, for the message.

    Raises:
        MissingAssetsError: Some are missing; the message ends with the command that downloads them.
    """
    absent = missing(names, folder)
    if absent:
        elsewhere = "" if folder == data_folder() else f"NEWT_BENCH_ASSETS={folder.parent} "
        raise MissingAssetsError(
            f"{task} needs files that are not on this machine ({', '.join(absent)}, looked for below {folder}). "
            f"Download them with: {elsewhere}newt-bench assets download --tasks {task}"
        )


def download(names: Iterable[str], report: Callable[[Pack], downloads.Report] | None = None) -> list[Pack]:
    """Downloads what is missing, whole packs at a time, into `data_folder()`.

    Args:
        names: Entries of tasks' `assets`.
        report: Called with each pack that is downloaded; returns what is told of the progress.

    Returns:
        The packs that were downloaded.

    Raises:
        DownloadError: A file cannot be had, is not the expected one, or is not safe to unpack.
        MissingExtraError: `huggingface_hub` is needed, but not installed.
    """
    folder = data_folder()
    wanted = [asset(name) for name in missing(names, folder)]
    packs = list(dict.fromkeys(item.pack for item in wanted))
    for pack in packs:
        _install(pack, folder, report(pack) if report else None)
        absent = missing((item.name for item in wanted if item.pack == pack), folder)
        if absent:
            raise DownloadError(f"{pack.source} does not hold what it should: {', '.join(absent)}")
    return packs


def _install(pack: Pack, folder: Path, report: downloads.Report | None) -> None:
    """Fetches a pack, twice if the first file is a wrong one, and unpacks it."""
    problem = None
    for again in (False, True):
        archive = _fetch(pack, folder / ".downloads", report, again)
        problem = _damage(pack, archive)
        if problem is None:
            _unpack(pack, archive, folder)
            return
        archive.unlink()
    raise DownloadError(f"{pack.source} is not the expected file, twice: {problem}. It was removed")


def _unpack(pack: Pack, archive: Path, folder: Path) -> None:
    try:
        downloads.unpack(archive, folder / pack.folder, pack.max_bytes)
    except (zipfile.BadZipFile, OSError) as error:
        raise DownloadError(f"{pack.source} cannot be unpacked into {folder / pack.folder}: {error}") from error
    finally:
        archive.unlink()


def _damage(pack: Pack, archive: Path) -> str | None:
    """What is wrong with a file that was downloaded, or None."""
    if pack.sha256 is not None:
        found = downloads.sha256(archive)
        return None if found == pack.sha256 else f"expected sha256 {pack.sha256}, found {found}"
    try:
        with zipfile.ZipFile(archive) as opened:
            broken = opened.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        return f"expected a whole zip file, found {archive.stat().st_size} bytes of something else ({error})"
    return f"expected a whole zip file, found it damaged at {broken}" if broken else None


def _fetch(pack: Pack, folder: Path, report: downloads.Report | None, again: bool) -> Path:
    """Downloads a pack's file; `again` says that the last one was a wrong one."""
    if isinstance(pack.source, WebFile):
        path = folder / f"{pack.folder.rpartition('/')[2]}.zip"
        downloads.fetch(pack.source.url, path, report)
        return path
    hub: Any = import_optional(
        "huggingface_hub", extra="maniskill", packages=("huggingface_hub",), wanted_by=f"Downloading '{pack.name}'"
    )
    try:
        found = hub.hf_hub_download(
            pack.source.repository, pack.source.path, repo_type="dataset", local_dir=folder, force_download=again
        )
    except Exception as error:  # errors of whatever HTTP library its version uses
        raise DownloadError(f"{pack.source} cannot be downloaded: {type(error).__name__}: {error}") from error
    return Path(found)
