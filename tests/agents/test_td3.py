"""TD3 and FastTD3: targets against loops, exploration, observation scaling, sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from newt_bench.agents.shared.randomness import Randomness
from newt_bench.agents.td3 import TD3Agent, actor_loss, critic_loss, critic_target
from newt_bench.errors import AgentError
from newt_bench.language import HashEncoder
from tests.agents.worlds import FIRST, INDEX, SHORT, live, noise_batch, observation

CLASSIC = {"distributional": False, "normalize": False, "n_step": 1, "v_max": 0.0}


def make_agent(tasks=SHORT, **options) -> TD3Agent:
    small = {"actor_hidden": (8,), "critic_hidden": (8, 8), "batch_size": 16, "replay_capacity": 500, "atoms": 21}
    return TD3Agent(tasks, encoder=HashEncoder(), device="cpu", **(small | {"updates_per_step": 0.25} | options))


def test_sizes_are_the_published_ones():
    model = TD3Agent(SHORT, device="cpu", conditioning="none").model
    assert sum(p.numel() for p in model.actor.parameters()) == 232_336
    assert sum(p.numel() for p in model.critics.parameters()) == 1_661_130


def smoothed(agent: TD3Agent, batch, seed: int) -> torch.Tensor:
    """The target actor's next actions with clipped noise."""
    noise = (agent.config.target_noise * Randomness(seed).normal(*batch.mask.shape)).clamp(-0.5, 0.5)
    action = agent.model.act(batch.next_obs, batch.task, batch.mask, target=True).detach()
    return ((action + noise) * batch.mask).clamp(-1, 1)


def test_the_target_is_the_whole_distribution_of_lesser_mean():
    agent = make_agent(target_noise=0.4)
    model, batch = agent.model, noise_batch(agent)
    for parameter in model.target_critics.parameters():  # so that means differ, and not always the same way
        parameter.data += 0.5 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    target = critic_target(model, batch, Randomness(3))
    both = torch.softmax(model.target_critics(batch.next_obs, batch.task, smoothed(agent, batch, 3)), -1)
    chosen = set()
    for row in range(len(target)):
        candidates = []
        for head in (0, 1):
            wanted = np.zeros(21)
            for atom, probability in zip(np.linspace(-10, 10, 21), both[head, row].tolist(), strict=True):
                place = batch.reward[row].item() + batch.discount[row].item() * atom
                position = min(max(place, -10), 10) + 10  # atoms lie 1 apart
                low = min(int(position), 19)
                wanted[low] += probability * (1 - (position - low))
                wanted[low + 1] += probability * (position - low)
            candidates.append(wanted)
        means = [candidate @ np.linspace(-10, 10, 21) for candidate in candidates]
        chosen.add(int(np.argmin(means)))
        np.testing.assert_allclose(target[row], candidates[int(np.argmin(means))], atol=1e-5)
    assert chosen == {0, 1}
    logits = model.critics(batch.obs, batch.task, batch.action)
    entropy = -(target * torch.log_softmax(logits, -1)).sum(-1).mean(-1).sum()
    torch.testing.assert_close(critic_loss(model, batch, target), entropy)


def test_the_classic_target_and_losses():
    agent = make_agent(**CLASSIC, target_noise=0.2)
    model, batch = agent.model, noise_batch(agent)
    target = critic_target(model, batch, Randomness(3))
    q = model.target_critics(batch.next_obs, batch.task, smoothed(agent, batch, 3)).squeeze(-1)
    torch.testing.assert_close(target, batch.reward + batch.discount * torch.minimum(q[0], q[1]))
    found = model.critics(batch.obs, batch.task, batch.action).squeeze(-1)
    torch.testing.assert_close(
        critic_loss(model, batch, target), ((found[0] - target) ** 2).mean() + ((found[1] - target) ** 2).mean()
    )
    action = model.act(batch.obs, batch.task, batch.mask)
    torch.testing.assert_close(actor_loss(model, batch), -model.critics(batch.obs, batch.task, action)[0].mean())


