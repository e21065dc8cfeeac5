"""Behaviour cloning: what it minimises, and that it plays what it was shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import newt_bench
from newt_bench.agents.bc import BCAgent
from newt_bench.collection import collect
from newt_bench.errors import AgentError
from newt_bench.language import HashEncoder
from newt_bench.replay import Episode
from newt_bench.training.demonstrations import demonstration_episodes
from tests.agents.worlds import FIRST, INDEX, SHORT, demonstrations, observation

SMALL = {"hidden": [32, 32], "batch_size": 64, "device": "cpu", "encoder": HashEncoder()}


def make(tasks=SHORT, **options) -> BCAgent:
    return BCAgent(tasks, **(SMALL | options))


def linear_demonstrations(signs, count=40) -> list[Episode]:
    """Of tasks in turn; an episode's actions follow the sign of the first entry of what was seen, or oppose it."""
    rng, episodes = np.random.default_rng(0), []
    for k in range(count):
        task = k % len(SHORT)
        obs = rng.normal(size=(9, SHORT[task].obs_dim)).astype(np.float32)
        action = np.repeat(0.5 * signs[task] * np.sign(obs[:-1, :1]), SHORT[task].action_dim, axis=1)
        episodes.append(Episode(task, obs, action, np.zeros(8, np.float32)))
    return episodes


@pytest.mark.parametrize("conditioning", ["language", "one-hot"])
def test_learns_what_to_do_in_each_task(conditioning):
    """Two tasks want opposite actions for the same sight."""
    signs = np.array([1, -1, 1])
    agent = make(conditioning=conditioning, updates=400, learning_rate=3e-3)
    agent.pretrain(linear_demonstrations(signs))
    assert agent.updates == 400
    obs = observation(np.random.default_rng(5))
    obs[:, 0] = 1
    action = agent.act(obs, INDEX, FIRST, "eval")
    for slot, task in enumerate(INDEX):
        own = action[slot, : SHORT[task].action_dim]
        assert own.mean() == pytest.approx(0.5 * signs[task], abs=0.15)


def test_loss_is_the_mean_over_tasks_of_the_mean_over_their_actions():
    """Against sums by hand, on demonstrations so uneven that any other weighting shows."""
    agent = make(batch_size=6000)
    uneven = [e for e in demonstrations(30, length=8) if e.task != 1] + demonstrations(3, length=3)[1:2]
    agent.add_demonstrations(uneven)
    held = [[e for k, e in enumerate(e for e in uneven if e.task == task) if (k + 1) % 10] for task in range(3)]
    wanted = []
    for task, episodes in enumerate(held):
        errors = []
        for episode in episodes:
            obs = np.zeros((len(episode), 128), np.float32)
            obs[:, : episode.obs.shape[1]] = episode.obs[:-1]
            played = agent.act(obs, np.full(len(obs), task), np.zeros(len(obs), bool), "eval")
            errors.append(((played[:, : episode.action.shape[1]] - episode.action) ** 2).mean())
        wanted.append(np.mean(errors))
    with torch.no_grad():
        assert agent._loss("demonstrations").item() == pytest.approx(np.mean(wanted), rel=0.03)


def test_a_tenth_of_each_tasks_episodes_is_kept_for_validation():
    agent = make(updates=14, validation_interval=7)
    first, rest = demonstrations(45)[:20], demonstrations(45)[20:]
    agent.add_demonstrations(first)
    agent.add_demonstrations(rest)
    held = agent._buffers["validation"].state()["episodes"]
    assert held[:, 2].tolist() == [0, 1, 2]  # the tenth of 15 each
    assert agent._buffers["demonstrations"].num_episodes == 42
    told = []
    while metrics := agent.pretrain_step():
        told.append(metrics.get("validation_loss"))
    assert told[:6] == [None] * 6
    assert told[6] == told[12] != told[13]
    everything = make(validation_fraction=0.0)
    everything.add_demonstrations(first)
    assert list(everything._buffers) == ["demonstrations"]


def test_learning_rate_falls_along_a_cosine():
    agent = make(updates=4, learning_rate=1.0)
    agent.add_demonstrations(demonstrations())
    rates = []
    while agent.pretrain_step():
        rates.append(agent.optimizers["body"].param_groups[0]["lr"])
    assert rates == pytest.approx([1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5])


def test_defaults_depend_on_the_number_of_tasks():
    for tasks, updates, batch in ((SHORT, 50_000, 1024), (SHORT[:1], 10_000, 512)):
        config = BCAgent(tasks, device="cpu", encoder=HashEncoder()).config
        assert (config.updates, config.batch_size) == (updates, batch)


def test_nothing_to_learn_from_and_settings_that_cannot_be():
    agent = make()
    agent.pretrain()
    assert agent.updates == 0
    assert agent.update() == {}
    with pytest.raises(AgentError, match="validation_fraction must be below 1"):
        make(validation_fraction=1.0)


def test_clones_experts_of_several_tasks(tmp_path):
    """Real demonstrations of two tasks, one network told apart by language: nine tenths of the experts' scores."""
    names = ["mw-drawer-close", "mw-button-press"]
    collect(names, tmp_path, episodes=12, progress=False)
    tasks = newt_bench.tasks(names)
    agent = make(tasks, hidden=[128, 128], updates=1500, batch_size=256, learning_rate=1e-3)
    agent.pretrain(demonstration_episodes(str(tmp_path), tasks, range(2), features=False))
    agent.save(tmp_path / "cloned", resumable=False)
    options = {"checkpoint": str(tmp_path / "cloned"), "device": "cpu"}
    results = newt_bench.evaluate(BCAgent, names, episodes=3, options=options, progress=False)
    demos = newt_bench.load_demos(names, root=tmp_path)
    for task in tasks:
        scores = [record.score for record in results.episodes if record.task == task.id]
        assert np.mean(scores) >= 0.9 * demos[task.name].final_score.mean(), task.name
