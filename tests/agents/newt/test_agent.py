"""The agent as others use it: acting, observing, learning, adapting, checkpoints."""

from __future__ import annotations

import dataclasses
import json
import logging

import huggingface_hub.constants
import numpy as np
import pytest
import torch

import newt_bench
from newt_bench.agents.newt import NewtAgent
from newt_bench.agents.newt.actor import Actor
from newt_bench.errors import AgentError, InputError
from newt_bench.language import HashEncoder
from newt_bench.replay import Episode
from tests.agents.newt.conftest import SMALL, TASKS, make_agent

#: Short episodes, so that a few steps hold many of them.
SHORT = tuple(
    dataclasses.replace(task, max_episode_steps=length) for task, length in zip(TASKS, (5, 8, 8), strict=True)
)
INDEX = np.array([0, 1, 2, 1])
LENGTHS = np.array([t.max_episode_steps for t in SHORT])[INDEX]


def observation(rng) -> np.ndarray:
    obs = np.zeros((4, 128), np.float32)
    for slot, task in enumerate(INDEX):
        obs[slot, : SHORT[task].obs_dim] = rng.normal(size=SHORT[task].obs_dim)
    return obs


def live(agent, steps: int, start: int = 0) -> tuple[np.ndarray, dict]:
    """Plays in a world of noise that is a function of time alone. Returns all actions and the last metrics."""
    actions, metrics = [], {}
    for t in range(start, start + steps):
        now, then = (observation(np.random.default_rng(k)) for k in (t, t + 1))
        actions.append(agent.act(now, INDEX, t % LENGTHS == 0, "train"))
        played = np.where(np.arange(16) < np.array([SHORT[k].action_dim for k in INDEX])[:, None], actions[-1], 0)
        reward = played.sum(1).astype(np.float32)
        agent.observe(now, INDEX, played, reward, then, (t + 1) % LENGTHS == 0)
        metrics = agent.update() or metrics
    return np.stack(actions), metrics


def test_told_in_other_words_than_it_was_trained_on(tmp_path):
    agent = make_agent(SHORT)
    agent.save(tmp_path / "c", resumable=False)
    other = NewtAgent(SHORT, checkpoint=tmp_path / "c", encoder=HashEncoder(), device="cpu", paraphrase=2)
    words = [f"{task.embodiment} {task.paraphrases[1]}" for task in SHORT]
    assert [task.text_in_other_words(2) for task in SHORT] == words
    np.testing.assert_array_equal(other.model.embeddings, HashEncoder()(words))
    np.testing.assert_array_equal(
        other.model.policy.state_dict()["layers.0.bias"], agent.model.policy.state_dict()["layers.0.bias"]
    )
    with pytest.raises(InputError, match="has paraphrases 1 to 4, and not 5"):
        make_agent(SHORT, paraphrase=5)


def demonstrations(count=6, length=8) -> list[Episode]:
    rng = np.random.default_rng(0)
    return [
        Episode(
            k % 3,
            rng.normal(size=(length + 1, SHORT[k % 3].obs_dim)).astype(np.float32),
            rng.uniform(-1, 1, (length, SHORT[k % 3].action_dim)).astype(np.float32),
            rng.normal(size=length).astype(np.float32),
        )
        for k in range(count)
    ]


def test_acts_learns_and_minds_the_mask():
    agent = make_agent(SHORT)
    actions, metrics = live(agent, 20)
    assert actions.dtype == np.float32
    assert np.abs(actions).max() <= 1
    for slot, task in enumerate(INDEX):
        assert (actions[:, slot, SHORT[task].action_dim :] == 0).all()
        assert (actions[:, slot, : SHORT[task].action_dim] != 0).any()
    assert agent.steps == 80
    assert agent.replay.num_episodes == 4 + 3 * 2
    assert all(np.isfinite(value) for value in metrics.values())
    # Half an update per step; the debt of the first steps is paid once an episode is there to learn from.
    assert agent.learner.updates == 40


