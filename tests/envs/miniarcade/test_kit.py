"""The kit under the games: rectangles and drawing."""

from __future__ import annotations

import numpy as np
import pytest

from newt_bench.envs.miniarcade.canvas import Canvas
from newt_bench.envs.miniarcade.geometry import Rect, clip

WHITE = (255, 255, 255)
RED = (200, 0, 0)


@pytest.fixture
def canvas() -> Canvas:
    canvas = Canvas(224)
    canvas.fill((0, 0, 0))
    return canvas


def coverage(canvas: Canvas) -> np.ndarray:
    """How much of each pixel is painted white, shape (224, 224), rows first."""
    return canvas.image()[..., 0] / 255


def middle(canvas: Canvas) -> tuple[float, float]:
    """The painted area's centre of mass in world coordinates."""
    weights = coverage(canvas)
    rows, columns = np.indices(weights.shape) + 0.5
    return float((weights * columns).sum() / weights.sum()), float((weights * rows).sum() / weights.sum())


def test_rectangles_that_touch_do_not_overlap():
    assert not Rect(0, 0, 10, 10).overlaps(Rect(10, 0, 10, 10))
    assert Rect(0, 0, 10, 10).overlaps(Rect(9.5, 9.5, 1, 1))
    assert not Rect(0, 0, 10, 10).contains(10, 5)
    assert Rect(0, 0, 10, 10).contains(0, 9.9)


def test_truncation_is_towards_zero():
    assert Rect.truncated(-5.4, 5.6, 3.9, 2) == Rect(-5, 5, 3, 2)


@pytest.mark.parametrize(("value", "expected"), [(-2.0, -1.0), (0.3, 0.3), (4.0, 1.0)])
def test_clip(value, expected):
    assert clip(value, -1, 1) == expected


def test_a_disc_is_where_it_should_be(canvas):
    canvas.disc(60.25, 150.5, 9, WHITE)
    assert middle(canvas) == pytest.approx((60.25, 150.5), abs=0.15)
    assert coverage(canvas).sum() == pytest.approx(np.pi * 81, rel=0.03)
    assert np.any((coverage(canvas) > 0.1) & (coverage(canvas) < 0.9))


def test_a_rectangle_is_where_it_should_be(canvas):
    canvas.rectangle(10, 20, 30, 5, WHITE)
    expected = np.zeros((224, 224))
    expected[20:25, 10:40] = 1
    np.testing.assert_allclose(coverage(canvas), expected, atol=0.01)


def test_polygons_and_paths_have_the_right_area(canvas):
    canvas.polygon([(10, 10), (50, 10), (10, 50)], WHITE)
    assert coverage(canvas).sum() == pytest.approx(800, rel=0.05)
    canvas.fill((0, 0, 0))
    canvas.line((20, 20), (120, 95), 4, WHITE)
    assert coverage(canvas).sum() == pytest.approx(125 * 4 + 4 * np.pi, rel=0.05)
    assert middle(canvas) == pytest.approx((70, 57.5), abs=0.3)


def test_translucent_shapes_blend_and_may_leave_the_picture(canvas):
    canvas.disc(0, 112, 40, RED, alpha=0.5)
    canvas.rectangle(-500, 200, 5000, 10, RED, alpha=0.25)
    image = canvas.image()
    assert image[112, 5, 0] == pytest.approx(100, abs=2)
    assert image[205, 100, 0] == pytest.approx(50, abs=2)
    canvas.disc(-300, -300, 20, RED, alpha=0.5)
    np.testing.assert_array_equal(canvas.image(), image)


def test_a_glow_fades_outwards(canvas):
    canvas.glow(100, 100, 30, WHITE, 0.6)
    row = coverage(canvas)[100, 100:135]
    assert row[0] == pytest.approx(0.6, abs=0.03)
    assert np.all(np.diff(row) <= 0.001)
    assert row[-1] == 0


def test_a_gradient_runs_from_top_to_bottom(canvas):
    canvas.gradient((0, 0, 0), (255, 255, 255), 0, 20, 224, 100)
    column = coverage(canvas)[:, 50]
    assert column[21] < 0.03
    assert column[118] > 0.97
    assert np.all(np.diff(column[20:119]) >= 0)
    assert column[19] == column[121] == 0


def test_a_diagonal_runs_from_corner_to_corner(canvas):
    canvas.diagonal([(0, 0, 0), (255, 255, 255), (0, 0, 0)], 20, 40, 100, 100)
    painted = coverage(canvas)
    assert painted[41, 21] < 0.03
    assert painted[138, 118] < 0.03
    along = np.array([painted[40 + step, 20 + step] for step in range(100)])
    assert np.all(np.diff(along[1:50]) > 0)
    assert np.all(np.diff(along[51:99]) < 0)
    across = np.array([painted[139 - step, 20 + step] for step in range(1, 99)])
    assert across.min() > 0.97
    assert painted[30, 60] == painted[150, 60] == painted[90, 10] == painted[90, 130] == 0


@pytest.mark.parametrize(("anchor", "side"), [("left", 1), ("center", 0), ("right", -1)])
def test_text_is_anchored(canvas, anchor, side):
    canvas.text("12", 112, 60, 20, WHITE, anchor)
    x, y = middle(canvas)
    assert y == pytest.approx(60, abs=3)
    assert np.sign(round((x - 112) / 5)) == side


def test_an_outline_is_hollow(canvas):
    canvas.rectangle(50, 50, 40, 40, WHITE, outline=3)
    canvas.polygon([(120, 120), (180, 120), (150, 180)], WHITE, outline=2)
    assert coverage(canvas)[70, 70] == coverage(canvas)[135, 150] == 0
    assert coverage(canvas)[51, 70] == coverage(canvas)[120, 150] == 1


def test_marks_at_the_edge(canvas):
    canvas.edge_tick(100, WHITE)
    assert coverage(canvas)[96:104, 220:].all()
    assert coverage(canvas).sum() == pytest.approx(32)


def test_a_shift_moves_the_picture_and_bares_its_borders(canvas):
    canvas.disc(60, 150, 9, WHITE)
    canvas.shift(2, -3, RED)
    image = canvas.image()
    np.testing.assert_array_equal(image[:-3, :2], np.broadcast_to(RED, (221, 2, 3)))
    np.testing.assert_array_equal(image[-3:], np.broadcast_to(RED, (3, 224, 3)))
    image[:, :2] = image[-3:] = 0
    rows, columns = np.nonzero(image[..., 0])
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((62, 147), abs=0.2)
