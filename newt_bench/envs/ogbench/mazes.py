"""Goal reaching in mazes, as a point or as an ant.

Models and starts are those of OGBench's `locomaze`. Observations, rewards and success are our own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ogbench.locomaze.ant import AntEnv
from ogbench.locomaze.point import PointEnv

from newt_bench.catalogue import Task
from newt_bench.envs.offscreen import FreeView, OffscreenCamera
from newt_bench.envs.ogbench.maps import CELL_SIZE, MAPS, Map, centre
from newt_bench.envs.ogbench.models import Geometry, add, add_target, make_robot
from newt_bench.envs.ogbench.simulation import RobotSimulation

__all__ = ["MazeRules", "make_maze"]

_WALL_HEIGHT = 2.0  # metres
_SPREAD = 1.0  # starts and goals lie up to this far from the centres of their cells, in x and in y
_SCALE = 20.0  # divides observations and distances in rewards: about the width of the free floor in metres

_Vector = NDArray[np.float64]


@dataclass(frozen=True)
class _Body:
    """What differs between the robots.

    Attributes:
        robot_class: OGBench's environment.
        reach: Distance from the goal that counts as success, in metres.
        motion_cost: Weight of the length of the motion vector in the reward.
        sense: From qpos, qvel and the displacement in the last simulator step (metres) to the robot's part of the
            observation, and to its motion vector.
    """

    robot_class: Any
    reach: float
    motion_cost: float
    sense: Callable[[_Vector, _Vector, _Vector], tuple[tuple[_Vector, ...], _Vector]]


_BODIES = {
    # OGBench shifts the point and zeroes its velocity, hence the displacement.
    "point": _Body(PointEnv, 1.0, 0.025, lambda qpos, qvel, moved: ((qpos, moved), moved)),
    "ant": _Body(AntEnv, 0.5, 0.001, lambda qpos, qvel, moved: ((qpos, qvel, qpos[:2]), qvel)),
}


def make_maze(task: Task) -> RobotSimulation:
    """Builds a maze task; `task.simulator_id` is `<robot>maze-<map>-v0`."""
    robot_name, map_name, _ = task.simulator_id.split("-")
    body, maze = _BODIES[robot_name.removesuffix("maze")], MAPS[map_name]
    robot = make_robot(body.robot_class, partial(_build, maze))
    view = FreeView(lookat=(*_middle(maze), 0.0), distance=30, azimuth=90, elevation=-90)
    camera = OffscreenCamera(robot.model, robot.data, view)
    return RobotSimulation(robot, MazeRules(robot, body, maze), camera, task.action_repeat)


def _middle(maze: Map) -> tuple[float, float]:
    """The middle of the map in metres, as OGBench has it: half a cell short of the true one."""
    return 2.0 * (len(maze.walls[0]) - 3), 2.0 * (len(maze.walls) - 3)


def _build(maze: Map, world: Geometry) -> None:
    """Puts up walls and the goal, and lays the floor below them."""
    for cell in maze.wall_cells():
        half = (CELL_SIZE / 2, CELL_SIZE / 2, _WALL_HEIGHT / 2)
        place = (*centre(cell), _WALL_HEIGHT / 2)
        add(world, "geom", type="box", pos=place, size=half, contype=1, conaffinity=1, material="wall")
    add_target(world, radius=0.5)
    floor = world.find("geom[@name='floor']")
    assert floor is not None
    x, y = _middle(maze)
    floor.set("pos", f"{x} {y} 0")
    floor.set("size", f"{CELL_SIZE / 2 * len(maze.walls[0])} {CELL_SIZE / 2 * len(maze.walls)} 0.2")


class MazeRules:
    """Reach the goal: its position, the robot's and the way between them are observed.

    The reward is success, minus distance (mean of L1 and L2) and effort, both scaled. Success: within reach.

    Args:
        robot: The robot in its maze.
        body: What kind of robot it is.
        maze: The map.
    """

    def __init__(self, robot: Any, body: _Body, maze: Map) -> None:
        self._robot = robot
        self._qpos: _Vector = robot.data.qpos  # views of the simulator's memory, as is the target's position
        self._qvel: _Vector = robot.data.qvel
        self._target: _Vector = robot.model.geom("target").pos[:2]
        self._body = body
        self._maze = maze
        self._goal = np.zeros(2)
        self._before = np.zeros(2)

    def begin(self, random: np.random.RandomState) -> None:
        """See `Rules.begin`."""
        start_cell, goal_cell = self._maze.episodes[random.randint(len(self._maze.episodes))]
        start = centre(start_cell) + random.uniform(-_SPREAD, _SPREAD, 2)
        self._goal = centre(goal_cell) + random.uniform(-_SPREAD, _SPREAD, 2)
        self._target[:] = self._goal
        self._robot.set_xy(start)
        self._before = start

    def observe(self) -> NDArray[np.float64]:
        """See `Rules.observe`. Lengths, angles and speeds are all divided by 20."""
        own, _ = self._sense()
        way = self._qpos[:2] - self._goal
        return np.concatenate((*own, self._goal, way, [np.linalg.norm(way)])) / _SCALE

    def _sense(self) -> tuple[tuple[_Vector, ...], _Vector]:
        return self._body.sense(self._qpos, self._qvel, self._qpos[:2] - self._before)

    def before_step(self) -> None:
        """See `Rules.before_step`."""
        self._before = self._qpos[:2].copy()

    def judge(self) -> tuple[float, float]:
        """See `Rules.judge`. Both are those of the last simulator step; nothing is summed over repeats."""
        _, motion = self._sense()
        way = self._qpos[:2] - self._goal
        distance = float(np.linalg.norm(way))
        success = float(distance <= self._body.reach)
        effort = self._body.motion_cost * float(np.linalg.norm(motion))
        cost = 0.5 * float(np.abs(way).sum()) + 0.5 * distance + effort
        return success - cost / _SCALE, success
