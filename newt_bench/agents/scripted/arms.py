"""Reachers: inverse kinematics of an arm of two links, and feedback that turns the joints there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from newt_bench.agents.scripted.base import Action, Expert, Maker, State
from newt_bench.catalogue import Task

__all__ = ["EXPERTS"]


class _Pose(NamedTuple):
    """What the feedback needs, in radians, radians per second and metres."""

    joints: State
    speeds: State
    target: State


class _Arm(NamedTuple):
    """An arm in the plane.

    Attributes:
        upper: Length of the first link, in metres.
        lower: Length of the second.
        limit: How far the second joint bends either way.
        gain: Action per radian of the joints.
        damping: Action per radian per second.
        read: From an observation to the pose.
    """

    upper: float
    lower: float
    limit: float
    gain: tuple[float, float]
    damping: tuple[float, float]
    read: Callable[[_Arm, State], _Pose]

    def tip(self, joints: State) -> State:
        """Where the tip is when the joints are turned so."""
        first, both = joints[0], joints[0] + joints[1]
        return np.array(
            [
                self.upper * math.cos(first) + self.lower * math.cos(both),
                self.upper * math.sin(first) + self.lower * math.sin(both),
            ]
        )

    def solve(self, target: State, bend: float) -> State:
        """Joints that bring the tip to the target, or as near as it gets; the elbow bends to the side of `bend`."""
        squared = float(target @ target)
        cosine = (squared - self.upper**2 - self.lower**2) / (2 * self.upper * self.lower)
        elbow = min(math.acos(min(max(cosine, -1.0), 1.0)), self.limit)
        elbow = math.copysign(elbow, bend)
        shoulder = math.atan2(target[1], target[0]) - math.atan2(
            self.lower * math.sin(elbow), self.upper + self.lower * math.cos(elbow)
        )
        return np.array([shoulder, elbow])


def _suite(arm: _Arm, state: State) -> _Pose:
    """The suite's reacher: joints, way from the tip to the target, speeds."""
    return _Pose(state[:2], state[4:6], arm.tip(state[:2]) + state[2:4])


def _game(arm: _Arm, state: State) -> _Pose:
    """The MiniArcade's: the same order."""
    return _Pose(state[:2], state[4:6], arm.tip(state[:2]) + state[2:4])


def _gymnasium(arm: _Arm, state: State) -> _Pose:
    """Gymnasium's: cosines and sines of the joints, target, speeds, way from the target to the tip."""
    return _Pose(np.arctan2(state[2:4], state[0:2]), state[6:8], state[4:6])


def _expert(arm: _Arm) -> Maker:
    def make(task: Task) -> Expert:
        side: list[float] = []

        def act(state: State) -> Action:
            pose = arm.read(arm, state)
            if not side:  # the elbow stays on the side where the target is nearer at first
                ways = [np.abs(_way(pose.joints, arm.solve(pose.target, bend))).sum() for bend in (1.0, -1.0)]
                side.append(1.0 if ways[0] <= ways[1] else -1.0)
            way = _way(pose.joints, arm.solve(pose.target, side[0]))
            return np.array(arm.gain) * way - np.array(arm.damping) * pose.speeds

        return act

    return make


def _way(joints: State, goal: State) -> State:
    """How far each joint has to turn: the first any way round, the second without crossing its limit."""
    return np.array([math.remainder(goal[0] - joints[0], 2 * math.pi), goal[1] - joints[1]])


_SUITE = _expert(_Arm(0.12, 0.12, math.radians(160), (3.0, 3.0), (0.6, 0.4), _suite))
_GYMNASIUM = _expert(_Arm(0.1, 0.11, 3.0, (0.6, 0.3), (0.08, 0.04), _gymnasium))


def _game_arm(upper: float, lower: float) -> Maker:
    return _expert(_Arm(upper, lower, math.radians(160), (4.0, 4.0), (0.35, 0.15), _game))


EXPERTS: dict[str, Maker] = {
    "reacher-easy": _SUITE,
    "reacher-hard": _SUITE,
    "mujoco-reacher": _GYMNASIUM,
    "pygame-reacher-easy": _game_arm(0.11, 0.11),
    "pygame-reacher-hard": _game_arm(0.11, 0.11),
    "pygame-reacher-var1": _game_arm(0.14, 0.08),
    "pygame-reacher-var2": _game_arm(0.08, 0.14),
}
