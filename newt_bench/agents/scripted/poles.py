"""Cartpoles and pendulums: pump energy until the pole is nearly upright, then hold it by linear feedback."""

from __future__ import annotations

import math

from newt_bench.agents.scripted.base import Action, Maker, State, stateless

__all__ = ["EXPERTS"]

_NEAR, _SLOW = 0.35, 3.5  # rad and rad/s within which linear feedback catches the pole


def _suite_cartpole(state: State) -> Action:
    """Position, cosine and sine of the pole's angle, velocities; one unit of action is 10 N."""
    x, cosine, sine, v, omega = state
    angle = math.atan2(sine, cosine)
    if abs(angle) < 0.5 and abs(omega) < 4:
        return [1.2 * x + 1.8 * v + 8.0 * angle + 1.8 * omega]
    energy = 0.5 * 0.0333 * omega**2 + 0.49 * (cosine - 1)  # 0 upright and at rest
    return [15 * energy * omega * cosine - 0.4 * x - 0.3 * v]


def _game_cartpole_hold(state: State) -> Action:
    """Position, velocity, angle, angular velocity."""
    x, v, angle, omega = state
    return [(40 * angle + 10 * omega + 1.5 * x + 3 * v) / 11]


def _game_cartpole_swing(state: State) -> Action:
    x, v, angle, omega = state
    wrapped = math.remainder(angle, 2 * math.pi)
    if abs(wrapped) < _NEAR and abs(omega) < _SLOW:
        return _game_cartpole_hold(state)
    energy = 0.4 * omega**2 + 9.81 * (math.cos(angle) - 1)
    pump = min(max(6 * energy * omega * math.cos(angle), -9), 9)
    return [(pump - 1.5 * x - v) / 11]


def _suite_pendulum(state: State) -> Action:
    """Cosine and sine of the angle from upright, angular velocity."""
    cosine, sine, omega = state
    angle = math.atan2(sine, cosine)
    if abs(angle) < 0.3 and abs(omega) < 2:
        return [-12 * angle - 3 * omega]
    energy = 0.5 * 0.25 * omega**2 + 9.81 * 0.5 * (cosine - 1)
    return [-math.copysign(1.0, energy * omega)]


def _mujoco_pendulum(state: State) -> Action:
    """Position, angle, and their velocities."""
    x, angle, v, omega = state
    return [0.25 * x + 3.0 * angle + 0.4 * v + 0.6 * omega]


EXPERTS: dict[str, Maker] = {
    **dict.fromkeys(
        (
            "cartpole-balance",
            "cartpole-balance-sparse",
            "cartpole-swingup",
            "cartpole-swingup-sparse",
        ),
        stateless(_suite_cartpole),
    ),
    **dict.fromkeys(
        ("pygame-cartpole-balance", "pygame-cartpole-balance-sparse", "pygame-cartpole-tremor"),
        stateless(_game_cartpole_hold),
    ),
    **dict.fromkeys(("pygame-cartpole-swingup", "pygame-cartpole-swingup-sparse"), stateless(_game_cartpole_swing)),
    "pendulum-swingup": stateless(_suite_pendulum),
    "mujoco-inverted-pendulum": stateless(_mujoco_pendulum),
}
