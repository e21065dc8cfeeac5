"""TD-MPC2: where it departs from Newt, whose tests hold for all the rest."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn.functional import layer_norm, mish

from newt_bench.agents.newt import NewtAgent, NewtConfig
from newt_bench.agents.newt.losses import RunningScale, model_loss, policy_loss
from newt_bench.agents.newt.planner import constraint_weight
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.agents.tdmpc2 import SIZES, TDMPC2Agent, TDMPC2Config
from newt_bench.errors import AgentError
from tests.agents.newt.conftest import NETWORK, make_batch, make_model
from tests.agents.worlds import FIRST, INDEX, SHORT, demonstrations, live, observation

SMALL = {
    "network": NETWORK,
    "batch_size": 8,
    "replay_capacity": 2000,
    "num_samples": 32,
    "num_policy_samples": 4,
    "num_elites": 6,
    "iterations": 2,
    "seed_episodes": 1,
    "seed_steps": 10,
    "device": "cpu",
}


def make(tasks=SHORT, seed=0, **options) -> TDMPC2Agent:
    return TDMPC2Agent(tasks, seed, **(SMALL | options))


def test_sizes_have_about_the_parameters_that_they_are_named_for():
    """Without target critics, for one task of 24 observation and 6 action entries as published, and padded here."""
    for size in ("1M", "5M", "19M"):
        agent = TDMPC2Agent(SHORT[1:2], size=size, device="cpu")
        learned = sum(p.numel() for p in agent.model.parameters() if p.requires_grad)
        assert learned == pytest.approx(float(size[:-1]) * 1e6, rel=0.35)
    assert list(SIZES) == ["1M", "5M", "19M", "48M", "317M"]
    assert TDMPC2Agent(SHORT[:1], device="cpu").config.network == SIZES["5M"]
    with pytest.raises(AgentError, match="size must be one of 1M, 5M"):
        make(size="B")


def test_tasks_are_told_apart_without_language():
    assert make(SHORT[:1]).config.conditioning == "none"
    agent = make()
    assert agent.config.conditioning == "one-hot"
    assert agent.provenance() == {"steps": 0, "updates": 0}


def test_seed_steps_are_learned_from_at_once():
    agent = make()
    actions, metrics = live(agent, 10)
    assert metrics == []
    assert actions[:, 1, :6].std() == pytest.approx(1 / 3**0.5, abs=0.1)
    live(agent, 1, 10)
    assert agent.learner.updates == 44  # of four slots
    live(agent, 1, 11)
    assert agent.learner.updates == 48
    newt = NewtAgent(SHORT, **(SMALL | {"updates_per_step": 1.0, "conditioning": "none"}))
    live(newt, 11)
    assert newt.learner.updates == 4


def test_losses_are_means_over_steps():
    """In proportion to those of Newt: horizon 3, weights 1, 1/2, 1/4 (and 1/8 for the policy)."""
    newt, ours = (make_model(bc_coef=0.0, time_weights=weights) for weights in ("sum", "mean"))
    batch = make_batch(newt)
    theirs, mine = (model_loss(model, batch, Randomness(0)) for model in (newt, ours))
    for name in ("consistency", "reward", "value"):
        assert mine.parts[name].item() == pytest.approx(theirs.parts[name].item() * 1.875 / 3, rel=1e-5)
    losses = [policy_loss(m, mine.latents, batch, RunningScale(0.01), Randomness(0))[0] for m in (newt, ours)]
    assert losses[1].item() == pytest.approx(losses[0].item() * 1.875 / 4, rel=1e-5)


def test_critics_are_learned_with_dropout_and_asked_without():
    calm, dropping = make_model(), make_model(q_dropout=0.5)
    batch = make_batch(calm)
    with torch.no_grad():
        one, other = (model_loss(model, batch, Randomness(0)).parts for model in (calm, dropping))
    assert one["target"] == other["target"]
    assert one["value"] != other["value"]
    assert one["reward"] == other["reward"]


@pytest.mark.parametrize("way", ["forward", "some", "fixed"])
def test_dropout_multiplies_the_first_hidden_entries_before_their_norm(way):
    model, generator = make_model(), torch.Generator().manual_seed(0)
    task = torch.tensor([0, 2])
    x = torch.randn(3, 2, 48, generator=generator)
    kept = (torch.rand(2, 3, 2, 24, generator=generator) < 0.5).float() * 2
    context = model.context(task)["critics"]
    critics, heads = model.critics, (2, 0)
    if way == "forward":
        whole = torch.ones(3, 3, 2, 24)
        whole[list(heads)] = kept
        found = critics(x, context, whole)[list(heads)]
    elif way == "some":
        found = critics.some(x, context, heads, kept=kept)
    else:
        found = critics.some(x[..., 32:], context, heads, fixed=x[..., :32], kept=kept)
    for k, head in enumerate(heads):
        first, second, last = ({n: t[head] for n, t in layer.named_parameters()} for layer in critics.layers)
        y = (x @ first["weight"].T + context[head]) * kept[k]
        y = mish(layer_norm(y, (24,), first["norm_weight"], first["norm_bias"])) @ second["weight"].T + second["bias"]
        y = mish(layer_norm(y, (24,), second["norm_weight"], second["norm_bias"])) @ last["weight"].T + last["bias"]
        torch.testing.assert_close(found[k], y, rtol=1e-4, atol=1e-5)


def test_it_plans_unconstrained_and_is_not_supervised():
    config = TDMPC2Config().resolved(5)
    assert constraint_weight(config, 0) == 0
    assert constraint_weight(NewtConfig().resolved(5), 0) == 1
    _, metrics = live(make(), 12)
    assert "supervision" not in metrics[-1]
    with pytest.raises(AgentError, match="TDMPC2Agent cannot learn from demonstrations"):
        make().add_demonstrations(demonstrations())


def test_saved_and_resumed_it_goes_on(tmp_path):
    whole, stopped = make(seed=4), make(seed=4)
    for steps in (7, 11):  # before the seed steps are over, and after
        for agent in (whole, stopped):
            live(agent, steps, 0 if steps == 7 else 7)
        stopped.save(tmp_path / "run")
        stopped = TDMPC2Agent.load(tmp_path / "run", SHORT, device="cpu")
        assert isinstance(stopped.config, TDMPC2Config)
    wanted, found = live(whole, 3, 18), live(stopped, 3, 18)
    np.testing.assert_array_equal(wanted[0], found[0])
    assert wanted[1] == found[1]
    with pytest.raises(AgentError, match="is a checkpoint of another kind"):
        NewtAgent.load(tmp_path / "run", SHORT)


def test_adapts_to_a_task_that_it_does_not_know():
    agent = make()
    live(agent, 12)
    task = dataclasses.replace(SHORT[2], name="finger-spin")
    before = agent.model.dynamics.layers[0].weight.clone()
    agent.adapt(task)
    assert torch.equal(agent.model.dynamics.layers[0].weight, before)
    action = agent.act(observation(np.random.default_rng(0)), INDEX * 0, FIRST, "eval")
    assert (action[:, task.action_dim :] == 0).all()
