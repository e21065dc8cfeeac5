"""Pictures of tasks: one frame of each, a clip if wanted, and a contact sheet per domain."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from newt_bench.atomic import atomic_path
from newt_bench.catalogue import Task
from newt_bench.errors import NewtBenchError
from newt_bench.extras import import_optional
from newt_bench.media import IMAGE_SUFFIXES, check_suffix, write_image, write_video
from newt_bench.progress import progress_bar

__all__ = ["Gallery", "contact_sheet", "make_gallery"]

_COLUMNS = 6
_LABEL_HEIGHT = 20
_MARGIN = 8


@dataclasses.dataclass(frozen=True)
class Gallery:
    """What was drawn: one sheet per domain, if wanted; and why a task has no picture."""

    sheets: tuple[Path, ...]
    failures: dict[str, str]


def make_gallery(
    tasks: Sequence[Task],
    folder: Path,
    steps: int = 20,
    seed: int = 0,
    progress: bool = True,
    clips: int = 0,
    size: int = 224,
    suffix: str = ".png",
    sheets: bool = True,
) -> Gallery:
    """Draws every task after some random steps.

    Args:
        tasks: The tasks to draw.
        folder: Gets `<domain>.png`, a contact sheet, for each domain, and `<domain>/<task>.png` for each task. Other
            files in it stay.
        steps: Random agent steps before the picture.
        seed: Seed of the episode and of the actions.
        progress: Whether to show a progress bar, if standard error is a terminal.
        clips: Random agent steps of a clip, `<domain>/<task>.gif`, that is made of each task too; 0 for none. It
            begins with the episode, and plays at the task's own pace.
        size: Height and width of pictures and clips in pixels, in [16, 2048].
        suffix: Format of the pictures: `.png`, or `.webp` for small files that lose a little.
        sheets: Whether to make contact sheets.

    Returns:
        The sheets, and the tasks that could not be drawn with the reason.

    Raises:
        InputError: The suffix is another.
    """
    check_suffix(folder / f"picture{suffix}", IMAGE_SUFFIXES)
    failures: dict[str, str] = {}
    made: list[Path] = []
    domains = dict.fromkeys(task.domain for task in tasks)
    with progress_bar(progress, len(tasks), "tasks") as advance:
        for domain in domains:
            frames: dict[str, NDArray[np.uint8]] = {}
            for task in (t for t in tasks if t.domain == domain):
                try:
                    frames[task.name] = _draw(task, size, steps, seed, clips, folder / domain / f"{task.name}.gif")
                    write_image(folder / domain / f"{task.name}{suffix}", frames[task.name])
                except NewtBenchError as error:
                    failures[task.name] = str(error)
                advance(task.name)
            if frames and sheets:
                made.append(folder / f"{domain}.png")
                contact_sheet(made[-1], frames)
    return Gallery(tuple(made), failures)


def _draw(task: Task, size: int, steps: int, seed: int, clip: int, clip_file: Path) -> NDArray[np.uint8]:
    """The picture of a task. Films it first if `clip` is not 0."""
    env: gymnasium.Env[Any, Any] = gymnasium.make(task.id, render_mode="rgb_array", render_size=size)
    try:
        if clip:
            write_video(clip_file, _frames(env, task, clip, seed), env.metadata["render_fps"])
        for _ in _play(env, task, steps, seed):
            pass
        frame: NDArray[np.uint8] = env.render()  # type: ignore[assignment]
    finally:
        env.close()
    return frame


def _play(env: gymnasium.Env[Any, Any], task: Task, steps: int, seed: int) -> Iterator[None]:
    """Resets, then steps at random."""
    env.reset(seed=seed)
    yield
    rng = np.random.default_rng(seed)
    for _ in range(min(steps, task.max_episode_steps)):
        env.step(rng.uniform(-1, 1, task.action_dim))
        yield


def _frames(env: gymnasium.Env[Any, Any], task: Task, steps: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    for _ in _play(env, task, steps, seed):
        frame: NDArray[np.uint8] = env.render()  # type: ignore[assignment]
        yield frame


def contact_sheet(path: Path, frames: dict[str, NDArray[np.uint8]]) -> None:
    """Writes labelled frames as one image, row by row.

    Args:
        path: A `.png` file.
        frames: RGB images of one square size, by label.

    Raises:
        MissingExtraError: The extra `media` is not installed.
    """
    image, draw_module = (_pillow(name) for name in ("PIL.Image", "PIL.ImageDraw"))
    columns = min(_COLUMNS, len(frames))
    rows = math.ceil(len(frames) / columns)
    size = next(iter(frames.values())).shape[0]
    cell_width, cell_height = size + _MARGIN, size + _LABEL_HEIGHT + _MARGIN
    sheet = image.new("RGB", (columns * cell_width + _MARGIN, rows * cell_height + _MARGIN), "white")
    pen = draw_module.Draw(sheet)
    for position, (label, frame) in enumerate(frames.items()):
        x = _MARGIN + position % columns * cell_width
        y = _MARGIN + position // columns * cell_height
        pen.text((x, y + 2), _fitted(label, pen, size), fill="#222222", font_size=13)
        sheet.paste(image.fromarray(frame), (x, y + _LABEL_HEIGHT))
    with atomic_path(path) as temporary:
        sheet.save(temporary)


def _fitted(label: str, pen: Any, width: int) -> str:
    """Shortens a label until it is no wider than its picture."""
    while pen.textlength(label, font_size=13) > width:
        label = label[:-2] + "."
    return label


def _pillow(module: str) -> Any:
    return import_optional(module, extra="media", packages=("PIL",), wanted_by="Drawing contact sheets")
