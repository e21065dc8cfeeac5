"""The planner: it finds known optima, minds its constraints, and draws as promised."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from newt_bench.agents.newt import planner
from newt_bench.agents.newt.config import NewtConfig
from newt_bench.agents.newt.model import PolicySample
from newt_bench.agents.newt.planner import constraint_weight, plan, prolong
from newt_bench.agents.shared.randomness import Randomness
from tests.agents.newt.conftest import make_model


class PointModel:
    """A toy model with a known optimum: the state moves by the action, and the goal is the origin.

    One state entry per slot; only the first action entry is valid. Reward is -(z + a)^2, so that the best first
    action from |z| <= 1 is -z, and then 0.
    """

    def __init__(self, discounts=(0.9,), **options) -> None:
        self.config = NewtConfig(size="S", iterations=6, **options).resolved(1)
        self.mask, self.discounts, self.seen = (torch.arange(16) < 1).float(), torch.tensor(discounts), []

    def context(self, task):
        context = SimpleNamespace(mask=self.mask.expand(len(task), -1), discount=self.discounts[task])
        context.fork = lambda z: SimpleNamespace(z=z, **vars(context))
        return context

    def encode(self, obs, context):
        return obs[:, :1]

    def next(self, z, action, context):
        return (context.z if z is None else z) + action[..., :1]

    def reward(self, z, action, context):
        return -self.next(z, action, context)[..., 0].square()

    def act(self, z, context, noise):
        action = torch.tanh(0.5 + 0.1 * noise) * self.mask
        return PolicySample(action, torch.full_like(action, 0.4) * self.mask, *[torch.zeros(z.shape[:-1])] * 2)

    def q(self, z, action, context, heads, target=False):
        self.seen.append(tuple(heads))
        return torch.stack([-10 * z[..., 0].square()] * len(heads))


def points(*values: float) -> torch.Tensor:
    obs = torch.zeros(len(values), 128)
    obs[:, 0] = torch.tensor(values)
    return obs


@pytest.mark.parametrize("deterministic", [True, False])
def test_finds_the_optimum_in_every_slot(deterministic):
    start = (0.0, 0.5, -0.8, 0.95)
    task, previous = torch.zeros(4, dtype=torch.long), torch.zeros(3, 4, 16)
    found = plan(PointModel(), points(*start), task, previous, Randomness(0), deterministic=deterministic)
    np.testing.assert_allclose(found.action[:, 0], [-x for x in start], atol=0.03 if deterministic else 0.15)
    np.testing.assert_allclose(found.mean[1:, :, 0], 0, atol=0.06)
    assert (found.action[:, 1:] == 0).all()
    assert (found.mean[..., 1:] == 0).all()
    assert torch.equal(found.sequence[0], found.action)


def test_goals_beyond_reach_take_the_largest_action():
    found = plan(PointModel(), points(5.0), torch.tensor([0]), torch.zeros(3, 1, 16), Randomness(0), deterministic=True)
    np.testing.assert_allclose(found.mean[:, 0, 0], -1, atol=0.02)


def test_without_iterations_to_spare_the_constraint_starts_at_the_policy(monkeypatch):
    """With values that are all the same, the first mean decides."""
    model = PointModel(num_samples=4096, num_policy_samples=16, num_elites=4096)
    monkeypatch.setattr(model, "reward", lambda z, action, context: torch.zeros(action.shape[:-1]))
    monkeypatch.setattr(model, "q", lambda z, action, context, heads: torch.zeros(2, *z.shape[:-1]))
    model.config = model.config.__class__(**{**vars(model.config), "iterations": 1})
    arguments = (model, points(0.0), torch.tensor([0]), torch.full((3, 1, 16), -0.8) * model.mask)
    free, bound = (plan(*arguments, Randomness(0), constraint=c).mean[:, 0, 0] for c in (0.0, 1.0))
    assert bound.numpy() == pytest.approx([0.46] * 3, abs=0.02)  # tanh(0.5)
    assert (free < -0.2).all()  # wide, around -0.8, clamped


def test_constraint_weight_fades():
    config = NewtConfig().resolved(2)
    weights = [constraint_weight(config, step) for step in (0, 1_999_999, 2_000_000, 7_000_000, 12_000_000, 10**8)]
    assert weights == [1, 1, 1, 0.5, 0, 0]
    assert constraint_weight(NewtConfig().resolved(1), 0) == 0
    assert constraint_weight(NewtConfig(constrained_planning=False).resolved(2), 0) == 0


def test_elites_are_drawn_with_their_weights():
    weights = torch.tensor([[0.6], [0.3], [0.1]]).expand(3, 20_000)
    elites = torch.arange(3.0)[None, :, None, None].expand(2, 3, 20_000, 16)
    drawn = planner._draw(elites, weights, Randomness(0))
    assert drawn.shape == (2, 20_000, 16)
    assert torch.equal(drawn[0], drawn[1])
    assert np.bincount(drawn[0, :, 0].int()) / 20_000 == pytest.approx([0.6, 0.3, 0.1], abs=0.015)


def test_exploration_adds_noise_within_mask_and_range():
    arguments = (PointModel(min_std=0.5), points(*[0.9] * 64), torch.zeros(64, dtype=torch.long))
    found = plan(*arguments, torch.zeros(3, 64, 16), Randomness(0), explore=True)
    quiet = plan(*arguments, torch.zeros(3, 64, 16), Randomness(0))
    assert found.action.abs().max() <= 1
    assert (found.action[:, 1:] == 0).all()
    assert (found.action - quiet.action)[:, 0].std() > 0.1
    assert torch.equal(found.mean, quiet.mean)


def test_values_that_are_not_finite_count_as_zero(monkeypatch):
    """Zero beats every true value here: a candidate that ends beyond 1 'explodes', and is chosen."""
    model = PointModel()

    def q(z, action, context, heads):
        return torch.where(z > 1, torch.nan, -10.0)[..., 0].expand(2, *z.shape[:-1]) - 100

    monkeypatch.setattr(model, "q", q)
    found = plan(model, points(0.0), torch.tensor([0]), torch.zeros(3, 1, 16), Randomness(0))
    assert torch.isfinite(found.action).all()
    assert found.mean[:, 0, 0].sum() > 1


def test_two_critics_are_drawn_anew_in_every_iteration():
    model = PointModel()
    plan(model, points(0.0), torch.tensor([0]), torch.zeros(3, 1, 16), Randomness(0))
    assert len(model.seen) == 6
    assert len(set(model.seen)) > 1


def test_discounts_are_the_slots_own():
    """Moving costs now, and pays later: least squares in closed form, with costs 3 gamma^t and 10 gamma^3."""
    model = PointModel(discounts=(0.999, 0.3))
    model.reward = lambda z, action, context: -3 * action[..., 0].square()
    task = torch.tensor([0, 1])
    found = plan(model, points(0.9, 0.9), task, torch.zeros(3, 2, 16), Randomness(0), deterministic=True)
    end = 0.9 + found.mean[:, :, 0].sum(0)
    pull = [10 * g**3 * sum(1 / (3 * g**t) for t in range(3)) for g in (0.999, 0.3)]
    np.testing.assert_allclose(end, [0.9 / (1 + p) for p in pull], atol=0.03)


def test_pieces_of_work_do_not_change_plans(monkeypatch):
    model, task = make_model(), torch.tensor([0, 1, 2, 1, 0])
    arguments = (model, torch.randn(5, 128), task, torch.zeros(3, 5, 16))
    wanted = plan(*arguments, Randomness(0))
    monkeypatch.setattr(planner, "_CPU_ROWS", 60)
    torch.testing.assert_close(plan(*arguments, Randomness(0)).mean, wanted.mean, rtol=1e-4, atol=1e-4)


def test_plans_are_prolonged_by_the_policy():
    sequence = torch.full((3, 2, 16), 0.1)
    longer = prolong(PointModel(), points(0.0, 1.0), torch.tensor([0, 0]), sequence, 5)
    assert longer[:, 0, 0].tolist() == pytest.approx([0.1, 0.1, 0.1, 0.4, 0.4])
    assert torch.equal(prolong(PointModel(), points(0.0, 1.0), torch.tensor([0, 0]), sequence, 2), sequence[:2])
