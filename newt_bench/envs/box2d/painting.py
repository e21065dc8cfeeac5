"""Draws the Box2D tasks with pygame, in memory: on plain surfaces, without a window or a video driver."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pygame
from numpy.typing import NDArray

from newt_bench.envs.box2d.bipedal_walker import SCALE as WALKER_SCALE
from newt_bench.envs.box2d.bipedal_walker import VIEWPORT, BipedalWalkerWorld
from newt_bench.envs.box2d.lunar_lander import GRAVITY, SIDE, STEPS_PER_SECOND, LunarLanderWorld, Spark
from newt_bench.envs.box2d.lunar_lander import SCALE as LANDER_SCALE

__all__ = ["RENDERER", "LanderPainter", "WalkerPainter", "make_painter"]

RENDERER = f"software: pygame {pygame.version.ver}"

Color: TypeAlias = tuple[int, int, int]
Point: TypeAlias = Sequence[float]

_GROUND_COLORS: tuple[Color, ...] = (
    *((102, 153, 76), (94, 163, 60), (80, 120, 58), (119, 125, 58), (181, 149, 101), (194, 160, 134)),
    *((181, 130, 91), (122, 176, 114), (128, 191, 128), (143, 194, 143), (155, 166, 123), (125, 87, 57)),
    *((133, 111, 94), (145, 120, 120), (184, 165, 128), (200, 180, 150), (96, 158, 102)),
)
_LIDAR_COLOR = (255, 0, 0)
_LIDAR_PERIOD = 100  # agent steps; the rays are shown one after the other at the beginning of each period
_LANDER_OUTLINE = (77, 77, 128)
_FLAG_POLE_COLOR = (255, 255, 255)
_GOAL_RADIUS, _GOAL_ALPHA = 1.0, 104  # 30 pixels
_SPARK_RADIUS, _SPARK_FADING = 0.1, 0.15  # 3 pixels; loss of glow per agent step


def make_painter(world: object, rng: np.random.Generator) -> WalkerPainter | LanderPainter:
    """The painter of one episode of a world.

    Args:
        world: The world, after its reset.
        rng: Source of the episode's colours.

    Returns:
        An object with `drawn_size`, the side of the published frames in pixels, and `paint(size, steps)`, which
        returns an array of shape (size, size, 3) for the state after `steps` agent steps.
    """
    if isinstance(world, BipedalWalkerWorld):
        return WalkerPainter(world, rng)
    assert isinstance(world, LunarLanderWorld)
    return LanderPainter(world, rng)


def _tinted(rng: np.random.Generator, color: Color, shared: tuple[int, int], own: tuple[int, int]) -> Color:
    """A colour plus one random shade for all channels and one for each, from half-open integer ranges."""
    shade = rng.integers(*shared) + rng.integers(*own, size=3)
    red, green, blue = np.clip(np.add(color, shade), 0, 255).tolist()
    return red, green, blue


class _Canvas:
    """A square picture in world coordinates: units, the y axis up.

    Args:
        size: Side in pixels.
        scale: Pixels per unit.
        left: World coordinate of the left edge. The lower edge is at 0.
        background: Colour.
    """

    def __init__(self, size: int, scale: float, left: float, background: Color) -> None:
        self.width = size / scale
        self._scale, self.left = scale, left
        self._surface = pygame.Surface((size, size), depth=32)
        self._surface.fill(background)

    def _pixels(self, points: Iterable[Point]) -> list[tuple[float, float]]:
        return [((x - self.left) * self._scale, y * self._scale) for x, y in points]

    def sees(self, points: Iterable[Point]) -> bool:
        """Whether a shape with these corners may overlap the window."""
        xs = [point[0] for point in points]
        return max(xs) >= self.left and min(xs) <= self.left + self.width

    def polygon(self, points: Sequence[Point], fill: Color, outline: Color | None = None) -> None:
        """Draws a filled polygon with a smooth edge, of the fill's own colour if no other is given."""
        pixels = self._pixels(points)
        pygame.draw.polygon(self._surface, fill, pixels)
        pygame.draw.aalines(self._surface, outline or fill, True, pixels)

    def line(self, start: Point, end: Point, color: Color, smooth: bool = True) -> None:
        """Draws a line one pixel wide."""
        first, last = self._pixels((start, end))
        draw = pygame.draw.aaline if smooth else pygame.draw.line
        draw(self._surface, color, first, last)

    def disc(self, center: Point, radius: float, color: Color, alpha: int = 255) -> None:
        """Draws a filled circle; `alpha` is its opacity out of 255."""
        layer = pygame.Surface(self._surface.get_size(), pygame.SRCALPHA, depth=32) if alpha < 255 else self._surface
        pygame.draw.circle(layer, (*color, alpha), self._pixels([center])[0], radius * self._scale)
        if layer is not self._surface:
            self._surface.blit(layer, (0, 0))

    def body(self, body: Any, fill: Color, outline: Color) -> None:
        """Draws the polygons of a Box2D body."""
        for fixture in body.fixtures:
            self.polygon([body.transform * vertex for vertex in fixture.shape.vertices], fill, outline)

    def image(self) -> NDArray[np.uint8]:
        """The picture, shape (size, size, 3), top row first."""
        columns: NDArray[np.uint8] = pygame.surfarray.array3d(self._surface)  # by x, then y upwards
        return np.ascontiguousarray(columns.transpose(1, 0, 2)[::-1])


