"""The gallery: a picture per task, a sheet per domain, and a reason for what is missing."""

from __future__ import annotations

import imageio.v3 as iio
import numpy as np
import pytest

import newt_bench
from newt_bench.errors import InputError
from newt_bench.gallery import contact_sheet, make_gallery


def test_pictures_and_sheet(tmp_path):
    names = ("cartpole-balance", "walker-run", "cup-catch")
    gallery = make_gallery(newt_bench.tasks(names), tmp_path, progress=False)
    assert gallery.sheets == (tmp_path / "dmcontrol.png",)
    assert gallery.failures == {}
    pictures = [iio.imread(tmp_path / "dmcontrol" / f"{name}.png") for name in names]
    assert {picture.shape for picture in pictures} == {(224, 224, 3)}
    sheet = iio.imread(gallery.sheets[0])
    for column, picture in enumerate(pictures):
        left = 8 + column * 232
        np.testing.assert_array_equal(sheet[28 : 28 + 224, left : left + 224], picture)


def test_small_pictures_without_sheets(tmp_path):
    tasks = newt_bench.tasks("pygame-pong")
    settings = {"size": 96, "sheets": False, "progress": False}
    gallery = make_gallery(tasks, tmp_path / "webp", suffix=".webp", **settings)
    assert gallery.sheets == ()
    make_gallery(tasks, tmp_path / "png", **settings)
    (small,), (exact,) = (list((tmp_path / kind).rglob("*.*")) for kind in ("webp", "png"))
    assert small.name == "pygame-pong.webp"
    assert small.stat().st_size < exact.stat().st_size
    pictures = [iio.imread(path).astype(int) for path in (small, exact)]
    assert pictures[0].shape == pictures[1].shape == (96, 96, 3)
    assert np.abs(pictures[0] - pictures[1]).mean() < 3


def test_another_format_is_refused_before_anything_is_drawn(tmp_path):
    with pytest.raises(InputError, match=r"\.png, \.webp"):
        make_gallery(newt_bench.tasks("pygame-pong"), tmp_path / "out", suffix=".bmp", progress=False)
    assert not (tmp_path / "out").exists()


def test_clips_begin_with_the_episode_and_leave_the_pictures_as_they_are(tmp_path):
    task = newt_bench.tasks("pygame-pong")
    make_gallery(task, tmp_path / "still", steps=3, progress=False)
    make_gallery(task, tmp_path / "moving", steps=3, progress=False, clips=5)
    assert not (tmp_path / "still" / "miniarcade" / "pygame-pong.gif").exists()
    clip = iio.imread(tmp_path / "moving" / "miniarcade" / "pygame-pong.gif", index=None)
    assert clip.shape == (6, 224, 224, 3)
    pictures = [iio.imread(tmp_path / kind / "miniarcade" / "pygame-pong.png") for kind in ("still", "moving")]
    np.testing.assert_array_equal(*pictures)
    assert np.abs(clip[3].astype(int) - pictures[0]).mean() < 3  # a GIF has fewer colours


def test_long_labels_and_many_rows(tmp_path):
    frames = {f"{'very-' * 12}long-{k}": np.full((64, 64, 3), k, np.uint8) for k in range(14)}
    contact_sheet(tmp_path / "s.png", frames)
    sheet = iio.imread(tmp_path / "s.png")
    assert sheet.shape == (3 * 92 + 8, 6 * 72 + 8, 3)
    assert (sheet[-12, 8 + 72 + 5] == 13).all()


def test_a_task_that_cannot_be_drawn_is_named(run_cli, tmp_path):
    child = run_cli("gallery", "--out", "g", "--domain", "dmcontrol", "--split", "lite", MUJOCO_GL="nonsense")
    assert child.returncode == 1
    assert "walker-run: " in child.stderr
    assert "nonsense" in child.stderr
