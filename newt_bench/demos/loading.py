"""Finds demonstrations: in a folder, in the cache, or on the Hub."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from newt_bench.catalogue import Split, Task, resolve_tasks
from newt_bench.catalogue import tasks as catalogue_tasks
from newt_bench.demos.dataset import Demos, TaskDemos
from newt_bench.demos.format import SUFFIX
from newt_bench.demos.hub import fetch, find_source
from newt_bench.demos.reading import DemoFile
from newt_bench.demos.validation import demo_files
from newt_bench.errors import DemosError, InputError
from newt_bench.progress import download_bars

__all__ = ["download_demos", "load_demos"]


def load_demos(
    tasks: str | Task | Iterable[str | Task] | None = None,
    *,
    split: Split | None = None,
    root: str | Path | None = None,
    repository: str | None = None,
    mapped: bool = False,
    frames: bool = False,
    progress: bool = True,
) -> Demos:
    """Loads demonstrations: `load_demos("walker-run")`, `load_demos(split="core")`, `load_demos(root="folder")`.

    From the Hub unless `root` is given, through a cache: a file is downloaded once, checked and audited.

    Args:
        tasks: Task names or records. None: all of the split; with `root` and no split, all files there.
        split: `core`, `heldout` or `lite`.
        root: A folder of files `{task}.h5`, such as `newt-bench demos collect` makes.
        repository: A Hub repository `owner/name` or `owner/name@revision`, instead of the default one.
        mapped: Map arrays into memory instead of reading them, for data sets larger than memory.
        frames: Also download images of the observations, for `TaskDemos.frames`. They are the larger part by far. A
            folder's are there without it.
        progress: Whether to show progress bars, if standard error is a terminal.

    Returns:
        Demonstrations by task name. Arrays are read when first used.

    Raises:
        InputError: Tasks are not named, or unknown.
        DemosError: A file is missing in `root`, unsafe or not valid.
        DownloadError: A file cannot be had from the Hub.
        MissingExtraError: The extra `demos` is not installed.
    """
    if root is not None:
        chosen = None if tasks is None and split is None else _select(tasks, split)
        return _open(_in_folder(Path(root), chosen), mapped)
    files = download_demos(_select(tasks, split), repository=repository, frames=frames, progress=progress)
    return _open(files, mapped)


def download_demos(
    tasks: str | Task | Iterable[str | Task],
    *,
    repository: str | None = None,
    frames: bool = False,
    progress: bool = True,
) -> list[Path]:
    """Downloads what is not in the cache yet.

    Args:
        tasks: Task names or records.
        repository: A Hub repository, instead of the default one.
        frames: Also download images of the observations.
        progress: Whether to show progress bars, if standard error is a terminal.

    Returns:
        The files in the cache, in the order of the tasks.
    """
    chosen = _select(tasks, None)
    source = find_source(repository)
    with download_bars(progress) as bar:
        return [fetch(task, source, bar(task.name), frames=frames) for task in chosen]


def _select(tasks: str | Task | Iterable[str | Task] | None, split: Split | None) -> list[Task]:
    if tasks is None:
        if split is None:
            raise InputError("Say which demonstrations: name tasks, a split, or a folder with root=")
        return list(catalogue_tasks(split=split))
    if split is not None:
        raise InputError("Name either tasks or a split")
    return list(resolve_tasks(tasks, "load demonstrations of"))


def _in_folder(root: Path, tasks: list[Task] | None) -> list[Path]:
    if tasks is None:
        return demo_files(root)
    files = [root / f"{task.name}{SUFFIX}" for task in tasks]
    missing = [path.stem for path in files if not path.is_file()]
    if missing:
        raise DemosError(f"{root} has no demonstrations of {', '.join(missing[:5])}{' ...' if missing[5:] else ''}")
    return files


def _open(files: list[Path], mapped: bool) -> Demos:
    return Demos([TaskDemos(DemoFile(path), mapped) for path in files])
