"""PPO: advantages against brute force, the loss by hand, and that it learns."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import newt_bench
from newt_bench.agents.ppo import PPOAgent, advantages
from newt_bench.errors import AgentError
from newt_bench.language import HashEncoder
from tests.agents.worlds import FIRST, INDEX, SHORT, live, observation

SMALL = {"hidden": [16], "rollout_steps": 8, "minibatches": 2, "epochs": 2, "device": "cpu", "encoder": HashEncoder()}


def make(tasks=SHORT, seed=0, **options) -> PPOAgent:
    return PPOAgent(tasks, seed, **(SMALL | options))


def test_advantages_by_hand():
    """Two steps to an episode's end inside the rollout, then one of the next episode."""
    reward, value = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[0.5], [1.5], [2.5]])
    next_value = torch.tensor([[1.5], [10.0], [3.0]])  # 10 is the value of the final observation
    cut = torch.tensor([[False], [True], [False]])
    found = advantages(reward, value, next_value, cut, torch.full((3, 1), 0.9), 0.5)
    last = 2 + 0.9 * 10 - 1.5
    assert found.flatten().tolist() == pytest.approx([1 + 0.9 * 1.5 - 0.5 + 0.45 * last, last, 4 + 0.9 * 3 - 2.5])


@pytest.mark.parametrize("gae_lambda", [0.0, 0.7, 1.0])
def test_advantages_are_mixtures_of_all_n_step_returns(gae_lambda):
    """(1 - lambda) sum of lambda^(n-1) times the n-step advantage, the rest of the weight on the longest."""
    rng = np.random.default_rng(0)
    steps, slots = 11, 3
    reward, value, following = rng.normal(size=(3, steps, slots))
    cut = rng.random((steps, slots)) < 0.25
    discount = np.broadcast_to(rng.uniform(0.9, 1, slots), (steps, slots))
    # n-step returns telescope only if the value after a step is that before the next, as in a real rollout.
    following = np.where(cut, following, np.concatenate((value[1:], following[-1:])))
    expected = np.zeros((steps, slots))
    for k in range(slots):
        for t in range(steps):
            ahead = next((n for n in range(steps - t) if cut[t + n, k]), steps - t - 1) + 1
            expected[t, k] = sum(
                gae_lambda ** (n - 1)
                * (1 if n == ahead else 1 - gae_lambda)
                * (
                    sum(discount[t, k] ** i * reward[t + i, k] for i in range(n))
                    + discount[t, k] ** n * following[t + n - 1, k]
                    - value[t, k]
                )
                for n in range(1, ahead + 1)
            )
    tensors = (torch.from_numpy(np.ascontiguousarray(a)) for a in (reward, value, following, cut, discount))
    np.testing.assert_allclose(advantages(*tensors, gae_lambda), expected, atol=1e-12)


def test_learns_once_every_slot_has_played_its_steps():
    agent = make()
    _, metrics = live(agent, 7)
    assert metrics == []
    _, metrics = live(agent, 20, 7)
    assert len(metrics) == 3
    assert agent.updates == 3 * 2 * 2
    assert {"policy", "value", "entropy", "kl", "clipped", "grad_norm"} == set(metrics[0])
    assert agent.model.observations.count.tolist() == [24, 48, 24]  # slots 0, 1 and 3, 2


def test_values_of_final_observations_count_and_not_of_the_next_first():
    """Episodes of 5 and 8 steps: only the value after the step bears on the last advantage of each."""
    agent = make(scale_rewards=False)
    live(agent, 7)
    agent._rollout.arrays["obs"][5, 0] += 100  # the first observation of slot 0's second episode
    changed = _targets(agent)
    agent._rollout.arrays["obs"][5, 0] -= 100
    before = _targets(agent)
    np.testing.assert_array_equal(changed[:5, 0], before[:5, 0])
    agent._rollout.arrays["next_obs"][4, 0, :5] += 1
    assert (_targets(agent)[:5, 0] != before[:5, 0]).all()


def _targets(agent) -> np.ndarray:
    rollout = agent._rollout
    data = {name: torch.from_numpy(rows[: rollout.filled].copy()) for name, rows in rollout.arrays.items()}
    return agent._batch(data)["target"].view(rollout.filled, -1).numpy()


def test_an_episode_that_was_lost_is_cut():
    agent = make()
    live(agent, 3)
    assert not agent._rollout.arrays["cut"][2].any()
    assert (agent._rollout.running != 0).all()
    agent.act(observation(np.random.default_rng(0)), INDEX, np.array([False, True, False, False]), "train")
    assert agent._rollout.arrays["cut"][2].tolist() == [False, True, False, False]
    assert agent._rollout.running[1] == 0


def test_rewards_are_scaled_per_task():
    """Multiplying one task's rewards by 100 leaves what is learned from as it was."""
    targets = []
    for factor in (1, 100):
        agent = make()
        live(agent, 7)
        for name in ("reward", "running"):
            agent._rollout.arrays[name][:, 1] *= factor
            agent._rollout.arrays[name][:, 3] *= factor
        targets.append(_targets(agent))
    np.testing.assert_allclose(*targets, rtol=1e-3)
    assert agent.model.returns.count.tolist() == [7, 14, 7]


def test_running_returns_are_discounted_within_episodes():
    agent = make()
    live(agent, 7)
    arrays, discount = agent._rollout.arrays, SHORT[0].discount
    expected, total = [], 0.0
    for t in range(7):
        total = (0 if t == 5 else discount * total) + arrays["reward"][t, 0]
        expected.append(total)
    np.testing.assert_allclose(arrays["running"][:7, 0], expected, rtol=1e-5)