def test_seeding_is_uniform_without_updates():
    agent = make_agent(SHORT, seed_episodes=2)
    actions, metrics = live(agent, 10)
    assert metrics == {}
    assert actions[:, 1, :6].std() == pytest.approx(1 / 3**0.5, abs=0.08)
    live(agent, 8, 10)
    assert agent.learner.updates == 4 * 2 * 0.5  # the longest episodes' seeding took 16 of the 18 steps


def test_same_seed_same_life():
    first, second, other = (live(make_agent(SHORT, seed), 14)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_evaluation_leaves_training_undisturbed():
    calm, busy = make_agent(SHORT), make_agent(SHORT)
    live(calm, 9), live(busy, 9)
    busy.reset(5)
    obs = observation(np.random.default_rng(0))
    first = busy.act(obs, INDEX, np.ones(4, bool), "eval")
    busy.act(obs, INDEX, np.zeros(4, bool), "eval")
    busy.reset(5)
    np.testing.assert_array_equal(busy.act(obs, INDEX, np.ones(4, bool), "eval"), first)
    np.testing.assert_array_equal(live(calm, 5, 9)[0], live(busy, 5, 9)[0])


def test_the_policy_prior_acts_alone_before_training_and_where_asked(monkeypatch):
    agent, obs = make_agent(SHORT), observation(np.random.default_rng(0))
    everything = (obs, INDEX, np.ones(4, bool), "eval")
    prior = agent.act(*everything)
    np.testing.assert_array_equal(agent.act(*everything), prior)  # its mean: no noise
    agent.steps = 1
    assert (agent.act(*everything) != prior).any()
    alone = make_agent(SHORT, planning=False)
    alone.steps = 1
    np.testing.assert_array_equal(alone.act(*everything), prior)
    monkeypatch.setattr(Actor, "_decide", lambda *_: pytest.fail("planned"))
    with pytest.raises(pytest.fail.Exception):
        alone.act(*everything)


def test_plans_are_warm_started_and_forgotten_at_an_episodes_start():
    agent, obs = make_agent(SHORT, constrained_planning=False), observation(np.random.default_rng(0))
    agent.steps = 1
    agent.act(obs, INDEX, np.ones(4, bool), "eval")
    actor = agent._actors["eval"]
    before = actor._mean.clone()
    assert before[:2].abs().max() > 0
    assert (before[2] == 0).all()
    actor.begin(torch.tensor([True, False, False, False]))
    assert (actor._mean[:, 0] == 0).all()
    assert torch.equal(actor._mean[:, 1:], before[:, 1:])
    with pytest.raises(AgentError, match="number of slots became 3"):
        agent.act(obs[:3], INDEX[:3], np.zeros(3, bool), "eval")


@pytest.mark.parametrize("planning", [True, False])
def test_open_loop_control_does_not_look(planning):
    agent, rng = make_agent(SHORT, open_loop=5, planning=planning), np.random.default_rng(0)
    agent.steps = 1
    first = np.ones(4, bool)
    start = observation(rng)
    agent.reset(0)
    seen = [
        agent.act(start if t == 0 else observation(rng), INDEX, first if t == 0 else ~first, "eval") for t in range(6)
    ]
    agent.reset(0)
    blind = [agent.act(start, INDEX, first if t == 0 else ~first, "eval") for t in range(6)]
    np.testing.assert_array_equal(seen[:5], blind[:5])
    assert (seen[5] != blind[5]).any()
    assert len(np.unique(np.stack(blind)[:, 1, 0])) >= 3


def test_saved_and_loaded_it_acts_the_same(tmp_path):
    agent = make_agent(SHORT)
    live(agent, 9)
    agent.save(tmp_path / "checkpoint")
    loaded = NewtAgent.load(tmp_path / "checkpoint", SHORT, device="cpu")
    obs = observation(np.random.default_rng(0))
    for one in (agent, loaded):
        one.reset(3)
    np.testing.assert_array_equal(*(one.act(obs, INDEX, np.ones(4, bool), "eval") for one in (agent, loaded)))


@pytest.mark.parametrize("steps", [3, 13])
def test_stopped_and_resumed_it_trains_as_if_it_had_not(tmp_path, steps):
    """In the middle of episodes, with demonstrations."""
    whole, stopped = (make_agent(SHORT, 4, pretrain_updates=2, warmup_updates=7) for _ in range(2))
    for agent in (whole, stopped):
        agent.pretrain(demonstrations())
        live(agent, steps)
    stopped.save(tmp_path / "run")
    resumed = NewtAgent.load(tmp_path / "run", SHORT, device="cpu")
    (wanted, losses), (found, same) = live(whole, 9, steps), live(resumed, 9, steps)
    np.testing.assert_array_equal(wanted, found)
    assert losses == same
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


def test_a_checkpoint_without_training_state_is_small_and_trains_on(tmp_path):
    agent = make_agent(SHORT)
    live(agent, 9)
    agent.save(tmp_path / "weights", resumable=False)
    assert sorted(p.name for p in (tmp_path / "weights").iterdir()) == ["config.json", "weights.safetensors"]
    loaded = NewtAgent.load(tmp_path / "weights", SHORT, device="cpu")
    assert loaded.steps == agent.steps
    assert live(loaded, 9)[1]


def test_some_of_a_checkpoints_tasks_and_other_settings(tmp_path):
    agent = make_agent(SHORT)
    agent.steps = 1
    agent.save(tmp_path / "weights", resumable=False)
    part = NewtAgent(SHORT[:0:-1], checkpoint=tmp_path / "weights", planning=False, device="cpu")
    assert torch.equal(part.model.embeddings, agent.model.embeddings[[2, 1]])
    obs = observation(np.random.default_rng(0))
    alone = dataclasses.replace(agent.config, planning=False)
    agent.config = alone
    swapped = np.array([1, 0])
    np.testing.assert_allclose(
        part.act(obs[[1, 2]], swapped, np.ones(2, bool), "eval"),
        agent.act(obs[[1, 2]], INDEX[[1, 2]], np.ones(2, bool), "eval"),
        atol=1e-6,
    )


def test_all_mismatches_are_in_one_message(tmp_path):
    make_agent(SHORT).save(tmp_path / "c", resumable=False)
    other = dataclasses.replace(SHORT[0], discount=0.5)
    stranger = newt_bench.get_task("hopper-hop")
    with pytest.raises(AgentError) as caught:
        NewtAgent.load(tmp_path / "c", [other, stranger], device="cpu")
    assert "not trained on newt/hopper-hop-v0; " in str(caught.value) or "; it was not trained on" in str(caught.value)
    assert "newt/cartpole-balance-v0: discount was 0.99, is 0.5" in str(caught.value).replace(
        "0.9900000000000001", "0.99"
    )
    config = json.loads((tmp_path / "c" / "config.json").read_text())
    config["config"]["network"] |= {"num_q": 4, "mlp_dim": 20}
    (tmp_path / "c" / "config.json").write_text(json.dumps(config))
    with pytest.raises(AgentError) as caught:
        NewtAgent.load(tmp_path / "c", SHORT, device="cpu")
    for name in ("critics.layers.0.weight", "policy.layers.1.bias", "target_critics.layers.2.weight"):
        assert f"{name} is float32[" in str(caught.value)


def test_resuming_needs_the_same_tasks(tmp_path):
    agent = make_agent(SHORT)
    live(agent, 2)
    agent.save(tmp_path / "run")
    with pytest.raises(
        AgentError, match="training state is for the tasks newt/cartpole-balance-v0, newt/walker-run-v0"
    ):
        NewtAgent.load(tmp_path / "run", SHORT[:2], device="cpu")


def test_demonstrations_are_half_of_a_batch():
    agent = make_agent(SHORT, batch_size=64)
    live(agent, 9)
    agent.add_demonstrations([dataclasses.replace(e, reward=e.reward * 0 + 77) for e in demonstrations()])
    batch = agent._batch()
    assert (batch.reward == 77).all(0).sum() == 32
    assert not agent.learner.warmup  # only ahead of the first update


def test_pretraining_without_demonstrations_is_skipped():
    agent = make_agent(SHORT, pretrain_updates=3)
    agent.pretrain()
    assert agent.learner.updates == 0
    assert not agent.pretrained
    agent.pretrain(demonstrations())
    assert agent.learner.updates == 3
    assert agent.pretrained
    assert agent.learner.warmup


def test_adapts_to_a_task_that_it_does_not_know():
    agent = make_agent(SHORT)
    live(agent, 9)
    before = {k: v.clone() for k, v in agent.model.state_dict().items()}
    task = dataclasses.replace(newt_bench.get_task("finger-spin"), max_episode_steps=5)
    agent.adapt(task)
    assert agent.tasks == (task,)
    np.testing.assert_array_equal(agent.model.embeddings[0], HashEncoder()([task.text])[0])
    assert agent.model.masks.sum().item() == task.action_dim
    for name, p in agent.model.named_parameters():
        assert torch.equal(p, before[name])
    obs, one = np.zeros((1, 128), np.float32), np.ones(1, bool)
    for t in range(10):
        action = agent.act(obs, INDEX[:1] * 0, one & (t % 5 == 0), "train")
        agent.observe(obs, INDEX[:1] * 0, action, np.ones(1, np.float32), obs, one & (t % 5 == 4))
        agent.update()
    assert agent.learner.updates == 5
    assert not torch.equal(agent.model.policy.layers[0].weight, before["policy.layers.0.weight"])


def test_adapting_needs_the_same_text_encoder():
    agent = make_agent(SHORT)
    agent.texts.name = "another"
    with pytest.raises(AgentError, match="knows texts by another; hash-ngrams-1 does not give the same"):
        agent.adapt(TASKS[0])
    assert agent.tasks == SHORT


def test_pixels(caplog, monkeypatch, tmp_path):
    """States and image features side by side, through acting, replay and learning; the stand-in says so."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # the variable is read once per process
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    agent, rng = make_agent(SHORT, pixels=True), np.random.default_rng(0)

    def obs():
        return {"state": observation(rng), "rgb": rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)}

    now = obs()
    with caplog.at_level(logging.WARNING):
        for t in range(9):
            then = obs()
            action = agent.act(now, INDEX, t % LENGTHS == 0, "train")
            agent.observe(now, INDEX, action[:, :16], np.ones(4, np.float32), then, (t + 1) % LENGTHS == 0)
            metrics = agent.update()
            now = then
    assert metrics["total"] > 0
    assert agent._batch().obs.shape[-1] == 128 + 768
    assert agent._batch().obs[..., 128:].abs().max() > 0
    assert "NOT comparable" in caplog.text
    with pytest.raises(AgentError, match="obs_type='state_rgb'"):
        agent.act(observation(rng), INDEX, np.ones(4, bool), "eval")


def test_evaluates_like_any_agent(tmp_path):
    agent = make_agent(TASKS[:1])
    agent.save(tmp_path / "c", resumable=False)
    options = {"checkpoint": str(tmp_path / "c"), "device": "cpu"}
    results = newt_bench.evaluate(NewtAgent, TASKS[0].name, episodes=1, options=options, progress=False)
    again = newt_bench.evaluate(NewtAgent, TASKS[0].name, episodes=1, options=options, progress=False)
    assert results.episodes == again.episodes


def test_settings_that_are_not_known_are_named():
    with pytest.raises(AgentError, match="no setting 'horizn'"):
        make_agent(horizn=3)
    assert set(SMALL) <= {field.name for field in dataclasses.fields(make_agent().config)}
