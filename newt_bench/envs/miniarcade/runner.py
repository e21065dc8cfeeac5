"""The runner of the games in which the world scrolls past a figure that jumps: its motion, and shared scenery."""

from __future__ import annotations

import math

import numpy as np

from newt_bench.envs.miniarcade.canvas import WINDOW, Canvas, Color
from newt_bench.envs.miniarcade.geometry import Rect

__all__ = ["GROUND", "HEIGHT", "LEFT", "MIDDLE", "SCROLL", "WIDTH", "Runner", "draw_clouds", "scrolled"]

#: The runner's box; only its top edge moves.
LEFT, WIDTH, HEIGHT = 40, 18, 30
MIDDLE = LEFT + WIDTH / 2
#: Height of the ground.
GROUND = 184
#: Pixels by which the world moves to the left in a step.
SCROLL = 10

_STANDING = float(GROUND - HEIGHT)
_JUMP, _GRAVITY = 12.0, 1.0
_CLOUD: Color = (246, 250, 255)


class Runner:
    """A box that jumps from the ground and falls.

    Attributes:
        y: Its top edge; 154 on the ground.
        v: Its vertical speed in pixels per step, positive downwards.
    """

    def __init__(self) -> None:
        self.y = _STANDING
        self.v = 0.0

    @property
    def grounded(self) -> bool:
        """Whether it stands on the ground, from where alone it can jump."""
        return self.y >= _STANDING - 0.001

    def move(self, jump: float) -> None:
        """Moves by one step; on the ground, a positive `jump` is the strength of a jump.

        A landing that meets the ground to the pixel leaves the speed for one more step, as published.
        """
        if jump > 0 and self.grounded:
            self.v = -_JUMP * jump
        self.v += _GRAVITY
        self.y += self.v
        if self.y > _STANDING:
            self.stand(GROUND)

    def stand(self, top: float) -> None:
        """Puts the runner at rest onto something that reaches up to `top`."""
        self.y = float(top - HEIGHT)
        self.v = 0.0

    def rectangle(self) -> Rect:
        """What collides: the box on whole pixels."""
        return Rect(LEFT, math.floor(self.y), WIDTH, HEIGHT)

    def observe(self) -> tuple[float, float]:
        """Height (0 on the ground, negative above) and speed, scaled as in the observations."""
        return (self.y - _STANDING) / 224, self.v / 10

    def draw_shadow(self, canvas: Canvas) -> None:
        """The shadow on the ground, smaller the higher the runner is."""
        half = 11 - 6 * min((_STANDING - self.y) / 70, 1)
        canvas.rectangle(MIDDLE - half, GROUND - 1.5, 2 * half, 4, (20, 20, 30), corner=2, alpha=0.28)

    def draw_legs(self, canvas: Canvas, stride: float | None, cloth: Color, shoe: Color) -> None:
        """The legs, from the hips to the lower edge of the box.

        Args:
            canvas: Where to draw.
            stride: Strides since the start, for the swing of running legs; None for standing ones. In the air, the
                legs are spread.
            cloth: Colour of the legs.
            shoe: Colour of the shoes.
        """
        hip, sole = self.y + 21, self.y + HEIGHT - 1.5
        for side in (-1, 1):
            if not self.grounded:
                knee, foot = (MIDDLE + 4 * side + 1, hip + 3), (MIDDLE + 7 * side - 1, sole - 1 - 2 * side)
            elif stride is None:
                knee, foot = (MIDDLE + 2 * side, hip + 4), (MIDDLE + 2.5 * side, sole)
            else:
                angle = 2 * math.pi * stride + (0 if side > 0 else math.pi)
                knee = (MIDDLE + 3 * math.cos(angle) + 1.5, hip + 4)
                foot = (MIDDLE + 7 * math.cos(angle), sole - max(0.0, -5 * math.sin(angle)))
            canvas.path([(MIDDLE, hip), knee, foot], 3.2, cloth)
            canvas.path([foot, (foot[0] + 2.5, foot[1])], 3, shoe)


def scrolled(x: float, way: float, margin: float = 20) -> float:
    """Where a thing of the scenery is after the world has moved by `way`; it comes back again and again."""
    return (x - way) % (WINDOW + 2 * margin) - margin


def draw_clouds(canvas: Canvas, way: float, rng: np.random.Generator) -> None:
    """Clouds that move slower than the ground, nearer ones faster."""
    for number, start in enumerate(rng.uniform(0, 70, 4).tolist()):
        x = scrolled(76 * number + start, way * (0.18 + 0.08 * number), 40)
        y, size = 18 + 13 * ((2 * number) % 4) + 0.1 * start, 0.8 + 0.12 * number
        for shift, rise, radius in ((-13, 0, 6), (-4, -4, 8.5), (7, -2, 7.5), (15, 1, 5)):
            canvas.disc(x + size * shift, y + size * rise, size * radius, _CLOUD)
        canvas.rectangle(x - 18 * size, y, 37 * size, 6 * size, _CLOUD, corner=3 * size)
