"""Policies of stable-baselines3 as agents: real ones, trained there for a moment."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import stable_baselines3
import torch

import newt_bench
from newt_bench.agents.sb3 import SB3Agent
from newt_bench.errors import AgentError

TASKS = newt_bench.tasks(["cartpole-balance"])
FIRST = np.ones(3, bool)
INDEX = np.zeros(3, np.int64)


@pytest.fixture(scope="module")
def model():
    """PPO after a few updates on the real task."""
    env = gymnasium.make(TASKS[0].id)
    learner = stable_baselines3.PPO("MlpPolicy", env, n_steps=64, batch_size=32, n_epochs=2, seed=0, device="cpu")
    learner.learn(128)
    yield learner
    env.close()


def observations() -> np.ndarray:
    obs = np.zeros((3, 128), np.float32)
    obs[:, : TASKS[0].obs_dim] = np.random.default_rng(0).normal(size=(3, TASKS[0].obs_dim))
    return obs


def test_it_plays_what_the_policy_says(model):
    agent, obs = SB3Agent(TASKS, model=model), observations()
    actions = agent.act(obs, INDEX, FIRST, "eval")
    wanted, _ = model.predict(obs[:, : TASKS[0].obs_dim], deterministic=True)
    np.testing.assert_array_equal(actions[:, :1], wanted)
    assert actions.shape == (3, 16)
    assert (actions[:, 1:] == 0).all()
    assert agent.provenance() == {"model": "stable_baselines3.ppo.ppo.PPO", "steps": 128}


def test_exploring_is_seeded_and_leaves_the_global_generator_alone(model):
    agent, obs = SB3Agent(TASKS, 1, model=model), observations()
    before = torch.get_rng_state()
    first = agent.act(obs, INDEX, FIRST, "train")
    assert torch.equal(torch.get_rng_state(), before)
    assert (agent.act(obs, INDEX, FIRST, "train") != first).any()
    agent.reset(1)
    np.testing.assert_array_equal(agent.act(obs, INDEX, FIRST, "train"), first)


def test_evaluates_like_any_agent_from_memory_and_from_a_file(model, tmp_path):
    model.save(tmp_path / "ppo.zip")
    options = {"checkpoint": str(tmp_path / "ppo.zip"), "algorithm": "PPO", "trust": True}
    name = TASKS[0].name
    from_file = newt_bench.evaluate(SB3Agent, name, episodes=1, options=options, progress=False)
    in_memory = newt_bench.evaluate(SB3Agent(TASKS, model=model.policy), name, episodes=1, progress=False)
    assert from_file.episodes == in_memory.episodes


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_an_untrusted_file_is_refused_unread(tmp_path):
    file = tmp_path / "policy.zip"
    with zipfile.ZipFile(file, "w") as archive:
        weights = io.BytesIO()
        torch.save(Payload(tmp_path / "ran"), weights)
        archive.writestr("policy.pth", weights.getvalue())
        archive.writestr("data", pickle.dumps(Payload(tmp_path / "ran")))
    with pytest.raises(AgentError, match=r"policy\.zip was not read: .* hold pickles.* trust=true"):
        SB3Agent(TASKS, checkpoint=file)
    assert not (tmp_path / "ran").exists()


def test_policies_that_do_not_fit_are_refused(model):
    with pytest.raises(AgentError, match="takes 5 and gives 1; walker-run has 24 observation and 6 action entries"):
        SB3Agent(newt_bench.tasks(["cartpole-balance", "walker-run"]), model=model)
    discrete = stable_baselines3.DQN("MlpPolicy", gymnasium.make("CartPole-v1"), buffer_size=10, device="cpu")
    with pytest.raises(AgentError, match=r"actions must be a Box of one dimension, not Discrete"):
        SB3Agent(TASKS, model=discrete)
    wide = stable_baselines3.PPO("MlpPolicy", gymnasium.make("Pendulum-v1"), device="cpu")
    with pytest.raises(AgentError, match=r"must be in \[-1, 1\]"):
        SB3Agent(TASKS, model=wide)
    with pytest.raises(AgentError, match="either a `model` in memory or a `checkpoint`"):
        SB3Agent(TASKS)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(AgentError, match=r"none\.zip is missing"):
        SB3Agent(TASKS, checkpoint=tmp_path / "none.zip", trust=True)
    (tmp_path / "some.zip").touch()
    with pytest.raises(AgentError, match="no algorithm 'PPPO' in stable_baselines3"):
        SB3Agent(TASKS, checkpoint=tmp_path / "some.zip", trust=True, algorithm="PPPO")


def test_padded_policies_play_many_tasks_and_recurrent_ones_remember_every_slot():
    class Counter:
        """A policy of 128 and 16 entries that counts the steps of each episode."""

        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (128,), np.float32)
        action_space = gymnasium.spaces.Box(-1, 1, (16,), np.float32)

        def predict(self, observation, state, episode_start, deterministic):
            state = np.zeros(len(observation)) if state is None else state
            state = np.where(episode_start, 0, state) + 0.1
            return np.repeat(state[:, None], 16, 1), state

    agent = SB3Agent(newt_bench.tasks(["cartpole-balance", "walker-run"]), model=Counter())
    index, obs = np.array([0, 1, 1]), observations()
    for _ in range(3):
        agent.act(obs, index, ~FIRST, "eval")
    actions = agent.act(obs, index, np.array([False, True, False]), "eval")
    assert actions[:, 15] == pytest.approx([0.4, 0.1, 0.4])
    agent.reset(0)
    assert agent.act(obs, index, ~FIRST, "eval")[:, 0] == pytest.approx([0.1] * 3)
