"""The suite's ball in a cup: whirling the ball around."""

from __future__ import annotations

from typing import Any

import numpy as np
from dm_control.rl import control
from dm_control.suite import ball_in_cup as suite
from dm_control.utils import containers

from newt_bench.envs.dmcontrol_ext.shaping import fast

__all__ = ["SUITE", "Physics", "Spin"]

SUITE = containers.TaggedTasks()

_TIME_LIMIT = 20  # seconds
_CONTROL_TIMESTEP = 0.02  # seconds
_BALL_SPEED = 6  # metres per second
_BALL_DISTANCE = 0.5  # metres; the string is shorter
_CHANCE_OF_A_FREE_START = 0.1


@SUITE.add()
def spin(random: Any = None) -> control.Environment:
    """The ball fast and far outside the cup."""
    physics = Physics.from_xml_string(*suite.get_model_and_assets())
    return control.Environment(physics, Spin(random), time_limit=_TIME_LIMIT, control_timestep=_CONTROL_TIMESTEP)


class Physics(suite.Physics):
    """The ball in a cup, with measures of the ball."""

    def ball_distance(self) -> float:
        """Between the ball and the middle of the cup, in metres."""
        return float(np.linalg.norm(self.ball_to_target()))

    def ball_speed(self) -> float:
        """Of the ball in the world, not relative to the cup, in metres per second."""
        return float(np.linalg.norm(self.named.data.qvel[["ball_x", "ball_z"]]))


class Spin(suite.BallInCup):
    """Whirls the ball. It starts in the cup, and sometimes anywhere."""

    def initialize_episode(self, physics: Physics) -> None:
        """Draws positions of the ball, free of contact, until one is in the cup; or takes the first, now and then."""
        anywhere = self.random.uniform() < _CHANCE_OF_A_FREE_START
        super().initialize_episode(physics)
        while not (anywhere or physics.in_target()):
            super().initialize_episode(physics)

    def get_reward(self, physics: Physics) -> float:
        """A third for the ball's distance, two for its speed; none while it is in the cup."""
        far = fast(physics.ball_distance(), _BALL_DISTANCE)
        return float((1 - physics.in_target()) * (far + 2 * fast(physics.ball_speed(), _BALL_SPEED)) / 3)
