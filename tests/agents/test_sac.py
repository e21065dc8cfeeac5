"""SAC: its targets and losses in closed form, what they move, and the sizes of its networks."""

from __future__ import annotations

import math

import pytest
import torch

from newt_bench.agents.sac import SACAgent, actor_loss, critic_loss
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.errors import AgentError
from newt_bench.language import HashEncoder
from tests.agents.worlds import SHORT, live, noise_batch


def make_agent(tasks=SHORT, **options) -> SACAgent:
    small = {"hidden": (8, 8), "batch_size": 16, "random_steps": 16, "replay_capacity": 500, "updates_per_step": 0.25}
    return SACAgent(tasks, encoder=HashEncoder(), device="cpu", **(small | options))


def test_sizes_are_those_of_the_plain_networks():
    agent = SACAgent(SHORT[1:2], device="cpu")
    assert agent.config.hidden == (256, 256)
    counted = [p for module in (agent.model.actor, agent.model.critics) for p in module.parameters()]
    assert sum(p.numel() for p in counted) == 223_246  # 24 observations, 6 actions


def test_critic_loss_by_hand():
    agent = make_agent()
    model, batch = agent.model, noise_batch(agent)
    model.temperature.log.data = torch.tensor([0.0, -1.0, 0.5])
    loss, mean_target = critic_loss(model, batch, Randomness(3))
    with torch.no_grad():
        following = model.act(batch.next_obs, batch.task, batch.mask, Randomness(3).normal(*batch.mask.shape))
        both = model.target_critics(batch.next_obs, batch.task, following.action)
        found = model.critics(batch.obs, batch.task, batch.action)
    targets, total = [], 0.0
    for row, task in enumerate(batch.task.tolist()):
        alpha = math.exp([0.0, -1.0, 0.5][task])
        value = min(both[0, row, 0].item(), both[1, row, 0].item()) - alpha * following.log_prob[row].item()
        targets.append(batch.reward[row].item() + batch.discount[row].item() * value)
        total += sum((found[head, row, 0].item() - targets[-1]) ** 2 for head in (0, 1))
    assert loss.item() == pytest.approx(total / len(targets), rel=1e-4)
    assert mean_target.item() == pytest.approx(sum(targets) / len(targets), rel=1e-4)


def test_actor_loss_by_hand():
    agent = make_agent()
    model, batch = agent.model, noise_batch(agent)
    model.temperature.log.data.fill_(math.log(0.3))
    loss, log_prob = actor_loss(model, batch, Randomness(3))
    with torch.no_grad():
        sample = model.act(batch.obs, batch.task, batch.mask, Randomness(3).normal(*batch.mask.shape))
        least = model.critics(batch.obs, batch.task, sample.action).squeeze(-1).amin(0)
    torch.testing.assert_close(log_prob.detach(), sample.log_prob)
    torch.testing.assert_close(loss.detach(), (0.3 * sample.log_prob - least).mean())
    assert (sample.action[batch.mask == 0] == 0).all()


@pytest.mark.parametrize("conditioning", ["language", "one-hot"])
def test_each_loss_moves_its_own_networks_only(conditioning):
    agent = make_agent(conditioning=conditioning)
    model, batch = agent.model, noise_batch(agent)

    def moved(loss) -> set[str]:
        model.zero_grad()
        loss.backward()
        return {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}

    assert moved(critic_loss(model, batch, Randomness(0))[0]) == {"critics"}
    assert any(p.grad.any() for p in model.critics.conditioning.parameters())
    loss, log_prob = actor_loss(model, batch, Randomness(0))
    assert moved(loss) == {"actor"}
    assert moved(model.temperature.loss(batch.task, log_prob)) == {"temperature"}


def test_repeated_updates_fit_the_critics_and_bring_entropy_to_its_target():
    agent = make_agent(critic_learning_rate=3e-3, temperature_learning_rate=1e-2, tau=0.0)
    batch = noise_batch(agent, 32)
    history = []
    for _ in range(150):
        history.append(agent.learn(batch))
        agent.updates += 1
    assert history[-1]["critic_loss"] < 0.5 * history[0]["critic_loss"]
    assert history[-1]["temperature"] < 0.5 * history[0]["temperature"]  # entropy starts far above its target


def test_the_actor_learns_every_other_update_twice():
    agent = make_agent()
    batch = noise_batch(agent)
    names = []
    for _ in range(4):
        names.append("actor_loss" in agent.learn(batch))
        agent.updates += 1
    assert names == [True, False, True, False]
    counts = {name: next(iter(o.state.values()))["step"].item() for name, o in agent.optimizers.items()}
    assert counts == {"critics": 4, "actor": 4, "temperature": 4}


def test_evaluation_plays_the_mean():
    agent = make_agent()
    live(agent, 4)
    batch = noise_batch(agent)
    mean = agent.perform(batch.obs, batch.task, batch.mask)
    torch.testing.assert_close(mean, agent.perform(batch.obs, batch.task, batch.mask))
    drawn = torch.stack([agent.explore(batch.obs, batch.task, batch.mask, batch.task) for _ in range(400)]).detach()
    spread, middle = drawn.std(0), drawn.median(0).values  # the tanh keeps the median
    assert (spread[batch.mask == 1] > 0).all()
    assert ((middle - mean).abs() <= 0.5 * spread + 1e-4).all()


def test_settings_that_cannot_be_are_named():
    with pytest.raises(AgentError, match="actor_every must be at least 1, not 0"):
        make_agent(actor_every=0)
    with pytest.raises(AgentError, match="hidden must be a list, each entry an integer or None"):
        make_agent(hidden=[0.5])
