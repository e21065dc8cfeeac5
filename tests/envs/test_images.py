"""Resizing, against Pillow's filter of the same name."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from newt_bench.envs.images import resize


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (480, 480, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [16, 64, 224, 479, 700])
def test_equals_the_usual_bilinear_filter_within_one_level(image, size):
    expected = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
    ours = resize(image, size)
    assert ours.dtype == np.uint8
    assert ours.flags.c_contiguous
    assert np.abs(ours.astype(int) - expected).max() <= 1


def test_same_size_is_the_same_image(image):
    np.testing.assert_array_equal(resize(image, 480), image)


def test_even_surfaces_stay_even():
    assert set(resize(np.full((400, 400, 3), 255, np.uint8), 224).ravel()) == {255}


def test_orientation_is_kept():
    image = np.zeros((100, 100, 3), np.uint8)
    image[:50, 50:, 0] = 255  # upper right
    shrunk = resize(image, 50)
    assert shrunk[0, -1, 0] == 255
    assert shrunk[-1, 0, 0] == 0
    assert shrunk[-1, -1, 0] == 0
