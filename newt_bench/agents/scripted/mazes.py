"""Point mazes: a shortest path through the cells, followed from centre to centre."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from newt_bench.agents.scripted.base import Action, Expert, Maker, State
from newt_bench.catalogue import Task

__all__ = ["EXPERTS"]

_Cell = tuple[int, int]


def _shortest_path(walls: Sequence[Sequence[bool]], start: _Cell, goal: _Cell) -> list[_Cell]:
    """Cells (row, column) from start to goal, both included."""
    before: dict[_Cell, _Cell] = {start: start}
    queue = deque([start])
    while queue:
        cell = queue.popleft()
        if cell == goal:
            break
        for row, column in (
            (cell[0] - 1, cell[1]),
            (cell[0] + 1, cell[1]),
            (cell[0], cell[1] - 1),
            (cell[0], cell[1] + 1),
        ):
            inside = 0 <= row < len(walls) and 0 <= column < len(walls[0])
            if inside and not walls[row][column] and (row, column) not in before:
                before[row, column] = cell
                queue.append((row, column))
    path = [goal]
    while path[-1] != start:
        path.append(before[path[-1]])
    return path[::-1]


class _Follower:
    """Goes from centre to centre of a path's cells, and then to the goal.

    Args:
        plan: From a first state to the points to pass, the goal last.
        locate: From a state to the position.
        reached: Distance, in x and in y, at which a point counts as passed.
        act: From a state and the way to the next point to an action.
    """

    def __init__(
        self,
        plan: Callable[[State], list[State]],
        locate: Callable[[State], State],
        reached: float,
        act: Callable[[State, State], Action],
    ) -> None:
        self._plan = plan
        self._locate = locate
        self._reached = reached
        self._act = act
        self._points: deque[State] = deque()

    def __call__(self, state: State) -> Action:
        if not self._points:
            self._points = deque(self._plan(state))
        position = self._locate(state)
        while len(self._points) > 1 and np.abs(self._points[0] - position).max() < self._reached:
            self._points.popleft()
        return self._act(state, self._points[0] - position)


_OG_SCALE = 20.0  # OGBench's observations are in units of so many metres


def _og_point(task: Task) -> Expert:
    """OGBench's point, which an action of 1 shifts by at least 0.2 m."""
    from newt_bench.envs.ogbench.maps import CELL_SIZE, MAPS, centre

    walls = [[mark == "1" for mark in row] for row in MAPS[task.simulator_id.split("-")[1]].walls]

    def cell(position: State) -> _Cell:
        return round(position[1] / CELL_SIZE) + 1, round(position[0] / CELL_SIZE) + 1

    def plan(state: State) -> list[State]:
        position, goal = state[:2] * _OG_SCALE, state[4:6] * _OG_SCALE
        inner = _shortest_path(walls, cell(position), cell(goal))[1:-1]
        return [*(np.array(centre(place)) for place in inner), goal]

    return _Follower(plan, lambda state: state[:2] * _OG_SCALE, 1.0, lambda state, way: way / 0.4)


_SIZE, _NEAR, _SIDE, _CELLS = 224.0, 20.0, 184.0, 5  # the MiniArcade's maze in pixels


def _game_point(task: Task) -> Expert:
    """The MiniArcade's disc, which an action of 1 shifts by 5 pixels, and the wind on top."""

    def cell(position: State) -> _Cell:
        row, column = np.clip((_CELLS * (position[::-1] - _NEAR) / _SIDE).astype(int), 0, _CELLS - 1)
        return int(row), int(column)

    def plan(state: State) -> list[State]:
        position, goal = state[0:2] * _SIZE, state[2:4] * _SIZE
        walls = (state[6:31].reshape(_CELLS, _CELLS) == 1).tolist()
        inner = _shortest_path(walls, cell(position), cell(goal))
        centres = [_NEAR + _SIDE / _CELLS * (np.array([column, row]) + 0.5) for row, column in inner]
        return [*(centres if len(centres) > 1 else []), goal]

    return _Follower(plan, lambda state: state[0:2] * _SIZE, 8.0, lambda state, way: way / 5 - state[40:42])


EXPERTS: dict[str, Maker] = {
    **{f"og-point-{name}": _og_point for name in ("arena", "maze", "bottleneck", "circle", "spiral", "var1", "var2")},
    **{f"pygame-point-maze-var{number}": _game_point for number in range(1, 9)},
}
