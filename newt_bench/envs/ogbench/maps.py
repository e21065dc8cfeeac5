"""Maps of the mazes, and where their episodes start and end.

Rows i are numbered from the top, columns j from the left; cell (i, j) is centred at x = 4 j - 4, y = 4 i - 4
metres. Two maps are OGBench's own (`arena` and `medium`), the others are new. Episodes stand in the order
that seeds refer to.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

__all__ = ["CELL_SIZE", "MAPS", "Cell", "Map", "centre"]

Cell = tuple[int, int]

#: Width of a cell in metres.
CELL_SIZE = 4.0


@dataclass(frozen=True)
class Map:
    """One maze.

    Attributes:
        walls: Rows of `1` for a wall and `0` for open floor.
        episodes: Pairs of start and goal cell; each is as likely as the others.
    """

    walls: tuple[str, ...]
    episodes: tuple[tuple[Cell, Cell], ...]

    def wall_cells(self) -> list[Cell]:
        """All walls, row by row."""
        return [(i, j) for i, row in enumerate(self.walls) for j, mark in enumerate(row) if mark == "1"]


def centre(cell: Cell) -> tuple[float, float]:
    """Position (x, y) of a cell's centre in metres."""
    i, j = cell
    return CELL_SIZE * (j - 1), CELL_SIZE * (i - 1)


def _parse_cells(text: str) -> list[Cell]:
    return [(int(pair[0]), int(pair[1])) for pair in text.split()]


def _pairs(cells: list[Cell], least_distance: int) -> tuple[tuple[Cell, Cell], ...]:
    """All ordered pairs of cells that are at least so many cells apart along rows and columns together."""
    return tuple(
        (start, goal)
        for start, goal in product(cells, cells)
        if abs(start[0] - goal[0]) + abs(start[1] - goal[1]) >= least_distance
    )


# The corner blocks and the centre: free in `bottleneck` and in `var2`.
_BLOCKS = _pairs(_parse_cells("11 12 21 22 55 56 65 66 15 25 16 26 51 61 52 62 33 34 43 44"), 3)
# Around the ring: free in `circle` and in `var1`.
_RING = _pairs(_parse_cells("21 12 22 31 13 41 51 52 62 63 64 65 55 56 46 14 15 25 26 36"), 3)
_SWIRL = _pairs(_parse_cells("11 12 21 16 26 15 61 62 51 66 56 65 33 34 43 44"), 3)
_MIDDLE = _pairs(_parse_cells("22 23 24 32 33 34 42 43 44"), 2)
_STARTS, _GOALS = "11 61 53 22 26 21 65 22 61 63", "66 16 24 61 11 45 46 44 21 33"
_LABYRINTH = tuple(zip(_parse_cells(_STARTS), _parse_cells(_GOALS), strict=True))

#: Maps by the name in the task's `simulator_id`.
MAPS = {
    "arena": Map(
        walls=(
            "11111111",
            "10000001",
            "10000001",
            "10000001",
            "10000001",
            "10000001",
            "10000001",
            "11111111",
        ),
        episodes=_MIDDLE,
    ),
    "medium": Map(
        walls=(
            "11111111",
            "10011001",
            "10010001",
            "11000111",
            "10010001",
            "10100101",
            "10001001",
            "11111111",
        ),
        episodes=_LABYRINTH,
    ),
    "bottleneck": Map(
        walls=(
            "11111111",
            "10011001",
            "10011001",
            "10000001",
            "10000001",
            "10011001",
            "10011001",
            "11111111",
        ),
        episodes=_BLOCKS,
    ),
    "circle": Map(
        walls=(
            "11111111",
            "11000011",
            "10011001",
            "10111101",
            "10111101",
            "10011001",
            "11000011",
            "11111111",
        ),
        episodes=_RING,
    ),
    "spiral": Map(
        walls=(
            "11111111",
            "10000001",
            "10101101",
            "10100001",
            "10000101",
            "10110101",
            "10000001",
            "11111111",
        ),
        episodes=_SWIRL,
    ),
    # The borders of the two held-out maps have gaps, through which the point can leave onto open floor.
    "var1": Map(
        walls=(
            "11110011",
            "11000011",
            "10000000",
            "10110100",
            "00100101",
            "10000000",
            "11000011",
            "11011111",
        ),
        episodes=_RING,
    ),
    "var2": Map(
        walls=(
            "00110011",
            "10000001",
            "10011000",
            "10000001",
            "00000001",
            "00011000",
            "10010001",
            "11010011",
        ),
        episodes=_BLOCKS,
    ),
}
