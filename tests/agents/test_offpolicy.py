"""What off-policy agents share: distributions of returns, return scales, temperatures, stacks of networks, batches."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

import newt_bench
from newt_bench.agents.brc import BRCAgent
from newt_bench.agents.sac import SACAgent
from newt_bench.agents.shared.conditioning import ConditioningBlock
from newt_bench.agents.shared.distributional import Support, cross_entropy
from newt_bench.agents.shared.ensembles import Critics, StackedMLP, polyak_
from newt_bench.agents.shared.noise import CorrelatedNoise
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.agents.shared.returns import ReturnScale
from newt_bench.agents.shared.temperature import Temperature
from newt_bench.agents.td3 import TD3Agent
from newt_bench.errors import AgentError
from newt_bench.language import HashEncoder
from tests.agents.worlds import FIRST, INDEX, SHORT, live, observation

AGENTS = {
    "brc": (BRCAgent, {"critic_width": 8, "actor_width": 8, "random_episodes": 5}),
    "sac": (SACAgent, {"hidden": (8, 8), "random_steps": 40}),
    "td3": (TD3Agent, {"actor_hidden": (8,), "critic_hidden": (8, 8), "random_episodes": 5}),
}


@pytest.fixture(params=AGENTS)
def make(request):
    kind, small = AGENTS[request.param]

    def build(tasks=SHORT, seed=0, **options):
        small_run = {"batch_size": 8, "replay_capacity": 500, "encoder": HashEncoder(), "device": "cpu"}
        return kind(tasks, seed, **(small_run | small | options))

    return build


def distributions(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.softmax(2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), -1)


def test_mass_on_an_atom_stays_whole_and_mass_between_atoms_is_shared():
    support = Support(5, -2.0, 2.0)
    mass = torch.tensor([[0.1, 0.2, 0.3, 0.4, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0, 0.0]])
    kept = support.project(mass, support.atoms.expand(3, 5))
    assert torch.equal(kept, mass)  # places that are atoms, the last one too
    moved = support.project(mass[:1], torch.tensor([[-2.0, -1.75, 0.5, 2.0, 2.0]]))
    torch.testing.assert_close(moved, torch.tensor([[0.1 + 0.15, 0.05, 0.15, 0.15, 0.4]]))


def test_the_projection_is_that_of_a_loop_and_preserves_sum_and_mean():
    support = Support(21, -10.0, 10.0)
    mass = distributions(6, 21)
    reward, discount = torch.linspace(-9, 9, 6), torch.linspace(0, 1, 6)
    places = support.shifted(reward, discount)
    torch.testing.assert_close(places, (reward[:, None] + discount[:, None] * support.atoms).clamp(-10, 10))
    projected = support.project(mass, places)
    wanted = np.zeros((6, 21))
    for row in range(6):
        for probability, place in zip(mass[row].tolist(), places[row].tolist(), strict=True):
            position = place + 10  # atoms lie 1 apart
            low = math.floor(position)
            wanted[row, low] += probability * (1 - (position - low))
            if position > low:
                wanted[row, low + 1] += probability * (position - low)
    np.testing.assert_allclose(projected, wanted, atol=1e-6)
    torch.testing.assert_close(projected.sum(-1), torch.ones(6))
    torch.testing.assert_close(projected @ support.atoms, (mass * places).sum(-1), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(support.mean(torch.log(mass)), mass @ support.atoms, rtol=1e-5, atol=1e-5)


def test_cross_entropy_by_hand():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25]]))
    assert cross_entropy(logits, torch.tensor([[0.5, 0.5, 0.0]])).item() == pytest.approx(1.5 * math.log(2))


def test_return_scale_is_that_of_a_loop_and_forgets_at_episode_starts():
    rng, scale = np.random.default_rng(0), ReturnScale([0.9, 0.5, 0.99])
    task, running, largest = np.array([0, 1, 1]), [0.0] * 3, [0.0] * 3
    for step in range(48):
        reward, last = rng.normal(size=3).astype(np.float32) - 0.5, np.array([step % 7 == 6, step % 5 == 4, False])
        scale.observe(task, reward, last)
        for slot, k in enumerate(task):
            running[slot] = float(reward[slot]) + [0.9, 0.5][k] * running[slot]
            largest[k] = max(largest[k], abs(running[slot]))
            running[slot] *= not last[slot]
    assert scale.largest.tolist() == pytest.approx(largest, rel=1e-5)
    assert scale.reach(torch.tensor([2, 0])).tolist() == pytest.approx(
        [1e-3, largest[0]], rel=1e-5
    )  # unseen: the floor
    scale.restart(np.array([True, False, True]))
    assert (scale.running != 0).tolist() == [False, True, False]


def test_return_scale_makes_all_sizes_of_reward_alike():
    rewards = np.random.default_rng(0).normal(size=(40, 1)).astype(np.float32)
    scaled = []
    for factor in (1, 100):
        scale = ReturnScale([0.95])
        for reward in rewards:
            scale.observe(np.array([0]), factor * reward, np.array([False]))
        scaled.append(factor * rewards / scale.reach(torch.tensor([0])).numpy())
    np.testing.assert_allclose(scaled[0], scaled[1], rtol=1e-5)


@pytest.mark.parametrize("per_task", [True, False])
def test_temperature_falls_where_entropy_is_above_its_target(per_task):
    temperature = Temperature([1, 6], target_scale=0.5, initial=0.2, per_task=per_task)
    assert temperature.target.tolist() == [-0.5, -3]
    assert temperature(torch.tensor([1, 0])).tolist() == pytest.approx([0.2, 0.2])
    task, entropy = torch.tensor([0, 0, 1]), torch.tensor([1.0, 2.0, -4.0])
    loss = temperature.loss(task, -entropy)
    assert loss.item() == pytest.approx(0.2 * (1.5 + 2.5 - 1.0) / 3)  # alpha (entropy - target)
    loss.backward()
    wanted = [0.2 * 4 / 3, 0.2 * -1 / 3] if per_task else [0.2 * 3 / 3]
    assert temperature.log.grad.tolist() == pytest.approx(wanted)


def test_stacked_networks_are_separate_networks():
    generator = torch.Generator().manual_seed(0)
    stack = StackedMLP(3, 5, (8, 6), 2, norm=True, generator=generator)
    x = torch.randn(7, 5, generator=generator, requires_grad=True)
    out = stack(x)
    for head in range(3):
        y = x
        for i, layer in enumerate(stack.layers):
            y = y @ layer.weight[head] + layer.bias[head]
            if i < 2:
                norm = stack.norms[i]
                y = torch.nn.functional.layer_norm(y, y.shape[-1:], norm.weight[head, 0], norm.bias[head, 0]).relu()
        torch.testing.assert_close(out[head], y, rtol=1e-5, atol=1e-5)
    fixed = stack(x, fixed=True)
    torch.testing.assert_close(fixed, out)
    fixed.sum().backward()
    assert x.grad.abs().max() > 0
    assert all(p.grad is None for p in stack.parameters())


def test_fixed_critics_give_no_gradient_to_task_vectors_and_can_scale_them():
    generator = torch.Generator().manual_seed(0)
    block = ConditioningBlock("one-hot", torch.zeros(3, 0), width=4, generator=generator)
    critics = Critics(StackedMLP(2, 3 + 4 + 2, (8,), 1, generator=generator), block, unit_norm=True)
    task = torch.tensor([0, 2])
    torch.testing.assert_close(critics.told(task).norm(dim=-1), torch.ones(2))
    action = torch.zeros(2, 2, requires_grad=True)
    critics(torch.ones(2, 3), task, action, fixed=True).sum().backward()
    assert action.grad.abs().max() > 0
    assert all(p.grad is None for p in critics.parameters())
    critics(torch.ones(2, 3), task, action).sum().backward()
    assert block.table.grad[[0, 2]].abs().max() > 0
    assert (block.table.grad[1] == 0).all()


def test_targets_follow_by_a_part_of_the_way():
    online, target = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    wanted = [
        0.9 * t.detach() + 0.1 * o.detach() for t, o in zip(target.parameters(), online.parameters(), strict=True)
    ]
    polyak_(target, online, 0.1)
    for found, tensor in zip(target.parameters(), wanted, strict=True):
        torch.testing.assert_close(found.detach(), tensor)


def noise_of(correlation: float, steps: int, slots: int = 4, width: int = 3, episode: int | None = None) -> np.ndarray:
    noise, random = CorrelatedNoise(correlation), Randomness(5)
    begins = torch.arange(steps) % (episode or steps) == 0
    return torch.stack([noise.step(random.normal(slots, width), begin.expand(slots)) for begin in begins]).numpy()


def test_correlated_noise_is_standard_normal_and_forgets_geometrically():
    noise = noise_of(0.9, 20_000)
    assert noise.mean() == pytest.approx(0, abs=0.05)
    assert noise.std() == pytest.approx(1, abs=0.03)
    assert (np.abs(noise) < 1).mean() == pytest.approx(0.683, abs=0.02)
    for apart in (1, 5):
        assert (noise[apart:] * noise[:-apart]).mean() == pytest.approx(0.9**apart, abs=0.05)
    flat = noise.reshape(len(noise), -1)
    between = np.corrcoef(flat.T) - np.eye(flat.shape[1])
    assert np.abs(between).max() < 0.15  # slots and entries are separate


def test_noise_begins_anew_with_each_episode_and_without_correlation_is_white():
    short = noise_of(0.99, 4_000, episode=2)
    assert (short[1:-1:2] * short[2::2]).mean() == pytest.approx(0, abs=0.05)  # from one episode's end to the next
    assert (short[::2] * short[1::2]).mean() == pytest.approx(0.99, abs=0.05)
    random = Randomness(5)
    np.testing.assert_array_equal(noise_of(0.0, 10), np.stack([random.normal(4, 3) for _ in range(10)]))


def test_one_slot_begins_anew_while_others_go_on():
    noise, random = CorrelatedNoise(0.999), Randomness(0)
    before = noise.step(random.normal(2, 50), torch.ones(2, dtype=torch.bool)).clone()
    after = noise.step(random.normal(2, 50), torch.tensor([True, False]))
    assert (after - before).abs().mean(1)[1] < 0.1 < 0.5 < (after - before).abs().mean(1)[0]
    assert noise.step(random.normal(3, 50), torch.zeros(3, dtype=torch.bool)).shape == (3, 50)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_random_actions_are_uniform_and_correlated_as_told(make, correlation):
    agent, obs = make(noise_correlation=correlation), observation(np.random.default_rng(0))
    drawn = np.stack([agent.act(obs, INDEX, np.full(4, t == 0), "train") for t in range(4_000)])[:, 1]  # walker-run
    assert (drawn[:, SHORT[1].action_dim :] == 0).all()
    drawn = drawn[:, : SHORT[1].action_dim]
    assert np.histogram(drawn, 4, (-1, 1))[0] / drawn.size == pytest.approx(np.full(4, 0.25), abs=0.04)
    assert np.corrcoef(drawn[1:].ravel(), drawn[:-1].ravel())[0, 1] == pytest.approx(correlation, abs=0.05)


def test_agents_explore_with_the_noise_that_they_are_told(make):
    changes = {}
    for correlation in (0.0, 0.999):
        agent = make(noise_correlation=correlation)
        live(agent, 11)  # past the random steps
        obs = observation(np.random.default_rng(0))
        actions = np.stack([agent.act(obs, INDEX, np.full(4, t == 0), "train") for t in range(50)])
        changes[correlation] = np.abs(np.diff(actions, axis=0)).mean()
    assert 0 < changes[0.999] < 0.2 * changes[0.0]


def test_random_steps_come_first_and_earn_no_updates(make):
    agent = make(updates_per_step=0.25)
    assert agent.random_steps() == 40
    actions, metrics = live(agent, 10)
    assert metrics == []
    played = np.concatenate([actions[:, slot, : SHORT[k].action_dim].ravel() for slot, k in enumerate(INDEX)])
    assert played.std() == pytest.approx(1 / math.sqrt(3), abs=0.06)
    live(agent, 6, start=10)
    assert agent.updates == 6  # four slots, a quarter of an update per step
    agent.adapt(SHORT[0])  # who has learned something acts by it at once, and waits with learning all the same
    obs, index = observation(np.random.default_rng(0))[:1], np.zeros(1, np.int64)
    wanted = agent.act(obs, index, FIRST[:1], "eval")
    found = np.stack([agent.act(obs, index, FIRST[:1], "train") for _ in range(20)])
    assert np.abs(found[:, 0, 0] - wanted[0, 0]).mean() < 0.4 if isinstance(agent, TD3Agent) else found.std() > 0
    assert live(agent, 20, tasks=SHORT[:1], index=index)[1] == []


def test_batches_hold_what_was_observed(make):
    agent = make(v_max=4.0, replay_sampling="transition")
    live(agent, 16)
    batch = agent.batch()
    n = agent.steps_per_transition()
    assert batch.obs.shape == batch.next_obs.shape == (8, 128)
    largest = agent.model.returns.largest
    world = {}
    for t in range(17):
        for slot, k in enumerate(INDEX):
            world[tuple(observation(np.random.default_rng(t))[slot].tolist())] = (t, slot, k)
    for row in range(8):
        t, slot, k = world[tuple(batch.obs[row].tolist())]
        length = SHORT[k].max_episode_steps
        count = min(n, length - t % length)
        assert world[tuple(batch.next_obs[row].tolist())] == (t + count, slot, k)
        assert batch.task[row] == k
        assert batch.mask[row].sum() == SHORT[k].action_dim
        assert batch.discount[row].item() == pytest.approx(SHORT[k].discount ** count, rel=1e-5)
        assert (batch.action[row, SHORT[k].action_dim :] == 0).all()
        if n == 1 and not isinstance(agent, BRCAgent):  # rewards are sums of actions
            assert batch.reward[row].item() == pytest.approx(
                batch.action[row].sum().item() * 4 / largest[k].item(), rel=1e-4
            )


def test_masked_entries_have_no_gradient(make):
    tasks = tuple(dataclasses.replace(SHORT[k], max_episode_steps=5) for k in (0, 2))  # of 1 and 2 actions
    agent = make(tasks, updates_per_step=0.5)
    before = {name: p.detach().clone() for name, p in agent.model.named_parameters()}
    live(agent, 30, tasks=tasks, index=np.array([0, 1]))
    assert agent.updates
    name = [n for n, _ in agent.model.named_parameters() if n.startswith("actor.") and n.endswith("weight")][-1]
    new, old = (t.detach().squeeze(0) for t in (dict(agent.model.named_parameters())[name], before[name]))
    if isinstance(agent, BRCAgent):  # stacked layers hold inputs first
        new, old = new.T, old.T
    # Only weight decay may have touched the outputs for entries that no task has.
    group = agent.optimizers["actor"].param_groups[0]
    least = (1 - group["lr"] * group["weight_decay"]) ** agent.updates
    for row in range(len(new)):
        ratio = new[row] / old[row]
        assert ((ratio <= 1 + 1e-5) & (ratio >= least - 1e-5)).all() == (row % 16 >= 2), row


def test_one_task_has_networks_of_its_own_width_and_adapts_to_its_like_only(make):
    agent = make(SHORT[1:2])
    assert (agent.model.obs_width, agent.model.action_width) == (SHORT[1].obs_dim, SHORT[1].action_dim)
    agent.adapt(newt_bench.get_task("walker-walk"))
    with pytest.raises(AgentError, match=r"reacher-easy has 6 and 2; train with padded=true"):
        agent.adapt(newt_bench.get_task("reacher-easy"))
    wide = make(SHORT[1:2], padded=True)
    wide.adapt(newt_bench.get_task("reacher-easy"))
    assert wide.tasks[0].name == "reacher-easy"


def test_what_was_learned_for_each_task_begins_as_the_mean():
    agent = SACAgent(SHORT, encoder=HashEncoder(), device="cpu", hidden=(8,), conditioning="one-hot")
    agent.model.temperature.log.data = torch.tensor([0.0, -1.0, -5.0])
    agent.adapt(newt_bench.get_task("finger-spin"))
    assert agent.model.temperature.log.tolist() == [pytest.approx(-2.0)]
    assert agent.model.temperature.target.tolist() == [-2.0]


#: What it takes to learn something in a second: small networks and large steps.
EAGER = {
    "brc": {"critic_width": 32, "actor_width": 32, "learning_rate": 3e-3, "temperature_learning_rate": 1e-2},
    "sac": {"norm": True, "hidden": (32, 32), "actor_learning_rate": 3e-3, "initial_temperature": 0.1},
}


def play(agent, tasks, steps: int, mode: str, goal: float) -> np.ndarray:
    """Plays where the first action should be the goal in the one task, and its opposite in the other.

    Rewards of the other task are a hundred times as large. Returns the mean distance from the right action, by slot.
    """
    rng, index, distances = np.random.default_rng(1), np.array([0, 1, 0, 1]), []
    widths = np.array([tasks[k].action_dim for k in index])[:, None]
    obs = observation(rng, tasks, index)
    for t in range(steps):
        action = agent.act(obs, index, np.full(4, t % 5 == 0), mode)
        distance = np.abs(action[:, 0] - np.where(index == 0, goal, -goal))
        distances.append(distance)
        following = observation(rng, tasks, index)
        if mode == "train":
            reward = (-distance * np.where(index == 0, 1, 100)).astype(np.float32)
            played = np.where(np.arange(16) < widths, action, 0).astype(np.float32)
            agent.observe(obs, index, played, reward, following, np.full(4, t % 5 == 4))
            agent.update()
        obs = following
    return np.mean(distances, 0)


@pytest.mark.parametrize(("kind", "goal"), [("brc", 0.5), ("sac", 0.5)])
def test_learns_two_tasks_at_once_by_their_texts(kind, goal):
    tasks = tuple(dataclasses.replace(SHORT[k], max_episode_steps=5, discount=0.5) for k in (0, 2))
    options = {"batch_size": 64, "replay_capacity": 5_000, "updates_per_step": 0.5, "conditioning": "language"}
    agent = AGENTS[kind][0](tasks, encoder=HashEncoder(), device="cpu", **(AGENTS[kind][1] | options | EAGER[kind]))
    play(agent, tasks, 320, "train", goal)
    # Who does not tell the tasks apart is at least as far as the goal from it in one of them.
    assert (play(agent, tasks, 20, "eval", goal) < 0.5 * goal).all()


def test_a_replay_buffer_on_disk(make, tmp_path):
    agent = make(replay_folder=tmp_path / "replay")
    live(agent, 16)
    assert {p.name for p in (tmp_path / "replay").iterdir()} == {"rows.npy"}


@pytest.mark.parametrize(("setting", "value"), [("batch_size", 0), ("tau", -0.1), ("replay_capacity", 0)])
def test_values_that_cannot_be_are_named(make, setting, value):
    with pytest.raises(AgentError, match=f"{setting} must be at least"):
        make(**{setting: value})


@pytest.mark.parametrize(("value", "told"), [(1.0, "must be below 1, not 1.0"), (-0.5, "must be at least 0, not -0.5")])
def test_noise_that_cannot_be_is_refused(make, value, told):
    with pytest.raises(AgentError, match=f"noise_correlation {told}"):
        make(noise_correlation=value)