class WalkerPainter:
    """Draws the bipedal walker, with the window moving along.

    Args:
        world: The world, after its reset.
        rng: Source of the episode's colours.
    """

    drawn_size = VIEWPORT

    def __init__(self, world: BipedalWalkerWorld, rng: np.random.Generator) -> None:
        self._environment = world.environment
        sky_tint = rng.integers(-7, 7, size=3) + rng.integers(-7, 7)
        cloud_tint = rng.integers(-4, 4, size=3) + rng.integers(-4, 4) + sky_tint // 2
        self._sky: Color = tuple(np.clip(np.add((215, 215, 252), sky_tint), 0, 255).tolist())
        self._cloud: Color = tuple(np.clip(np.add((247, 247, 247), cloud_tint), 0, 255).tolist())
        self._columns = self._ground_colors(rng, len(self._environment.terrain_x) - 1)
        self._surface_green = [int(rng.integers(green, 256)) for _, green, _ in self._columns]

    def _ground_colors(self, rng: np.random.Generator, columns: int) -> list[Color]:
        """Colour per column of ground, slowly darkening from a colour drawn per episode."""
        base = np.array(_GROUND_COLORS[rng.integers(len(_GROUND_COLORS))])
        steps = rng.integers(-1, 1, size=(columns - 1, 3)).cumsum(axis=0)
        shades = base + np.maximum(np.concatenate([np.zeros((1, 3), int), steps]), -15)
        return [tuple(shade) for shade in shades.tolist()]

    def paint(self, size: int, steps: int) -> NDArray[np.uint8]:
        """Draws the current state; see `make_painter`."""
        environment = self._environment
        scale = WALKER_SCALE * size / VIEWPORT
        width = VIEWPORT / WALKER_SCALE
        canvas = _Canvas(size, scale, environment.hull.position[0] - width / 5, self._sky)
        for cloud in environment.clouds:
            shape = [(x + canvas.left / 2, y) for x, y in cloud]  # half as fast as the ground
            if canvas.sees(shape):
                canvas.polygon(shape, self._cloud)
        self._paint_ground(canvas)
        self._paint_lidar(canvas, steps)
        for body in (*environment.legs, environment.hull):
            canvas.body(body, body.color1, body.color2)
        return canvas.image()

    def _paint_ground(self, canvas: _Canvas) -> None:
        environment = self._environment
        points = list(zip(environment.terrain_x, environment.terrain_y, strict=True))
        visible = [i for i in range(len(points) - 1) if canvas.sees(points[i : i + 2])]
        for i in visible:
            (left, _), (right, _) = ends = points[i : i + 2]
            canvas.polygon([*ends, (right, 0), (left, 0)], self._columns[i])
        for i in visible:
            red, _, blue = self._columns[i]
            canvas.line(points[i], points[i + 1], (red - 20, self._surface_green[i], blue))
        for box in environment.boxes:
            if canvas.sees(box):
                canvas.polygon(box, (255, 255, 255), (153, 153, 153))

    def _paint_lidar(self, canvas: _Canvas, steps: int) -> None:
        """Shows each ray for two of every hundred steps, there and back again."""
        rays = self._environment.lidar
        phase = (steps + 1) % _LIDAR_PERIOD
        if phase < 2 * len(rays):
            ray = rays[min(phase, 2 * len(rays) - 1 - phase)]
            canvas.line(ray.p1, ray.p2, _LIDAR_COLOR, smooth=False)


