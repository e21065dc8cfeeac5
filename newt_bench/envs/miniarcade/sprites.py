"""Pictures of things that appear in several games."""

from __future__ import annotations

import math

import numpy as np

from newt_bench.envs.miniarcade.canvas import WINDOW, Canvas
from newt_bench.envs.miniarcade.palette import GOLD, GOLD_RIM, PAPER, ROCK, ROCK_LIGHT, ROCK_RIM

__all__ = ["PICKUP_STEPS", "asteroid", "coin", "coin_count", "pickup", "stars"]

#: For how many steps a collected coin is celebrated.
PICKUP_STEPS = 14


def coin(canvas: Canvas, x: float, y: float, radius: float) -> None:
    """Draws a gold coin."""
    canvas.disc(x, y, radius, GOLD_RIM)
    canvas.disc(x, y, 0.83 * radius, GOLD)
    canvas.disc(x, y, 0.58 * radius, GOLD_RIM, outline=0.13 * radius)
    canvas.disc(x - 0.28 * radius, y - 0.32 * radius, 0.17 * radius, PAPER, alpha=0.9)


def coin_count(canvas: Canvas, coins: int) -> None:
    """Writes the number of collected coins into the upper left corner."""
    coin(canvas, 11, 11, 6)
    canvas.text(str(coins), 20, 11.5, 20, PAPER, "left")


def pickup(canvas: Canvas, x: float, y: float, age: int) -> None:
    """Draws what remains of a coin, `age` steps after it was collected: a widening ring, and a rising +1."""
    if age >= PICKUP_STEPS:
        return
    part = age / PICKUP_STEPS
    canvas.disc(x, y, 9 + 14 * part, GOLD, outline=2, alpha=0.8 * (1 - part))
    canvas.text("+1", x, y - 8 - 16 * part, 17, GOLD)


def asteroid(canvas: Canvas, x: float, y: float, radius: float, turn: float, shape: np.random.Generator) -> None:
    """Draws a jagged rock.

    Args:
        canvas: Where to draw.
        x: Its center.
        y: Its center.
        radius: Mean radius of the outline.
        turn: Angle by which it has turned.
        shape: Draws the outline and the craters; the same numbers give the same rock.
    """
    corners = [
        (radius * r * math.cos(turn + a), radius * r * math.sin(turn + a))
        for r, a in zip(shape.uniform(0.86, 1.12, 14).tolist(), np.linspace(0, 2 * math.pi, 15).tolist(), strict=False)
    ]
    # The outline, the body in the shade, and its lit part, moved towards the light.
    for grow, shift, color in ((1.0, 0.0, ROCK_RIM), (0.89, 0.0, ROCK), (0.66, -0.13 * radius, ROCK_LIGHT)):
        canvas.polygon([(x + grow * cx + shift, y + grow * cy + shift) for cx, cy in corners], color)
    for far, angle, size in shape.uniform((0.25, 0, 0.1), (0.6, 2 * math.pi, 0.2), (4, 3)).tolist():
        crater_x = x + far * radius * math.cos(turn + angle)
        crater_y = y + far * radius * math.sin(turn + angle)
        canvas.disc(crater_x, crater_y, size * radius, ROCK_RIM, alpha=0.6)


def stars(canvas: Canvas, places: np.random.Generator, count: int, shift: float = 0) -> None:
    """Strews stars over the picture, dim ones and bright ones.

    Args:
        canvas: Where to draw.
        places: Draws where they are; the same numbers give the same sky.
        count: How many.
        shift: How far the nearest, brightest ones have moved to the left; the others move less.
    """
    for x, y, near in places.random((count, 3)).tolist():
        left = (WINDOW * x - shift * (0.4 + 0.6 * near)) % WINDOW
        canvas.disc(left, WINDOW * y, 0.5 + 0.6 * near, PAPER, alpha=0.35 + 0.6 * near)
