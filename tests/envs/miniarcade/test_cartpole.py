"""Cartpole, five variants: the published scenarios, events per episode, tremors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from newt_bench.envs.miniarcade.games import GAMES
from newt_bench.envs.miniarcade.games.cartpole import CartPole
from tests.conftest import load_data
from tests.envs.miniarcade.published import FixedChance, assert_events_match

VECTORS = load_data("miniarcade_vectors.json")
VARIANTS = ("balance", "swingup", "balance-sparse", "swingup-sparse", "tremor")
SCENARIOS = [
    pytest.param(variant, name, id=f"{variant}-{name}")
    for variant in VARIANTS
    for name, scenario in VECTORS[f"pygame-cartpole-{variant}"].items()
    if "trace" in scenario
]
ACTIONS = {
    "active_tremor": lambda t: (0.25,),  # implied by the scenario's states
    "constant_action_0p5": lambda t: (0.5,),
    "square_wave_period_40": lambda t: (1.0,) if t // 20 % 2 == 0 else (-1.0,),
}


def started(variant: str, seed: int = 0) -> CartPole:
    game = GAMES[f"cartpole/{variant.replace('-', '_')}"]()
    game.start(np.random.default_rng(seed))
    return game


def put(game: CartPole, state: list[float]) -> None:
    game._x, game._v, game._theta, game._omega = state


@pytest.mark.parametrize(("variant", "name"), SCENARIOS)
def test_scenarios(variant, name):
    scenario = VECTORS[f"pygame-cartpole-{variant}"][name]
    game = started(variant)
    put(game, scenario["start"])
    if name == "active_tremor":
        game._tremor_left, game._tremor = 6, 3.0
    expected = {row["step"]: row for row in scenario["trace"]}
    total = 0.0
    for step in range(1, max(expected) + 1):
        reward = game.play(ACTIONS.get(name, lambda t: (0.0,))(step - 1))
        total += reward
        if step in expected:
            row = expected[step]
            np.testing.assert_allclose(game.observe(), row["state"], atol=1e-5)
            assert (reward, total) == pytest.approx((row["reward"], row["ret"]), abs=1e-5)


def test_the_schedule_of_tremors_at_its_shortest():
    game = CartPole(tremor=True)
    game.start(FixedChance())
    triggered, disturbed = [], []
    for step in range(1, 266):
        before = game._tremor_left
        quake = game._disturbance()
        if game._tremor_left > before:
            triggered.append(step)
        if quake:
            disturbed.append(step)
    assert triggered == VECTORS["pygame-cartpole-tremor"]["schedule_at_lower_bounds"]["trigger_steps"]
    assert disturbed == [step + k for step in triggered for k in range(1, 6)]


def test_tremors_vary_in_strength_side_and_length():
    quakes = []
    for seed in range(40):
        game = started("tremor", seed)
        assert 40 <= game._wait <= 80
        quakes.append([game._disturbance() for _ in range(500)])
    disturbed = np.array(quakes)
    assert (disturbed != 0).sum() / 40 == pytest.approx(46, abs=4)  # published: 46 frames per episode
    strengths = np.abs(disturbed[disturbed != 0])
    assert 1.75 <= strengths.min() < 1.9
    assert 4.85 < strengths.max() <= 5
    assert 0.3 < (disturbed > 0).sum() / (disturbed != 0).sum() < 0.7


def test_only_one_variant_trembles():
    for variant in VARIANTS:
        game, waiting = started(variant), 0
        put(game, [0.0] * 4)
        for _ in range(500):
            game.play((0.0,))
            waiting += game._theta == 0
        assert (waiting == 500) == (variant != "tremor")


def balancing(x: float, v: float, theta: float, omega: float) -> float:
    return (40 * theta + 10 * omega + 1.5 * x + 3 * v) / 11


def swinging_up(x: float, v: float, theta: float, omega: float) -> float:
    """Pumps energy into the pole until it can be caught."""
    if abs(theta) < 0.35 and abs(omega) < 3.5:
        return balancing(x, v, theta, omega)
    energy = 0.4 * omega**2 + 9.81 * (math.cos(theta) - 1)
    return (float(np.clip(6 * energy * omega * math.cos(theta), -9, 9)) - 1.5 * x - v) / 11


@pytest.mark.parametrize("policy", ["random", "scripted"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_events_per_episode_match_the_published_figures(variant, policy):
    control = swinging_up if variant.startswith("swingup") else balancing
    outcomes = []
    for seed in range(50):
        game, rng = started(variant, seed), np.random.default_rng(seed)
        inside = 0
        for _ in range(500):
            action = rng.uniform(-1, 1) if policy == "random" else control(*np.float32(game.observe()).tolist())
            game.play((min(max(action, -1.0), 1.0),))
            inside += abs(game._x) <= 2.4
        outcomes.append({"steps_in_bounds": inside, "final_abs_x": abs(game._x), "final_abs_theta": abs(game._theta)})
    assert_events_match(f"pygame-cartpole-{variant}", policy, outcomes)


@pytest.mark.parametrize(
    ("variant", "x", "theta", "reward"),
    [
        ("balance", 0.0, math.pi / 8, 0.75),
        ("balance", 2.4, -math.pi / 8, 0.75),
        ("balance", 2.4001, 0.0, 0.0),
        ("balance", 0.0, 1.6, 0.0),
        ("swingup", 0.0, -2 * math.pi, 0.0),
        ("balance-sparse", -2.4, 0.1499, 1.0),
        ("balance-sparse", 0.0, -0.15, 0.0),
        ("swingup-sparse", -2.41, 0.0, 0.0),
    ],
)
def test_rewards(variant, x, theta, reward):
    game = started(variant)
    put(game, [x, 0.0, theta, 0.0])
    assert game.play((0.0,)) == pytest.approx(reward)


def test_leaving_the_track_costs_no_more_than_the_time_outside():
    game = started("balance-sparse")
    put(game, [2.46, -2.0, 0.0, 0.0])
    assert [game.play((0.0,)) for _ in range(4)] == [0.0, 1.0, 1.0, 1.0]
