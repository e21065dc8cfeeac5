"""Reacher: the published scenarios, the joints, and that every arm can do its task."""

from __future__ import annotations

import math

import numpy as np
import pytest

from newt_bench.envs.miniarcade.canvas import Canvas
from newt_bench.envs.miniarcade.games.reacher import ARMS, Reacher
from newt_bench.envs.miniarcade.palette import DANGER
from tests.conftest import load_data

VECTORS = load_data("miniarcade_vectors.json")
SCENARIOS = [
    pytest.param(variant, scenario, id=f"{variant}-{index}")
    for variant in ("easy", "hard")
    for index, scenario in enumerate(VECTORS[f"pygame-reacher-{variant}"])
]
RADII = {"easy": 0.04, "hard": 0.025, "var1": 0.04, "var2": 0.04}
every_arm = pytest.mark.parametrize("variant", ARMS)


def started(variant: str, seed: int = 0) -> Reacher:
    game = Reacher(variant)
    game.start(np.random.default_rng(seed))
    return game


def put(game: Reacher, shoulder: float, elbow: float, target: tuple[float, float]) -> None:
    game._shoulder, game._elbow, game._target = shoulder, elbow, tuple(target)


@pytest.mark.parametrize(("variant", "scenario"), SCENARIOS)
def test_scenarios(variant, scenario):
    game = started(variant)
    put(game, *scenario["setup"]["q"], scenario["setup"]["target"])
    expected = {row["step"]: row for row in scenario["trace"]}
    for step in range(1, max(expected) + 1):
        reward = game.play(scenario["action"])
        if step in expected:
            row, obs = expected[step], game.observe()
            np.testing.assert_allclose(obs, row["obs"], atol=1e-4)
            assert math.hypot(*obs[2:4]) == pytest.approx(row["distance"], abs=1e-5)
            assert reward == (row["distance"] <= RADII[variant])
            if variant == "easy":  # the same scenarios are published for both, with the rewards of this one
                assert reward == row["reward"]


@every_arm
def test_starts(variant):
    first = np.array([started(variant, seed).observe() for seed in range(400)])
    assert np.all(np.abs(first[:, 0]) <= math.pi)
    assert np.all(np.abs(first[:, 1]) <= math.radians(160))
    assert np.abs(first[:, :2]).max(0) == pytest.approx([math.pi, math.radians(160)], rel=0.03)
    targets = np.array([started(variant, seed)._target for seed in range(400)])
    far = np.hypot(*targets.T)
    assert far.min() >= 0.05
    assert 0.195 < far.max() <= 0.2
    assert far.mean() == pytest.approx(0.125, abs=0.01)  # uniform in radius, not in area
    assert np.abs(targets.mean(0)).max() < 0.03
    assert not first[:, 4:].any()


@every_arm
def test_the_arm_is_as_long_as_its_links(variant):
    game, arm = started(variant), ARMS[variant]
    put(game, 0.7, 0.0, (0.1, 0.0))
    assert game._joints()[0] == pytest.approx((arm.upper * math.cos(0.7), arm.upper * math.sin(0.7)))
    assert math.hypot(*game._joints()[1]) == pytest.approx(arm.upper + arm.forearm)
    put(game, 0.7, math.pi / 2, (0.1, 0.0))
    assert math.hypot(*game._joints()[1]) == pytest.approx(math.hypot(arm.upper, arm.forearm))


def test_arms_differ_as_their_tasks_say():
    assert {name: arm.target_radius for name, arm in ARMS.items()} == RADII
    assert ARMS["var1"].upper > ARMS["var1"].forearm
    assert ARMS["var2"].upper < ARMS["var2"].forearm
    assert all(arm.upper + arm.forearm == pytest.approx(0.22) for arm in ARMS.values())


def test_torques_against_drag_give_the_published_speeds():
    game = started("easy")
    put(game, 0.0, -2.7, (0.1, 0.0))
    for _ in range(50):
        game.play([1.0, 1.0])
    assert game._shoulder_speed == pytest.approx(7.1525, abs=1e-4)
    assert game._elbow_speed == pytest.approx(4.7077, abs=1e-4)
    assert game._shoulder > math.pi  # never wrapped


@pytest.mark.parametrize("side", [-1, 1])
def test_the_elbow_stops_dead_at_its_limit(side):
    game = started("easy")
    put(game, 0.0, side * 2.78, (0.1, 0.0))
    for _ in range(5):
        game.play([0.0, float(side)])
    assert game._elbow == pytest.approx(side * math.radians(160))
    assert game._elbow_speed == 0
    game.play([0.0, -0.5 * side])
    assert abs(game._elbow) < math.radians(160)


def angle_to(goal: float, angle: float) -> float:
    return (goal - angle + math.pi) % (2 * math.pi) - math.pi


def poses(game: Reacher) -> list[tuple[float, float]]:
    """Poses that put the tip onto the target, or as near as the elbow's limit allows."""
    arm, far = game._arm, math.hypot(*game._target)
    cosine = (far**2 - arm.upper**2 - arm.forearm**2) / (2 * arm.upper * arm.forearm)
    bend = min(math.acos(np.clip(cosine, -1, 1)), math.radians(158))
    lead = math.atan2(arm.forearm * math.sin(bend), arm.upper + arm.forearm * math.cos(bend))
    direction = math.atan2(game._target[1], game._target[0])
    return [(direction - side * lead, side * bend) for side in (-1, 1)]


@every_arm
def test_every_arm_reaches_and_holds_its_target(variant):
    returns = []
    for seed in range(40):
        game = started(variant, seed)
        shoulder, elbow = min(
            poses(game), key=lambda pose: max(abs(angle_to(pose[0], game._shoulder)), abs(pose[1] - game._elbow))
        )
        rewards = []
        for _ in range(200):
            torques = (
                3 * angle_to(shoulder, game._shoulder) - 0.3 * game._shoulder_speed,
                6 * (elbow - game._elbow) - 0.05 * game._elbow_speed,
            )
            rewards.append(game.play([float(np.clip(torque, -1, 1)) for torque in torques]))
        assert all(rewards[80:])
        returns.append(sum(rewards))
    assert np.mean(returns) > 170


@pytest.mark.parametrize(("variant", "pixels"), [("easy", 15.05), ("hard", 9.41)])
def test_the_picture_shows_the_target_to_scale(variant, pixels):
    game, canvas = started(variant), Canvas(448)
    put(game, math.pi, 0.0, (0.1, 0.1))
    game.draw(canvas)
    image = canvas.image().astype(int)
    red = np.abs(image - DANGER).max(-1) < 20
    rows, columns = np.nonzero(red)
    assert (columns.mean() / 2 + 0.25, rows.mean() / 2 + 0.25) == pytest.approx((149.6, 74.4), abs=0.5)
    assert math.sqrt(red.sum() / 4 / math.pi) == pytest.approx(pixels - 1.5, abs=0.5)  # inside its rim


def test_the_target_lights_up_under_the_tip():
    game, canvas = started("easy"), Canvas(224)
    rim = (112, int(112 - 0.14 * 376.36 - 14.3))  # inside the upper edge of the target
    put(game, 0.0, 0.0, (0.0, 0.14))
    game.draw(canvas)
    before = canvas.image()[rim[1], rim[0]].astype(int)
    put(game, *poses(game)[0], (0.0, 0.14))
    game.draw(canvas)
    assert canvas.image()[rim[1], rim[0]].min() > before.min() + 60
