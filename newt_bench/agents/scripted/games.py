"""Games of the MiniArcade. Positions and speeds are in pixels of the 224 x 224 canvas, and pixels per step."""

from __future__ import annotations

import math

import numpy as np

from newt_bench.agents.scripted.base import Action, Maker, State, stateless

__all__ = ["EXPERTS"]

_SIZE = 224.0


def _air_hockey(state: State) -> Action:
    """Strikes the puck from below in the own half, and waits behind it otherwise."""
    puck, velocity, own = state[0:2] * _SIZE, state[2:4] * 12, state[4:6] * _SIZE
    target = puck + velocity + [0, 6] if puck[1] > 112 else np.array([puck[0], 176.0])
    return (target - own) / 7.5


def _bird_attack(state: State) -> Action:
    """Fires all the time below the nearest bird, and runs from shots that come near."""
    left = state[0] * _SIZE
    centre = left + 7
    shots = state[30:50].reshape(10, 2) * _SIZE
    threats = [(y, x) for x, y in shots if y > 110 and abs(x - centre) < 13]
    big_x, big_y = state[51:53] * _SIZE
    if big_y > 90 and abs(big_x - centre) < 30:
        threats.append((big_y, big_x))
    if threats:
        away = 1.0 if centre >= max(threats)[1] else -1.0
        return [1.0 if left < 26 else -1.0 if left > 184 else away, 1.0]
    birds = state[3 : 3 + round(state[2] * 16)] * _SIZE + 7
    if not len(birds):
        return [0.0, 1.0]
    return [(birds[np.abs(birds - centre).argmin()] - centre) / 6, 1.0]


def _chase_evade(state: State) -> Action:
    """Runs straight after the other, or away from it and round the middle; keeps off the pillars."""
    own, other = state[0:2] * _SIZE, state[4:6] * _SIZE
    way = other - own
    if state[8] > 0.5:
        way = -way / (np.linalg.norm(way) + 1e-9)
        out = own - 112
        far = float(np.linalg.norm(out))
        if far > 60:
            along = np.array([-out[1], out[0]]) / far
            way = math.copysign(1, along @ way) * along + 0.2 * way - 0.3 * out / far
    way = way / (np.linalg.norm(way) + 1e-9)
    for pillar in state[9:15].reshape(3, 2) * _SIZE:
        off = own - pillar
        far = float(np.linalg.norm(off))
        if far < 30:
            way = way + (30 - far) / 15 * off / (far + 1e-9)
    return np.asarray(way / (np.abs(way).max() + 1e-9))


def _coconut_dodge(state: State) -> Action:
    """Looks 24 steps ahead with five constant actions, and takes the one that meets the fewest coconuts."""
    x = state[0] * 200 + 12
    nuts = state[5:29].reshape(6, 4)
    falling = nuts[(nuts[:, 1] < 0.97) & (nuts[:, 3] != 0)]
    costs = {}
    for action in (0.0, -1.0, 1.0, -0.5, 0.5):
        costs[action] = _meetings(x, action, falling)
    return [min(costs, key=lambda action: (costs[action], abs(action)))]


def _meetings(x: float, action: float, nuts: State) -> float:
    """How many coconuts there would be to meet, step by step; a place off the middle counts a little."""
    position, velocity = nuts[:, :2] * 200 + 12, nuts[:, 2:] * 5
    count = 0
    for _ in range(24):
        x = min(max(x + 5 * action, 12), 212)
        position = position + velocity
        beyond = (position[:, 0] < 19) | (position[:, 0] > 205)
        velocity = np.where(beyond[:, None] & np.array([True, False]), -velocity, velocity)
        near = np.hypot(position[:, 0] - x, position[:, 1] - 200) < 18
        count += int((near & (position[:, 1] < 205.5)).sum())
    return count + 0.001 * abs(x - 112)


def _coinrun(state: State) -> Action:
    """On the ground, jumps as high as the next coin when it is as far away as the jump takes."""
    if state[0] < 0 or state[1] != 0:
        return [-1.0]
    coins = [(x, y) for x, y in state[2:12].reshape(5, 2) * _SIZE if x > 30]
    if not coins:
        return [-1.0]
    x, y = min(coins)
    rise = 169 - y
    if rise < 8:
        return [-1.0]
    steps = next((k for k in range(1, 12) if k * (k + 1) / 2 >= rise), 11)
    return [(steps + 1) / 12 if x - 10 * steps <= 58 else -1.0]


def _cowboy(state: State) -> Action:
    """Jumps when the next obstacle is near."""
    return [1.0 if 40 < state[2] * _SIZE <= 100 else -1.0]


def _pong(state: State) -> Action:
    """Goes where the ball will cross the paddle's line, and to the middle while it flies away."""
    x, y = state[0:2] * _SIZE
    vx, vy = state[2:4] * 8
    top = state[4] * _SIZE
    target = 112.0
    if vx < 0:
        steps = max((x - 39.5) / -vx, 0)
        target = y + vy * steps
        low, high = 27.0, 197.0
        span = 2 * (high - low)
        folded = (target - low) % span
        target = low + min(folded, span - folded)
    return [(target - 20 - top) / 8.5]


def _landing(state: State) -> Action:
    """Flies level until it is above the deck, keeps pace with it, and comes down slowly."""
    x, y = state[0:2] * _SIZE
    vx, vy = state[2:4] * 10
    ship, pace = state[4] * _SIZE, state[6] * 5
    off = ship - (x + 14)
    if abs(y - 165) < 3 and abs(off) < 35:
        return [np.clip((0.12 * off + pace - vx) / 0.6, -0.3, 0.3) if abs(off) > 3 else (pace - vx) / 0.6, 0.0]
    wanted = 0.12 * off + pace
    height = 165 - y
    fall = min(0.5, 0.1 * height + 0.1) if abs(off) < 16 and height < 12 else np.clip(0.08 * (height - 8), -2, 3)
    if abs(off) < 16 and height >= 0:
        fall = np.clip(0.08 * height + 0.12, 0.15, 3)
    return [(wanted - vx) / 0.6, (fall - vy - 0.2) / 0.6]


EXPERTS: dict[str, Maker] = {
    "pygame-air-hockey": stateless(_air_hockey),
    "pygame-bird-attack": stateless(_bird_attack),
    "pygame-chase-evade": stateless(_chase_evade),
    "pygame-coconut-dodge": stateless(_coconut_dodge),
    "pygame-coinrun": stateless(_coinrun),
    "pygame-cowboy": stateless(_cowboy),
    "pygame-landing": stateless(_landing),
    "pygame-pong": stateless(_pong),
}
