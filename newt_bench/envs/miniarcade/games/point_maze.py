"""Point maze: steer a disc through a walled square, one cell of which is windy, and stay at the goal."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from newt_bench.envs.miniarcade.canvas import Canvas, Color
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.geometry import clip, distance
from newt_bench.envs.miniarcade.palette import AGENT, AGENT_RIM, GOAL

__all__ = ["MAZES", "PointMaze"]

#: Mazes by variant, rows from top to bottom, `#` for walls. var1 to var4 are published; the others are this
#: project's own (var5 is a layout that the published games hold and never use).
MAZES: dict[str, tuple[str, ...]] = {
    "var1": ("#.##.", "..#..", "#...#", "..#..", ".##.#"),
    "var2": (".##..", "....#", ".##..", "..##.", "#...."),
    "var3": (".###.", "..#..", "..#..", "#...#", "#####"),
    "var4": ("##.##", "#...#", ".....", "#...#", "##.##"),
    "var5": (".##.#", "..#..", "#...#", "##...", "#..#."),
    "var6": (".....", "####.", "...#.", ".#.#.", ".#..."),
    "var7": ("##.##", "##.##", ".....", "##.##", "##.##"),
    "var8": (".....", ".#.#.", ".....", ".#.#.", "....."),
}

_CELLS = 5
_NEAR, _FAR = 20, 204  # the square's edges, in x and in y
_SIDE = _FAR - _NEAR
_EDGES = ((20, 57), (57, 94), (94, 131), (130, 167), (167, 204))  # cells 2 and 3 share a pixel
_RADIUS = 6
_LOWEST, _HIGHEST = _NEAR + _RADIUS + 1, _FAR - _RADIUS - 1  # of the disc's centre
_SPEED, _WIND = 5.0, 2.0  # pixels per step
_REACHED = 12.0  # distance to the goal that counts as success
_GOAL_DISTANCE = (36.8, 128.8)  # of a goal from the start
_DIRECTIONS = ((0, -1), (1, 0), (0, 1), (-1, 0))  # up, right, down, left
_TRIES = 4000
_TRAIL = 24

_OUTSIDE: Color = (6, 8, 10)
_FLOOR: tuple[Color, Color] = ((18, 21, 28), (26, 30, 40))
_WALL: Color = (180, 180, 190)
_WINDY: Color = (90, 150, 210)
_ARROW: Color = (120, 230, 255)


class PointMaze(Game):
    """The disc moves at the speed of the action, without inertia, plus that of the wind in the windy cell.

    The reward falls with the straight-line distance to the goal, walls or not. Success is to be within 12 pixels
    of the goal.

    Observation (44): position, goal and velocity; 25 cells row by row (1 wall, 0 free, -1 windy); the wind's
    direction, one-hot; offset and distance of the goal; whether it is reached; whether the disc is in the wind;
    the wind felt; the disc's row and column.

    Args:
        variant: A key of `MAZES`.
    """

    def __init__(self, variant: str) -> None:
        maze = MAZES[variant]
        self._free = [(row, column) for row in range(_CELLS) for column in range(_CELLS) if maze[row][column] == "."]
        self._walls = [(row, column) for row in range(_CELLS) for column in range(_CELLS) if maze[row][column] == "#"]
        self._map = [float(cell == "#") for row in maze for cell in row]
        self._blocked = self._positions_in_walls()

    def _positions_in_walls(self) -> set[tuple[int, int]]:
        """Pixels on which the disc would touch a wall: walls grow by the radius to every side, as squares."""
        blocked: set[tuple[int, int]] = set()
        for row, column in self._walls:
            left, right = _EDGES[column]
            top, bottom = _EDGES[row]
            for x in range(left - _RADIUS, right + _RADIUS):
                blocked.update((x, y) for y in range(top - _RADIUS, bottom + _RADIUS))
        return blocked

    def setup(self) -> None:
        """Draws the windy cell, the wind's direction, the disc's start and the goal."""
        row, column = self._free[self.rng.integers(len(self._free))]
        self._wind_direction = int(self.rng.integers(len(_DIRECTIONS)))
        self._windy_cell = (row, column)
        self._cells = list(self._map)
        self._cells[_CELLS * row + column] = -1.0
        self._x, self._y = self._draw_position()
        self._goal = self._draw_position(self._x, self._y)
        self._vx = self._vy = 0.0
        self._trail: deque[tuple[float, float]] = deque(maxlen=_TRAIL)
        self._wind = (0.0, 0.0)

    def _draw_position(self, *start: float) -> tuple[float, float]:
        """A free position; with a start, one whose distance from it suits a goal."""
        for _ in range(_TRIES):
            x, y = self.rng.uniform(28, 196, 2).tolist()
            if (int(x), int(y)) in self._blocked:
                continue
            if not start or _GOAL_DISTANCE[0] <= distance(x, y, *start) <= _GOAL_DISTANCE[1]:
                return x, y
        return 112.0, 112.0

    def _wind_here(self) -> tuple[float, float]:
        row, column = self._windy_cell
        (left, right), (top, bottom) = _EDGES[column], _EDGES[row]
        if left <= int(self._x) < right and top <= int(self._y) < bottom:
            across, along = _DIRECTIONS[self._wind_direction]
            return _WIND * across, _WIND * along
        return 0.0, 0.0

    def advance(self, action: Sequence[float]) -> float:
        """Moves the disc along x, then along y; a move into a wall is refused whole."""
        wind_x, wind_y = self._wind_here()
        self._vx = _SPEED * action[0] + wind_x
        self._vy = _SPEED * action[1] + wind_y
        self._trail.append((self._x, self._y))
        x = clip(self._x + self._vx, _LOWEST, _HIGHEST)
        if (int(x), int(self._y)) not in self._blocked:
            self._x = x
        y = clip(self._y + self._vy, _LOWEST, _HIGHEST)
        if (int(self._x), int(y)) not in self._blocked:
            self._y = y
        far = distance(self._x, self._y, *self._goal)
        self.success = far <= _REACHED
        return 1 - min(far / _SIDE, 1.0)

    def observe(self) -> list[float]:
        """See the class."""
        goal_x, goal_y = self._goal
        across, along = (goal_x - self._x) / _SIDE, (goal_y - self._y) / _SIDE
        far = distance(self._x, self._y, goal_x, goal_y)
        wind_x, wind_y = self._wind_here()
        direction = [0.0] * len(_DIRECTIONS)
        direction[self._wind_direction] = 1.0
        return [
            *(self._x / 224, self._y / 224, goal_x / 224, goal_y / 224, self._vx / _SPEED, self._vy / _SPEED),
            *self._cells,
            *direction,
            *(across, along, far / _SIDE),
            *(float(far <= _REACHED), float(wind_x != 0 or wind_y != 0), wind_x / _SPEED, wind_y / _SPEED),
            *(self._index(self._y) / 4, self._index(self._x) / 4),
        ]

    @staticmethod
    def _index(coordinate: float) -> int:
        """Row or column by exact fifths of the side, which differ from the cells' own pixels by one at most."""
        return min(max(int(_CELLS * (coordinate - _NEAR) // _SIDE), 0), _CELLS - 1)

    def draw(self, canvas: Canvas) -> None:
        """Draws the maze, the wind, the goal and the disc with its trail."""
        canvas.fill(_OUTSIDE)
        canvas.gradient(*_FLOOR, _NEAR, _NEAR, _SIDE, _SIDE)
        self._draw_wind(canvas)
        for row, column in self._walls:
            self._draw_wall(canvas, row, column)
        canvas.rectangle(_NEAR - 3, _NEAR - 3, _SIDE + 6, _SIDE + 6, _WALL, corner=4, outline=3)
        canvas.glow(*self._goal, 19, GOAL, 0.14)
        canvas.disc(*self._goal, _RADIUS, GOAL)
        for age, (x, y) in enumerate(reversed(self._trail)):
            canvas.disc(x, y, 3 - 2 * age / _TRAIL, AGENT, alpha=0.35 * (1 - age / _TRAIL))
        canvas.disc(self._x, self._y, _RADIUS, AGENT_RIM)
        canvas.disc(self._x, self._y, _RADIUS - 1.5, AGENT)

    def _draw_wall(self, canvas: Canvas, row: int, column: int) -> None:
        """One block, joined to the walls next to it."""
        (left, right), (top, bottom) = _EDGES[column], _EDGES[row]
        canvas.rectangle(left, top, right - left, bottom - top, _WALL, corner=5)
        if (row, column + 1) in self._walls:
            canvas.rectangle(right - 6, top, 12, bottom - top, _WALL)
        if (row + 1, column) in self._walls:
            canvas.rectangle(left, bottom - 6, right - left, 12, _WALL)

    def _draw_wind(self, canvas: Canvas) -> None:
        row, column = self._windy_cell
        (left, right), (top, bottom) = _EDGES[column], _EDGES[row]
        canvas.rectangle(left, top, right - left, bottom - top, _WINDY, alpha=0.25)
        x, y = (left + right) / 2, (top + bottom) / 2
        ahead_x, ahead_y = _DIRECTIONS[self._wind_direction]
        tip, tail = (x + 11 * ahead_x, y + 11 * ahead_y), (x - 11 * ahead_x, y - 11 * ahead_y)
        canvas.line(tail, tip, 2.5, _ARROW)
        for side in (-1, 1):
            wing = (tip[0] - 6 * ahead_x + 6 * side * ahead_y, tip[1] - 6 * ahead_y + 6 * side * ahead_x)
            canvas.line(wing, tip, 2.5, _ARROW)