class LanderPainter:
    """Draws the lunar lander.

    Args:
        world: The world, after its reset.
        rng: Source of the episode's colours.
    """

    drawn_size = round(SIDE * LANDER_SCALE)

    def __init__(self, world: LunarLanderWorld, rng: np.random.Generator) -> None:
        self._world = world
        self._ground = _tinted(rng, (230, 215, 220), (-15, 15), (-10, 10))
        self._sky = _tinted(rng, (20, 10, 15), (-10, 10), (-5, 5))
        self._lander = _tinted(rng, (128, 102, 230), (-10, 10), (-5, 5))
        self._goal = _tinted(rng, (204, 204, 0), (-15, 15), (-5, 5))

    def paint(self, size: int, steps: int) -> NDArray[np.uint8]:
        """Draws the current state; see `make_painter`."""
        world = self._world
        canvas = _Canvas(size, size / SIDE, 0.0, self._ground)
        for start, end in itertools.pairwise(world.ground):
            canvas.polygon([start, end, (end[0], SIDE), (start[0], SIDE)], self._sky)
        for spark in world.sparks:
            self._paint_spark(canvas, spark)
        for body in (*world.legs, world.lander):
            canvas.body(body, self._lander, _LANDER_OUTLINE)
        if world.goal is None:
            self._paint_flags(canvas)
        else:
            canvas.disc(world.goal, _GOAL_RADIUS, self._goal, _GOAL_ALPHA)
        return canvas.image()

    def _paint_spark(self, canvas: _Canvas, spark: Spark) -> None:
        """Draws a spark where it has flown since, redder and darker the older it is."""
        age = self._world.steps - spark.step
        glow = spark.power - _SPARK_FADING * ((age + 1) // 2)
        seconds = age / STEPS_PER_SECOND
        x = spark.position[0] + spark.velocity[0] * seconds
        y = spark.position[1] + spark.velocity[1] * seconds - GRAVITY / 2 * seconds**2
        xs, ys = zip(*self._world.ground, strict=True)
        if glow >= 0 and y > np.interp(x, xs, ys):
            red, other = (round(255 * max(0.2, part)) for part in (0.15 + glow, 0.5 * glow))
            canvas.disc((x, y), _SPARK_RADIUS, (min(red, 255), other, other))

    def _paint_flags(self, canvas: _Canvas) -> None:
        """A pole of 50 pixels with a pennant at each end of the pad."""
        foot = SIDE / 4
        top = foot + 50 / LANDER_SCALE
        for x in self._world.pad:
            canvas.line((x, foot), (x, top), _FLAG_POLE_COLOR, smooth=False)
            tip = x + 25 / LANDER_SCALE, top - 5 / LANDER_SCALE
            canvas.polygon([(x, top), (x, top - 10 / LANDER_SCALE), tip], self._goal)
