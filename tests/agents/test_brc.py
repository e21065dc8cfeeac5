"""BRC: networks against a plain version, targets against loops, task vectors, reward scale."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from newt_bench.agents.brc import BRCAgent, ResidualNetworks, actor_loss, critic_loss, critic_target
from newt_bench.agents.shared.optimizers import descend
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.errors import AgentError
from newt_bench.language import HashEncoder
from tests.agents.worlds import SHORT, live, noise_batch


def make_agent(tasks=SHORT, **options) -> BRCAgent:
    small = {"critic_width": 8, "actor_width": 8, "batch_size": 16, "replay_capacity": 500, "atoms": 21}
    return BRCAgent(tasks, encoder=HashEncoder(), device="cpu", **(small | {"updates_per_step": 0.25} | options))


@pytest.mark.parametrize(("width", "count"), [(256, 673_994), (512, 2_396_362), (1024, 8_986_826)])
def test_critics_have_the_published_shape(width, count):
    networks = ResidualNetworks(2, 128 + 32 + 16, width, 2, 101)
    assert sum(p.numel() for p in networks.parameters()) == count


def test_residual_networks_are_the_plain_ones():
    generator = torch.Generator().manual_seed(0)
    networks = ResidualNetworks(2, 5, 8, 2, 3, generator)
    for parameter in networks.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    x = torch.randn(7, 5, generator=generator)
    out = networks(x)
    for head in (0, 1):

        def normed(i, y, head=head):
            layer, norm = networks.layers[i], networks.norms[i]
            y = y @ layer.weight[head] + layer.bias[head]
            return functional.layer_norm(y, (8,), norm.weight[head, 0], norm.bias[head, 0])

        y = normed(0, x).relu()
        y = y + normed(2, normed(1, y).relu())
        y = y + normed(4, normed(3, y).relu())
        wanted = y @ networks.last.weight[head] + networks.last.bias[head]
        torch.testing.assert_close(out[head], wanted, rtol=1e-5, atol=1e-5)


def test_weights_start_orthogonal():
    weight = ResidualNetworks(2, 6, 6, 1, 6, torch.Generator().manual_seed(0)).layers[1].weight[1]
    torch.testing.assert_close(weight @ weight.T, 2 * torch.eye(6), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("wanted", [0.0, 0.5, 2.0])
def test_critics_begin_as_wide_as_they_are_told_to(wanted):
    """Random weights roughen the bell curve, and without one leave something near the uniform distribution."""
    agent = make_agent(critic_width=64, atoms=101, initial_spread=wanted)
    model, batch = agent.model, noise_batch(agent)
    for critics in (model.critics, model.target_critics):
        with torch.no_grad():
            probabilities = torch.softmax(critics(batch.obs, batch.task, batch.action), -1)
        mean = probabilities @ model.support.atoms
        variance = probabilities @ model.support.atoms.square() - mean.square()
        assert variance.sqrt().mean().item() == pytest.approx(wanted or 20 / math.sqrt(12), rel=0.25)
        assert mean.abs().mean() < (wanted or 6)


def test_the_target_is_the_mean_distribution_moved_by_reward_and_entropy():
    agent = make_agent()
    model, batch = agent.model, noise_batch(agent)
    target = critic_target(model, batch, Randomness(3))
    with torch.no_grad():
        following = model.act(batch.next_obs, batch.task, batch.mask, Randomness(3).normal(*batch.mask.shape))
        logits = model.target_critics(batch.next_obs, batch.task, following.action)
    mean = torch.softmax(logits, -1).mean(0)
    for row in range(len(target)):
        wanted = np.zeros(21)
        for atom, probability in zip(np.linspace(-10, 10, 21), mean[row].tolist(), strict=True):
            soft = atom - 0.1 * following.log_prob[row].item()  # the temperature starts at 0.1
            place = batch.reward[row].item() + batch.discount[row].item() * soft
            position = min(max(place, -10), 10) + 10
            low = min(int(position), 19)
            wanted[low] += probability * (1 - (position - low))
            wanted[low + 1] += probability * (position - low)
        np.testing.assert_allclose(target[row], wanted, atol=1e-5)


def test_task_vectors_have_norm_1_and_belong_to_the_critics():
    agent = make_agent()
    assert agent.config.conditioning == "one-hot"
    live(agent, 16)
    model, batch = agent.model, noise_batch(agent)
    assert agent.updates
    torch.testing.assert_close(model.critics.told(torch.arange(3)).norm(dim=-1), torch.ones(3))
    loss, log_prob = actor_loss(model, batch, Randomness(0))
    loss.backward()
    assert {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None} == {"actor"}
    with torch.no_grad():
        sample = model.act(batch.obs, batch.task, batch.mask, Randomness(0).normal(*batch.mask.shape))
        values = model.support.mean(model.critics(batch.obs, batch.task, sample.action))
    alpha = model.temperature(batch.task)
    torch.testing.assert_close(loss.detach(), (alpha * log_prob.detach() - (values[0] + values[1]) / 2).mean())
    model.zero_grad()
    critic_loss(model, batch, critic_target(model, batch, Randomness(0))).backward()
    assert {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None} == {"critics"}
    assert model.critics.conditioning.table.grad.abs().max() > 0


def test_reward_divisor_by_hand():
    agent = make_agent()
    agent.model.returns.largest[:] = torch.tensor([5.0, 50.0, 0.0])
    agent.model.temperature.log.data.fill_(math.log(0.2))
    found = agent.reward_divisor(torch.tensor([0, 1, 2])).tolist()
    for task, largest, value in zip(SHORT, (5.0, 50.0, 1e-3), found, strict=True):
        entropy = 0.2 * task.action_dim / 2 / (1 - task.discount)
        assert value == pytest.approx((largest + entropy) / 10, rel=1e-4)


def test_updates_bring_the_critics_to_their_target():
    agent = make_agent(learning_rate=3e-3)
    model, batch = agent.model, noise_batch(agent, 32)
    target = critic_target(model, batch, Randomness(0))
    least = -2 * torch.special.xlogy(target, target).sum(-1).mean()  # both critics' loss where they tell the target
    history = []
    for _ in range(60):
        loss = critic_loss(model, batch, target)
        history.append((loss - least).item())
        descend(agent.optimizers["critics"], loss)
    assert 0 < history[-1] < 0.5 * history[0]


def test_the_buffer_holds_so_many_steps_of_each_task():
    assert make_agent().replay.capacity == 1500


def test_values_need_a_range():
    with pytest.raises(AgentError, match="need a v_max above 0"):
        make_agent(v_max=0.0)


def test_critics_cannot_begin_narrower_than_their_atoms_are_apart():
    with pytest.raises(AgentError, match=r"initial_spread is 0\.9, but atoms are 1 apart"):
        make_agent(atoms=21, initial_spread=0.9)
    make_agent(atoms=21, initial_spread=1.0)