def test_advantages_are_standardised_task_by_task():
    agent = make()
    live(agent, 7)
    agent._rollout.arrays["reward"][:, 2] *= 50
    data = {name: torch.from_numpy(rows[:7].copy()) for name, rows in agent._rollout.arrays.items()}
    batch = agent._batch(data)
    for task in range(3):
        own = batch["advantage"][batch["task"] == task]
        assert own.mean().item() == pytest.approx(0, abs=1e-5)
        assert own.std(correction=0).item() == pytest.approx(1, abs=1e-4)


def _batch_of(agent, shift=0.0, **replaced) -> dict:
    """Four samples of tasks 0, 1, 2, 1, whose actions are the mean plus `shift`."""
    generator, task = torch.Generator().manual_seed(0), torch.from_numpy(INDEX)
    obs = torch.from_numpy(observation(np.random.default_rng(0)))
    mask = agent.masks[task]
    with torch.no_grad():
        mean = agent.model.policy(agent.model.inputs(obs, task))
        action = (mean + shift) * mask
        batch = {
            "obs": obs,
            "task": task,
            "action": action,
            "log_prob": agent.model.log_prob(mean, task, action, mask),
            "value": agent.model.value(obs, task),
            "advantage": torch.randn(4, generator=generator),
            "target": torch.randn(4, generator=generator),
        }
    return batch | replaced


def test_loss_by_hand():
    agent = make(entropy_coef=0.01)
    batch = _batch_of(agent, shift=0.3)
    dims = agent.masks[batch["task"]].sum(1)
    # The density of a standard normal per entry, 0.3 from its middle.
    torch.testing.assert_close(batch["log_prob"], dims * (-0.045 - 0.5 * np.log(2 * np.pi)))
    with torch.no_grad():
        _, same = agent._loss(batch)
    assert same["kl"] == pytest.approx(0, abs=1e-6)
    assert same["policy"].item() == pytest.approx(-batch["advantage"].mean().item(), abs=1e-6)
    assert same["entropy"].item() == pytest.approx((dims.mean() * 0.5 * np.log(2 * np.pi * np.e)).item(), rel=1e-6)

    ratio = torch.tensor([1.5, 0.5, 1.1, 0.5])
    advantage = torch.tensor([1.0, -1.0, 2.0, 3.0])
    value = batch["value"]
    old = value - torch.tensor([0.5, -0.1, 0.0, 0.3])
    batch |= {"log_prob": batch["log_prob"] - ratio.log(), "advantage": advantage, "value": old, "target": value + 1}
    with torch.no_grad():
        loss, parts = agent._loss(batch)
    # Clipped at 1.2; clipped at 0.8 (the worse of both); inside; 0.5, as clipping would flatter.
    assert parts["policy"].item() == pytest.approx(-(1.2 - 0.8 + 2.2 + 1.5) / 4, abs=1e-5)
    # Errors of 1, but where the value moved more than 0.2: those of old + 0.2, which is further off.
    assert parts["value"].item() == pytest.approx(0.5 * (1.3**2 + 1 + 1 + 1.1**2) / 4, abs=1e-5)
    assert parts["clipped"] == 0.75
    expected = parts["policy"] + 0.5 * parts["value"] - 0.01 * parts["entropy"]
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)


def test_masked_entries_have_no_gradient():
    agent = make()
    loss, _ = agent._loss(_batch_of(agent, shift=0.3))
    loss.backward()
    for index, task in enumerate(SHORT):
        assert (agent.model.log_std.grad[index, task.action_dim :] == 0).all()
        assert (agent.model.log_std.grad[index, : task.action_dim] != 0).all()
    widest = max(task.action_dim for task in SHORT)
    assert (agent.model.policy[-1].weight.grad[widest:] == 0).all()


def test_learning_rate_falls_with_steps():
    agent = make(anneal_steps=64, learning_rate=1.0)
    rates = []
    for t in range(24):
        live(agent, 1, t)
        rates.append(agent.optimizers["networks"].param_groups[0]["lr"])
    assert [rates[7], rates[15], rates[23]] == pytest.approx([1, 0.5, 0])


def test_what_it_did_not_do_teaches_it_nothing():
    agent, obs = make(), observation(np.random.default_rng(0))
    agent.act(obs, INDEX, FIRST, "train")
    step = (obs, INDEX, np.zeros((4, 16), np.float32), np.zeros(4, np.float32), obs, ~FIRST)
    agent.observe(*step)
    with pytest.raises(AgentError, match="learns from its own actions only"):
        agent.observe(*step)


def test_learns_which_action_pays():
    """Two tasks that want opposite actions, under the same sight; a reward of -1000 (a - goal)^2 in one of them."""
    goals, scale = np.array([0.5, -0.5]), np.array([1.0, 1000.0])
    tasks = [
        dataclasses.replace(newt_bench.get_task(name), max_episode_steps=1)
        for name in ("cartpole-balance", "pendulum-swingup")
    ]
    agent = make(tasks, rollout_steps=32, minibatches=4, epochs=10, learning_rate=1e-2, entropy_coef=0.0)
    index = np.repeat([0, 1], 8)
    obs = np.zeros((16, 128), np.float32)
    first = np.ones(16, bool)
    for _ in range(32 * 12):
        action = agent.act(obs, index, first, "train")
        reward = -scale[index] * (action[:, 0] - goals[index]) ** 2
        agent.observe(obs, index, action, reward.astype(np.float32), obs, first)
        agent.update()
    assert agent.act(obs, index, first, "eval")[[0, 8], 0] == pytest.approx(goals, abs=0.1)
    assert agent.model.log_std.detach()[:, 0].exp().max() < 0.6
