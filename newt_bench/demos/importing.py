"""Brings published demonstrations into this format.

The published layout: one saved TensorDict per task, flat over episodes. An episode of L steps takes L + 1 rows; row t
holds the observation after t steps, and the action and the reward that led to it; row 0 has neither (NaN). Frames of
all rows lie side by side in images `{task}-0.png`, `{task}-1.png` and so on, as high as they are wide.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import Task, get_task
from newt_bench.demos.format import SUFFIX, Info
from newt_bench.demos.frames import Encoding, FrameFormat, encode, open_image, write_frames
from newt_bench.demos.reading import DemoFile
from newt_bench.demos.tensorfile import read_tensors
from newt_bench.demos.writing import Compression, write_columns
from newt_bench.errors import DemosError
from newt_bench.version import __version__

__all__ = ["PUBLISHED_COLUMNS", "import_published", "import_published_folder", "import_strips", "strip_name"]

PUBLISHED_COLUMNS = ("obs", "action", "reward", "episode")


def import_published_folder(
    source: Path, out: Path, compression: Compression = "none", frames: Encoding | None = None
) -> list[Path]:
    """Converts a published file `{task}.pt`, or all of a folder, into `out/{task}.h5`.

    Args:
        source: The file or folder.
        out: Folder for the files.
        compression: How to store the datasets.
        frames: Also convert the strips of frames beside the files, and encode frames so.

    Returns:
        The files that were written.

    Raises:
        DemosError: There is none, or one cannot be read.
    """
    files = sorted(source.glob("*.pt")) if source.is_dir() else [source]
    if not files:
        raise DemosError(f"{source} holds no files {{task}}.pt")
    made = []
    for file in files:
        target = out / f"{file.stem}{SUFFIX}"
        import_published(file, get_task(file.stem), target, compression=compression)
        made.append(target)
        if frames is not None:
            strips = (file.with_name(strip_name(file.stem, number)) for number in itertools.count())
            with DemoFile(target) as demos:
                made.append(import_strips(strips, demos, frames))
    return made


def strip_name(task: str, number: int) -> str:
    """Name of a published image of frames."""
    return f"{task}-{number}.png"


def import_strips(strips: Iterable[Path], demos: DemoFile, encoding: Encoding = "webp") -> Path:
    """Converts published strips of frames, and writes them beside the demonstrations that they are of.

    Args:
        strips: The images in their order. No more of them are asked for than it takes to have all frames.
        demos: The demonstrations.
        encoding: How to encode frames.

    Returns:
        The file.

    Raises:
        DemosError: A strip is not there, damaged, huge, or of another size than the others; or they hold more frames
            than there are observations.
    """
    missing = demos.steps + demos.episodes
    sizes: list[int] = []

    def batches() -> Iterator[list[bytes]]:
        nonlocal missing
        for path in strips:
            frames = _cut(path)
            missing -= len(frames)
            sizes.append(frames.shape[1])
            if missing < 0 or len(set(sizes)) > 1:
                raise DemosError(
                    f"{path}: its {len(frames)} frames of {sizes[-1]} pixels do not fit the {sizes[0]} pixels before "
                    f"and the {demos.steps + demos.episodes} observations"
                )
            yield [encode(frame, encoding) for frame in frames]
            if not missing:
                return

    first = batches()
    head = next(first)
    kind = FrameFormat(encoding, sizes[0], sizes[0])
    return write_frames(demos, itertools.chain([head], first), kind, origin="published")


def _cut(path: Path) -> NDArray[np.uint8]:
    """Frames of a strip, shape (frames, size, size, 3)."""
    if not path.is_file():
        raise DemosError(f"{path} does not exist, and there are not enough frames without it")
    try:
        with open_image(path, "png") as image:
            width, size = image.size
            if width % size:
                raise DemosError(f"its {width} x {size} pixels are not a row of square frames")
            pixels: NDArray[np.uint8] = np.asarray(image.convert("RGB"))
    except DemosError as error:
        raise DemosError(f"{path}: {error}") from error
    return pixels.reshape(size, width // size, size, 3).swapaxes(0, 1)


def import_published(
    source: Path,
    task: Task,
    out: Path,
    *,
    origin: Mapping[str, Any] | None = None,
    licence: str = "unknown",
    compression: Compression = "none",
) -> None:
    """Converts one published file. No code of the file is run.

    Args:
        source: A saved TensorDict in the published layout.
        task: The task that it holds demonstrations of.
        out: The file to write.
        origin: Where the file comes from, for `Info.policy`.
        licence: Its licence, as far as known.
        compression: How to store the datasets.

    Raises:
        DemosError: The file is unsafe, damaged, or not in the published layout.
    """
    rows = read_tensors(source, PUBLISHED_COLUMNS)
    try:
        columns = _columns(rows, task)
    except DemosError as error:
        raise DemosError(f"{source}: {error}") from error
    policy = {"name": "published", "file": source.name, "imported_by": f"newt-bench {__version__}", **(origin or {})}
    write_columns(out, Info.of(task, policy, {}, licence=licence), columns, compression)


def _columns(rows: Mapping[str, NDArray[Any]], task: Task) -> dict[str, NDArray[Any]]:
    number = rows["episode"].reshape(-1)
    count = len(number)
    if not count or any(
        len(rows[name]) != count for name in (*PUBLISHED_COLUMNS, *(["feat"] if "feat" in rows else []))
    ):
        raise DemosError("its tensors have different lengths, or none")
    starts = np.flatnonzero(np.diff(number, prepend=number[0] - 1))
    if len(np.unique(number[starts])) < len(starts) or (np.diff(starts, append=count) < 2).any():
        raise DemosError("the rows of an episode do not follow each other, or there is only one")
    inner = np.ones(count, bool)
    inner[starts] = False
    observation = _trim("obs", rows["obs"], task.obs_dim)
    action = _trim("action", rows["action"], task.action_dim)[inner]
    reward = rows["reward"].reshape(count)[inner].astype(np.float32)
    for name, array in (("obs", observation), ("action", action), ("reward", reward)):
        if not np.isfinite(array).all():
            raise DemosError(f"'{name}' holds NaN in other rows than an episode's first")
    offset = np.append(starts - np.arange(len(starts)), count - len(starts))
    columns = {
        "observation": observation,
        "action": np.clip(action, -1, 1),
        "reward": reward,
        "offset": offset,
    }
    if not task.has_success:
        columns["score"] = _running_score(task, reward, offset)
    if "feat" in rows:
        columns["feature"] = rows["feat"].reshape(count, -1)
    return columns


def _trim(name: str, array: NDArray[Any], width: int) -> NDArray[Any]:
    """Takes off the padding of rows of multitask data."""
    if array.ndim != 2 or array.shape[1] < width or np.nan_to_num(array[:, width:]).any():
        raise DemosError(f"'{name}' has shape {array.shape} where the task has {width} entries")
    return array[:, :width]


def _running_score(task: Task, reward: NDArray[np.float32], offset: NDArray[np.int64]) -> NDArray[np.float64]:
    total = np.cumsum(reward, dtype=np.float64)
    before = np.repeat(total[offset[:-1]] - reward[offset[:-1]], np.diff(offset))
    score = (total - before - task.score.low) / (task.score.high - task.score.low)
    return np.clip(score, 0, 1) if task.score.clip else score
