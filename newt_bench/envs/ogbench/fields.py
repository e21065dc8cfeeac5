"""The ant on open floor: running in given directions, and pushing a ball.

Both follow OGBench's `online_locomotion`. The ball's goal lies nearer than there. OGBench's own ball
environment draws a frame while it is built; this one does not, so that its states need no graphics.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ogbench.online_locomotion.ant import AntEnv

from newt_bench.catalogue import Task
from newt_bench.envs.offscreen import FreeView, OffscreenCamera
from newt_bench.envs.ogbench.models import Geometry, add, add_target, make_robot
from newt_bench.envs.ogbench.simulation import RobotSimulation

__all__ = ["BallRules", "DirectionRules", "make_ball", "make_direction"]

_DIRECTION_STEPS = 100  # agent steps for which a direction holds
_BALL = slice(15, 17)  # the ball's x and y in qpos, behind the ant's 15 entries
_BALL_REACH = 0.5  # distance between ball and goal that counts as success, in metres
# Half the width of the squares around the origin in which an episode begins, in metres.
_ANT_RANGE, _BALL_RANGE, _GOAL_RANGE = 1.0, 2.0, 3.0


def make_direction(task: Task) -> RobotSimulation:
    """Builds the task of running in given directions."""
    robot = AntEnv()
    camera = OffscreenCamera(robot.model, robot.data, "track")
    return RobotSimulation(robot, DirectionRules(robot), camera, task.action_repeat)


def make_ball(task: Task) -> RobotSimulation:
    """Builds the task of pushing a ball to a goal."""
    robot = make_robot(AntEnv, _add_ball)
    view = FreeView(lookat=(0, 0, 0.7), distance=8, azimuth=90, elevation=-90)
    camera = OffscreenCamera(robot.model, robot.data, view)
    return RobotSimulation(robot, BallRules(robot), camera, task.action_repeat)


def _add_ball(world: Geometry) -> None:
    """Adds a ball that drops from a height of three metres, and the goal."""
    add_target(world, radius=0.4)
    ball = add(world, "body", name="ball", pos=(0, 0, 3))
    add(ball, "freejoint", name="ball_root")
    add(ball, "geom", name="ball", size=0.25, material="ball", priority=1, conaffinity=1, condim=6)
    add(ball, "light", name="ball_light", pos=(0, 0, 4), mode="trackcom")


class DirectionRules:
    """Run in the observed direction, which is drawn anew every 100 steps.

    The reward is the torso's displacement along the direction in this step, in metres. No success.

    Args:
        robot: The ant.
    """

    def __init__(self, robot: Any) -> None:
        self._qpos = robot.data.qpos
        self._qvel = robot.data.qvel
        self._random = np.random.RandomState(0)
        self._direction = np.zeros(2)
        self._before = np.zeros(2)
        self._steps = 0

    def begin(self, random: np.random.RandomState) -> None:
        """See `Rules.begin`."""
        self._random = random
        self._steps = 0
        self._turn()

    def _turn(self) -> None:
        """Draws a direction, all equally likely."""
        vector = self._random.standard_normal(2)
        self._direction = vector / np.linalg.norm(vector)

    def observe(self) -> NDArray[np.float64]:
        """See `Rules.observe`. The robot's coordinates except x and y, its velocities, the direction."""
        return np.concatenate((self._qpos[2:], self._qvel, self._direction))

    def before_step(self) -> None:
        """See `Rules.before_step`."""
        self._before = self._qpos[:2].copy()

    def judge(self) -> tuple[float, float]:
        """See `Rules.judge`. A step is rewarded by the direction that was observed before it."""
        reward = float((self._qpos[:2] - self._before) @ self._direction)
        self._steps += 1
        if self._steps % _DIRECTION_STEPS == 0:
            self._turn()
        return reward, math.nan


class BallRules:
    """Push the ball to the goal.

    The reward is 25 times the metres by which the ball came nearer to the goal in this step, plus 10 times
    those by which the ant came nearer to the ball. Success: the ball is within half a metre of the goal.

    Args:
        robot: The ant, with the ball.
    """

    def __init__(self, robot: Any) -> None:
        self._robot = robot
        self._qpos = robot.data.qpos
        self._qvel = robot.data.qvel
        self._target = robot.model.geom("target").pos[:2]
        self._goal = np.zeros(2)
        self._before = (0.0, 0.0)

    def begin(self, random: np.random.RandomState) -> None:
        """See `Rules.begin`."""
        qpos = self._qpos.copy()
        qpos[:2] = random.uniform(-_ANT_RANGE, _ANT_RANGE, 2)
        qpos[_BALL] = random.uniform(-_BALL_RANGE, _BALL_RANGE, 2)
        self._goal = random.uniform(-_GOAL_RANGE, _GOAL_RANGE, 2)
        self._target[:] = self._goal
        self._robot.set_state(qpos, self._qvel.copy())

    def observe(self) -> NDArray[np.float64]:
        """See `Rules.observe`.

        The ant's coordinates except x and y (13), the ball's (5), all velocities (20), the ball from the
        ant (2), the goal from the ball (2).
        """
        ant, ball = self._qpos[:2], self._qpos[_BALL]
        own, others = self._qpos[2 : _BALL.start], self._qpos[_BALL.stop :]
        return np.concatenate((own, others, self._qvel, ball - ant, self._goal - ball))

    def _distances(self) -> tuple[float, float]:
        """From the ball to the goal, and from the ant to the ball."""
        ball = self._qpos[_BALL]
        return float(np.linalg.norm(ball - self._goal)), float(np.linalg.norm(self._qpos[:2] - ball))

    def before_step(self) -> None:
        """See `Rules.before_step`."""
        self._before = self._distances()

    def judge(self) -> tuple[float, float]:
        """See `Rules.judge`."""
        to_goal, to_ball = self._distances()
        reward = 25.0 * (self._before[0] - to_goal) + 10.0 * (self._before[1] - to_ball)
        return reward, float(to_goal <= _BALL_REACH)
