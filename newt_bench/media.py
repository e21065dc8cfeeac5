"""Writes videos, images and plots. Needs the extra `media`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.atomic import atomic_path
from newt_bench.errors import InputError
from newt_bench.extras import import_optional

__all__ = [
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "check_suffix",
    "plot_score_curves",
    "plot_scores",
    "write_image",
    "write_video",
]

IMAGE_SUFFIXES = (".png", ".webp")
VIDEO_SUFFIXES = (".mp4", ".gif")
_WEBP_SETTINGS = {"quality": 80, "method": 6}  # method 6: the slowest, for the smallest file
_BLUE, _GREY = "#3b6ea8", "#c9d3df"


def check_suffix(path: Path, allowed: Iterable[str]) -> None:
    """Refuses a file name whose format cannot be written, before any work is done.

    Raises:
        InputError: The suffix is not one of `allowed`.
    """
    allowed = tuple(allowed)
    if path.suffix.lower() not in allowed:
        raise InputError(f"'{path.name}': the format must be one of {', '.join(allowed)}")


def write_video(path: Path, frames: Iterable[NDArray[np.uint8]], fps: float) -> None:
    """Writes a video, frame by frame, atomically.

    Args:
        path: A file that ends in `.mp4` (H.264) or `.gif`.
        frames: RGB images of shape (height, width, 3), all of one size.
        fps: Frames per second.

    Raises:
        InputError: The format is another.
        MissingExtraError: The extra `media` is not installed.
    """
    check_suffix(path, VIDEO_SUFFIXES)
    imageio = _optional("imageio.v2", "imageio", "imageio_ffmpeg")
    if path.suffix.lower() == ".gif":
        settings: dict[str, Any] = {"duration": 1000 / fps, "loop": 0}
    else:
        settings = {"fps": fps, "codec": "libx264", "quality": 8, "macro_block_size": 2}
    with atomic_path(path) as temporary, imageio.get_writer(temporary, **settings) as writer:
        for frame in frames:
            writer.append_data(frame)


def write_image(path: Path, frame: NDArray[np.uint8]) -> None:
    """Writes one RGB image, atomically.

    Args:
        path: A file that ends in `.png`, or in `.webp` for a small one that loses a little.
        frame: Image of shape (height, width, 3).

    Raises:
        InputError: The format is another.
        MissingExtraError: The extra `media` is not installed.
    """
    check_suffix(path, IMAGE_SUFFIXES)
    imageio = _optional("imageio.v2", "imageio")
    settings = _WEBP_SETTINGS if path.suffix.lower() == ".webp" else {}
    with atomic_path(path) as temporary:
        imageio.imwrite(temporary, frame, **settings)


def plot_scores(path: Path, scores: Mapping[str, NDArray[np.float64]], title: str) -> None:
    """Draws scores by task: a bar for the mean, a dot for every episode.

    Args:
        path: A `.png`, `.svg` or `.pdf` file.
        scores: Scores in [0, 1] of a task's episodes, by task name.
        title: Title of the plot.

    Raises:
        InputError: The format is another.
        MissingExtraError: The extra `media` is not installed.
    """
    check_suffix(path, (".png", ".svg", ".pdf"))
    figure_module = _optional("matplotlib.figure", "matplotlib")
    names = list(scores)
    figure = figure_module.Figure(figsize=(7, 1.2 + 0.45 * len(names)), layout="constrained")
    axes = figure.subplots()
    means = [float(np.mean(scores[name])) for name in names]
    axes.barh(names, means, height=0.6, color=_GREY, zorder=1)
    for row, name in enumerate(names):
        jitter = np.linspace(-0.18, 0.18, len(scores[name]))
        axes.scatter(scores[name], row + jitter, s=14, color=_BLUE, linewidths=0, zorder=2)
        axes.annotate(
            f"{means[row]:.3f}",
            (1.0, row),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            annotation_clip=False,
        )
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="score (bar: mean, dots: episodes)")
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e8ecf1", zorder=0)
    axes.set_axisbelow(True)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)


def plot_score_curves(path: Path, curves: Mapping[str, Sequence[tuple[Any, Any]]], title: str) -> None:
    """Draws scores over steps: a panel per task, with a thin line per run and, of several, a thick one for their mean.

    Args:
        path: A `.png`, `.svg` or `.pdf` file.
        curves: By task name, environment steps and scores in [0, 1] of each run, both of shape (evaluations,).
        title: Title of the picture.

    Raises:
        InputError: The format is another.
        MissingExtraError: The extra `media` is not installed.
    """
    check_suffix(path, (".png", ".svg", ".pdf"))
    figure_module = _optional("matplotlib.figure", "matplotlib")
    columns = min(4, len(curves))
    rows = -(-len(curves) // columns)
    figure = figure_module.Figure(figsize=(max(4.5, 2.6 * columns), 0.6 + 1.9 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in list(grid.flat)[len(curves) :]:
        axes.set_visible(False)
    for axes, (name, runs) in zip(grid.flat, curves.items(), strict=False):
        for steps, scores in runs:
            axes.plot(steps, scores, color=_BLUE if len(runs) == 1 else _GREY, linewidth=1.2)
        if len({tuple(steps) for steps, _ in runs}) == 1 < len(runs):
            axes.plot(runs[0][0], np.mean([scores for _, scores in runs], axis=0), color=_BLUE, linewidth=1.8)
        last = np.mean([scores[-1] for _, scores in runs])
        axes.annotate(f"{last:.2f}", (0.98, 0.04), xycoords="axes fraction", ha="right", fontsize=8, color=_BLUE)
        axes.set_title(name, fontsize=9)
        axes.set_ylim(-0.03, 1.03)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e8ecf1")
        axes.tick_params(labelsize=8)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k" if value else "0")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.supxlabel("environment steps", fontsize=9)
    figure.supylabel("score", fontsize=9)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _optional(module: str, *packages: str) -> Any:
    return import_optional(module, extra="media", packages=packages, wanted_by="Writing images, videos and plots")
