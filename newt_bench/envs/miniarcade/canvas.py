"""Drawing with smooth edges, on a surface in memory: no window, no video driver.

pygame is imported when the first canvas is made, so that games without pictures do not need it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pygame

__all__ = ["WINDOW", "Canvas", "Color", "Point"]

Color: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]
Anchor: TypeAlias = Literal["left", "center", "right"]

#: Side of the window in world coordinates.
WINDOW = 224


class Canvas:
    """A square picture in world coordinates: (0, 0) to (224, 224), x to the right, y downwards.

    Shapes are drawn on a surface several times as fine, and averaged at the end: every edge is smooth, and positions
    count to a fraction of a pixel. Wherever there is an `alpha`, it is the opacity in [0, 1].

    Args:
        size: Side of the picture in pixels.
    """

    def __init__(self, size: int) -> None:
        import pygame

        self._pygame = pygame
        self.size = size
        side = size * (4 if size <= 512 else 2)
        self._scale = side / WINDOW
        self._surface = pygame.Surface((side, side), depth=32)
        self._fonts: dict[int, pygame.font.Font] = {}

    @property
    def renderer(self) -> str:
        """What draws, with its version."""
        return f"software: pygame {self._pygame.version.ver}"

    def image(self) -> NDArray[np.uint8]:
        """The picture, shape (size, size, 3), top row first."""
        small = self._pygame.transform.smoothscale(self._surface, (self.size, self.size))
        columns: NDArray[np.uint8] = self._pygame.surfarray.array3d(small)
        return np.ascontiguousarray(columns.transpose(1, 0, 2))

    def fill(self, color: Color) -> None:
        """Covers everything."""
        self._surface.fill(color)

    def gradient(self, top: Color, bottom: Color, left: float = 0, upper: float = 0, width: float = WINDOW,
                 height: float = WINDOW) -> None:  # fmt: skip
        """Covers a rectangle with colours that change from top to bottom."""
        x, y, w, h = self._box(left, upper, left + width, upper + height)
        shades = np.linspace(top, bottom, h).round().astype(np.uint8)
        strip = self._pygame.surfarray.make_surface(shades[np.newaxis])
        self._surface.blit(self._pygame.transform.scale(strip, (w, h)), (x, y))

    def diagonal(self, colors: Sequence[Color], left: float = 0, upper: float = 0, width: float = WINDOW,
                 height: float = WINDOW) -> None:  # fmt: skip
        """Covers a rectangle with colours that change from its upper left to its lower right corner.

        Args:
            colors: At least two, evenly spaced along the diagonal.
            left: Left edge.
            upper: Upper edge.
            width: Width.
            height: Height.
        """
        x, y, w, h = self._box(left, upper, left + width, upper + height)
        along, stops = np.linspace(0, 1, w + h - 1), np.linspace(0, 1, len(colors))
        shades = np.stack([np.interp(along, stops, channel) for channel in zip(*colors, strict=True)], axis=-1)
        # Column x takes the shades from x on: the colour depends on x + y alone.
        columns = np.lib.stride_tricks.sliding_window_view(shades.round().astype(np.uint8), h, axis=0)
        self._surface.blit(self._pygame.surfarray.make_surface(columns.transpose(0, 2, 1)), (x, y))

    def tint(self, color: Color, alpha: float, left: float = 0, top: float = 0, width: float = WINDOW,
             height: float = WINDOW) -> None:  # fmt: skip
        """Lays a translucent colour over a rectangle, by default over everything."""
        self.rectangle(left, top, width, height, color, alpha=alpha)

    def rectangle(
        self,
        left: float,
        top: float,
        width: float,
        height: float,
        color: Color,
        *,
        corner: float = 0,
        outline: float = 0,
        alpha: float = 1,
    ) -> None:
        """Draws a rectangle.

        Args:
            left: Left edge.
            top: Upper edge.
            width: Width.
            height: Height.
            color: Colour.
            corner: Radius of the corners.
            outline: Width of the line, inside the rectangle; 0 fills it.
            alpha: Opacity.
        """
        box = self._box(left, top, left + width, top + height)
        surface, (x, y) = self._layer(box, alpha)
        self._pygame.draw.rect(
            surface,
            self._paint(color, alpha),
            (box[0] - x, box[1] - y, box[2], box[3]),
            self._length(outline),
            border_radius=round(corner * self._scale),
        )
        self._merge(surface, (x, y))

    def disc(self, x: float, y: float, radius: float, color: Color, *, outline: float = 0, alpha: float = 1) -> None:
        """Draws a circle around (x, y): filled, or with `outline` as a ring of that width inside the radius."""
        surface, (left, top) = self._layer(self._box(x - radius, y - radius, x + radius, y + radius), alpha)
        center = (x * self._scale - left, y * self._scale - top)
        line = self._length(outline)
        self._pygame.draw.circle(surface, self._paint(color, alpha), center, radius * self._scale, line)
        self._merge(surface, (left, top))

    def glow(self, x: float, y: float, radius: float, color: Color, alpha: float) -> None:
        """Draws a soft light that fades from `alpha` in the middle to nothing at the radius."""
        surface, (left, top) = self._layer(self._box(x - radius, y - radius, x + radius, y + radius), 0)
        center = (x * self._scale - left, y * self._scale - top)
        rings = 16
        for ring in range(rings):
            inward = (ring + 1) / rings
            paint = self._paint(color, alpha * inward * inward)
            self._pygame.draw.circle(surface, paint, center, radius * self._scale * (1 - ring / rings))
        self._merge(surface, (left, top))

    def polygon(self, points: Sequence[Point], color: Color, *, outline: float = 0, alpha: float = 1) -> None:
        """Draws a filled polygon, or with `outline` its edge as a line of that width around the corners."""
        if outline:
            self.path([*points, points[0]], outline, color, alpha=alpha)
            return
        surface, (left, top) = self._layer(self._bounds(points, 0), alpha)
        corners = [(px * self._scale - left, py * self._scale - top) for px, py in points]
        self._pygame.draw.polygon(surface, self._paint(color, alpha), corners)
        self._merge(surface, (left, top))

    def line(self, start: Point, end: Point, width: float, color: Color, *, alpha: float = 1) -> None:
        """Draws a straight line with round ends."""
        self.path((start, end), width, color, alpha=alpha)

    def path(self, points: Sequence[Point], width: float, color: Color, *, alpha: float = 1) -> None:
        """Draws straight lines from point to point, with round ends and joints."""
        surface, (left, top) = self._layer(self._bounds(points, width / 2), alpha)
        paint, half = self._paint(color, alpha), width * self._scale / 2
        corners = [(px * self._scale - left, py * self._scale - top) for px, py in points]
        for start, end in itertools.pairwise(corners):
            length = math.hypot(end[0] - start[0], end[1] - start[1])
            if length > 0:
                across = (half * (end[1] - start[1]) / length, half * (start[0] - end[0]) / length)
                sides = [(cx + s * across[0], cy + s * across[1]) for (cx, cy), s in
                         ((start, 1), (start, -1), (end, -1), (end, 1))]  # fmt: skip
                self._pygame.draw.polygon(surface, paint, sides)
        for corner in corners:
            self._pygame.draw.circle(surface, paint, corner, half)
        self._merge(surface, (left, top))

    def text(self, words: str, x: float, y: float, height: float, color: Color, anchor: Anchor = "center") -> None:
        """Writes a line of text.

        Args:
            words: The text.
            x: Where the anchor lies.
            y: Middle of the line.
            height: Height of the line.
            color: Colour.
            anchor: Whether x is the left end, the center or the right end of the text.
        """
        pixels = max(round(height * self._scale), 1)
        if pixels not in self._fonts:
            self._pygame.font.init()
            self._fonts[pixels] = self._pygame.font.Font(None, pixels)
        image = self._fonts[pixels].render(words, True, color)
        shift = {"left": 0.0, "center": 0.5, "right": 1.0}[anchor] * image.get_width()
        self._surface.blit(image, (x * self._scale - shift, y * self._scale - image.get_height() / 2))

    def edge_tick(self, y: float, color: Color) -> None:
        """Marks at the right edge, at height y, something that waits beyond it."""
        self.rectangle(WINDOW - 4, y - 4, 4, 8, color)

    def shift(self, across: float, down: float, color: Color) -> None:
        """Moves everything drawn so far, such as for a quake; the borders that this bares get a colour."""
        drawn = self._surface.copy()
        self._surface.fill(color)
        self._surface.blit(drawn, (round(across * self._scale), round(down * self._scale)))

    def _length(self, width: float) -> int:
        """A line's width on the fine surface; a line that is asked for never vanishes."""
        return max(round(width * self._scale), 1) if width else 0

    def _box(self, left: float, top: float, right: float, bottom: float) -> tuple[int, int, int, int]:
        """Left, top, width and height on the fine surface."""
        x, y = round(left * self._scale), round(top * self._scale)
        return x, y, max(round(right * self._scale) - x, 1), max(round(bottom * self._scale) - y, 1)

    def _bounds(self, points: Iterable[Point], margin: float) -> tuple[int, int, int, int]:
        xs, ys = zip(*points, strict=True)
        return self._box(min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin)

    def _layer(self, box: tuple[int, int, int, int], alpha: float) -> tuple[pygame.Surface, tuple[int, int]]:
        """The surface to draw on, and where its corner lies: the picture, or for translucent shapes one of their own.

        The latter ends at the edges of the picture: shapes may reach far beyond them.
        """
        if alpha >= 1:
            return self._surface, (0, 0)
        whole = self._pygame.Rect(0, 0, *self._surface.get_size())
        visible = self._pygame.Rect(box[0] - 1, box[1] - 1, box[2] + 2, box[3] + 2).clip(whole)
        return self._pygame.Surface(visible.size, self._pygame.SRCALPHA, 32), visible.topleft

    def _paint(self, color: Color, alpha: float) -> tuple[int, int, int, int]:
        return (*color, round(255 * min(max(alpha, 0), 1)))

    def _merge(self, layer: pygame.Surface, corner: tuple[int, int]) -> None:
        if layer is not self._surface:
            self._surface.blit(layer, corner)