def test_the_actor_follows_the_lesser_distribution():
    agent = make_agent()
    model, batch = agent.model, noise_batch(agent)
    logits = model.critics(batch.obs, batch.task, model.act(batch.obs, batch.task, batch.mask))
    means = torch.softmax(logits, -1) @ torch.linspace(-10, 10, 21)
    torch.testing.assert_close(actor_loss(model, batch), -torch.minimum(means[0], means[1]).mean())


@pytest.mark.parametrize("options", [{}, CLASSIC])
def test_each_loss_moves_its_own_networks_only(options):
    agent = make_agent(conditioning="one-hot", **options)
    model, batch = agent.model, noise_batch(agent)
    critic_loss(model, batch, critic_target(model, batch, Randomness(0))).backward()
    assert {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None} == {"critics"}
    model.zero_grad()
    actor_loss(model, batch).backward()
    assert {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None} == {"actor"}


def test_exploration_noise_has_one_scale_per_episode():
    agent = make_agent(exploration_min=0.01, exploration_max=0.4)
    live(agent, 11)  # past the random steps
    first = np.array([False, True, False, True])
    agent.act(observation(np.random.default_rng(0)), INDEX, FIRST, "train")
    before = agent._scales.clone()
    agent.act(observation(np.random.default_rng(0)), INDEX, first, "train")
    assert ((before >= 0.01) & (before <= 0.4)).all()
    assert (agent._scales != before).tolist() == first.tolist()
    still = make_agent(exploration_min=0.0, exploration_max=0.0, random_episodes=0)
    obs = observation(np.random.default_rng(0))
    np.testing.assert_array_equal(still.act(obs, INDEX, FIRST, "train"), still.act(obs, INDEX, FIRST, "eval"))


def test_observations_are_scaled_per_task_and_saved_so(tmp_path):
    agent, rng = make_agent(), np.random.default_rng(0)
    for _ in range(200):
        obs = observation(rng) * np.array([1, 10, 100, 10], np.float32)[:, None] + np.float32(3)
        agent.observe(obs, INDEX, np.zeros((4, 16), np.float32), np.zeros(4, np.float32), obs, FIRST)
    seen = agent.model.seen(torch.from_numpy(obs), torch.from_numpy(INDEX))
    widths = [SHORT[k].obs_dim for k in INDEX]
    for slot, width in enumerate(widths):
        assert seen[slot, :width].abs().max() < 4.5
        assert seen[slot, :width].std() == pytest.approx(1, abs=0.6)
    agent.save(tmp_path / "a", resumable=False)
    loaded = TD3Agent.load(tmp_path / "a", SHORT, device="cpu")
    np.testing.assert_array_equal(loaded.act(obs, INDEX, FIRST, "eval"), agent.act(obs, INDEX, FIRST, "eval"))


def test_updates_bring_the_critics_to_their_target():
    agent = make_agent(learning_rate=3e-3, tau=0.0)
    batch = noise_batch(agent, 32)
    target = critic_target(agent.model, batch, Randomness(0))
    least = -2 * torch.special.xlogy(target, target).sum(-1).mean()  # both critics' loss where they tell the target
    history = []
    for _ in range(60):
        history.append((agent.learn(batch)["critic_loss"] - least).item())
        agent.updates += 1
    assert 0 < history[-1] < 0.5 * history[0]


def test_targets_follow_when_told():
    agent = make_agent(target_every=3, tau=1.0)
    batch, changed = noise_batch(agent), []
    for _ in range(7):
        before = agent.model.target_actor.network[0].weight.clone()
        agent.learn(batch)
        agent.updates += 1
        changed.append(not torch.equal(agent.model.target_actor.network[0].weight, before))
    assert changed == [True, False, False] * 2 + [True]


def test_settings_that_cannot_be_are_named():
    with pytest.raises(AgentError, match="need a v_max above 0"):
        make_agent(v_max=0.0)
    with pytest.raises(AgentError, match="exploration_max must be at least exploration_min"):
        make_agent(exploration_min=0.5)
