"""What all agents with networks promise, held by every one of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

import newt_bench
from newt_bench.agents.bc import BCAgent
from newt_bench.agents.brc import BRCAgent
from newt_bench.agents.ppo import PPOAgent
from newt_bench.agents.sac import SACAgent
from newt_bench.agents.shared.gaussian import squashed_log_std, tanh_gaussian
from newt_bench.agents.shared.learned import LearnedAgent, LearnedSettings
from newt_bench.agents.shared.optimizers import descend
from newt_bench.agents.shared.perceptrons import perceptron
from newt_bench.agents.shared.statistics import RunningStatistics
from newt_bench.agents.shared.tasks import task_row_names
from newt_bench.agents.td3 import TD3Agent
from newt_bench.errors import AgentError
from newt_bench.language import HashEncoder
from tests.agents.worlds import FIRST, INDEX, SHORT, live, observation, study


@dataclasses.dataclass(frozen=True)
class EchoSettings(LearnedSettings):
    learning_rate: float = 1e-3
    hidden: tuple[int, ...] = (8,)


class Net(nn.Module):
    def __init__(self, conditioning, statistics, body):
        super().__init__()
        self.conditioning, self.statistics, self.body = conditioning, statistics, body


class Echo(LearnedAgent):
    """The least agent that learns: more of whatever it did."""

    FORMAT: ClassVar[str] = "tests/echo-1"
    SETTINGS = EchoSettings

    def make_model(self, conditioning, generator):
        body = perceptron(128 + conditioning.width, self.config.hidden, 32, generator, norm=True)
        return Net(conditioning, RunningStatistics(len(self.tasks)), body)

    def start(self):
        self.optimizers["body"] = torch.optim.Adam(self.model.parameters(), self.config.learning_rate)

    def _draw(self, obs, task, stream):
        seen = self.model.statistics.normalize(obs, task, 5)
        mean, raw = self.model.body(torch.cat((seen, self.model.conditioning(task)), 1)).chunk(2, -1)
        noise = self.streams[stream].normal(len(task), 16)
        return tanh_gaussian(mean, squashed_log_std(raw, -5, 2), noise, self.masks[task])

    def act(self, obs, task, first, mode):
        stream = {"train": "training", "eval": "evaluation"}[mode]
        with torch.no_grad():
            draw = self._draw(self.tensor(self.states(obs)), self.tensor(task), stream)
        return draw.action.numpy()

    def observe(self, obs, task, action, reward, next_obs, last):
        self._last = self.tensor(obs), self.tensor(task), self.tensor(action)
        self.model.statistics.update(*self._last[:2])
        self.steps += len(task)

    def update(self):
        obs, task, action = self._last
        loss = (self._draw(obs, task, "learning").action - action).square().mean()
        self.updates += 1
        return {"loss": loss.item(), "norm": descend(self.optimizers["body"], loss, 1.0).item()}


class Kind(NamedTuple):
    """An agent with networks, options that make a small one, and how it learns."""

    agent: type[LearnedAgent]
    small: dict
    learn: Callable

    def __call__(self, tasks=SHORT, seed=0, **options) -> LearnedAgent:
        return self.agent(tasks, seed, encoder=HashEncoder(), device="cpu", **(self.small | options))


OFF_POLICY = {"batch_size": 8, "replay_capacity": 500, "updates_per_step": 0.3}
AGENTS = {
    "echo": Kind(Echo, {}, live),
    "bc": Kind(BCAgent, {"hidden": [16], "updates": 60, "batch_size": 8, "validation_interval": 7}, study),
    "ppo": Kind(PPOAgent, {"hidden": [16], "rollout_steps": 8, "minibatches": 2, "epochs": 2}, live),
    "sac": Kind(SACAgent, OFF_POLICY | {"hidden": [8, 8], "random_steps": 16, "noise_correlation": 0.9}, live),
    "td3": Kind(TD3Agent, OFF_POLICY | {"actor_hidden": [8], "critic_hidden": [8, 8], "random_episodes": 2}, live),
    "brc": Kind(BRCAgent, OFF_POLICY | {"critic_width": 8, "actor_width": 8, "random_episodes": 2}, live),
}


@pytest.fixture(params=AGENTS)
def make(request) -> Kind:
    return AGENTS[request.param]


def evaluated(agent, seed=3):
    agent.reset(seed)
    return agent.act(observation(np.random.default_rng(0)), INDEX, FIRST, "eval")


def assert_same_weights(one, other):
    for name, tensor in one.model.state_dict().items():
        assert torch.equal(tensor, other.model.state_dict()[name]), name


@pytest.mark.parametrize("conditioning", ["language", "one-hot", "none"])
def test_acts_learns_and_minds_the_mask(make, conditioning):
    agent = make(conditioning=conditioning)
    before = {name: tensor.clone() for name, tensor in agent.model.state_dict().items()}
    actions, metrics = make.learn(agent, 40)
    assert actions.dtype == np.float32
    assert np.abs(actions).max() <= 1
    for slot, task in enumerate(INDEX):
        assert (actions[:, slot, SHORT[task].action_dim :] == 0).all()
        assert (actions[:, slot, : SHORT[task].action_dim] != 0).any()
    assert agent.steps == (0 if make.learn is study else 160)
    assert agent.updates
    assert all(np.isfinite(value) for row in metrics for value in row.values())
    changed = [name for name, p in agent.model.named_parameters() if not torch.equal(p, before[name])]
    assert any("conditioning" in name for name in changed) == (conditioning != "none")


def test_same_seed_same_life_and_no_global_randomness(make):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = make.learn(make(seed=1), 14)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second, other = make.learn(make(seed=1), 14), make.learn(make(seed=2), 14)
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1] == second[1]
    assert (first[0] != other[0]).any()


def test_evaluation_is_a_function_of_the_seed_and_leaves_training_undisturbed(make):
    calm, busy = make(), make()
    make.learn(calm, 9), make.learn(busy, 9)
    np.testing.assert_array_equal(evaluated(busy), evaluated(busy))
    wanted, found = make.learn(calm, 9, 9), make.learn(busy, 9, 9)
    np.testing.assert_array_equal(wanted[0], found[0])
    assert wanted[1] == found[1]


@pytest.mark.parametrize("steps", [3, 13])
def test_stopped_and_resumed_it_trains_as_if_it_had_not(make, tmp_path, steps):
    whole, stopped = make(seed=4), make(seed=4)
    make.learn(whole, steps), make.learn(stopped, steps)
    stopped.save(tmp_path / "run")
    resumed = make.agent.load(tmp_path / "run", SHORT, device="cpu")
    np.testing.assert_array_equal(evaluated(whole), evaluated(resumed))
    wanted, found = make.learn(whole, 40, steps), make.learn(resumed, 40, steps)
    np.testing.assert_array_equal(wanted[0], found[0])
    assert wanted[1] == found[1]
    assert_same_weights(whole, resumed)
    assert whole.provenance() == resumed.provenance()


def test_a_checkpoint_without_training_state_is_small_and_trains_on(make, tmp_path):
    agent = make()
    make.learn(agent, 9)
    agent.save(tmp_path / "weights", resumable=False)
    assert sorted(p.name for p in (tmp_path / "weights").iterdir()) == ["config.json", "weights.safetensors"]
    loaded = make.agent.load(tmp_path / "weights", SHORT, device="cpu")
    assert loaded.steps == agent.steps
    assert loaded.texts.name == agent.texts.name
    assert_same_weights(agent, loaded)
    np.testing.assert_array_equal(evaluated(agent), evaluated(loaded))
    assert make.learn(loaded, 40)[1]


@pytest.mark.parametrize("conditioning", ["language", "one-hot"])
def test_some_of_a_checkpoints_tasks(make, tmp_path, conditioning):
    agent = make(conditioning=conditioning)
    make.learn(agent, 9)
    agent.save(tmp_path / "weights", resumable=False)
    part = make.agent(SHORT[:0:-1], checkpoint=tmp_path / "weights", device="cpu")
    obs = observation(np.random.default_rng(0))
    swapped = np.array([1, 0])
    for one in (agent, part):
        one.reset(0)
    np.testing.assert_allclose(
        part.act(obs[[1, 2]], swapped, FIRST[:2], "eval"),
        agent.act(obs[[1, 2]], INDEX[[1, 2]], FIRST[:2], "eval"),
        atol=1e-6,
    )


def test_all_mismatches_are_in_one_message(make, tmp_path):
    make(conditioning="language", conditioning_width=64).save(tmp_path / "c")
    stranger = newt_bench.get_task("hopper-hop")
    config = json.loads((tmp_path / "c" / "config.json").read_text())
    config["config"]["conditioning_width"] = 9
    (tmp_path / "c" / "config.json").write_text(json.dumps(config))
    with pytest.raises(AgentError) as caught:
        make.agent.load(tmp_path / "c", [dataclasses.replace(SHORT[0], discount=0.5), stranger], device="cpu")
    message = str(caught.value)
    assert "newt/cartpole-balance-v0: discount was" in message
    assert "it was not trained on newt/hopper-hop-v0" in message
    assert "conditioning.weight is float32[64, 512], not float32[9, 512]" in message
    with pytest.raises(AgentError, match="is a checkpoint of another kind"):
        type("Other", (make.agent,), {"FORMAT": "other"}).load(tmp_path / "c", SHORT, device="cpu")


def test_resuming_needs_the_same_tasks(make, tmp_path):
    agent = make()
    make.learn(agent, 3)
    agent.save(tmp_path / "run")
    with pytest.raises(AgentError, match="training state is for the tasks newt/cartpole-balance-v0, newt/walker-run"):
        make.agent.load(tmp_path / "run", SHORT[:2], device="cpu")


@pytest.mark.parametrize("conditioning", ["language", "one-hot", "none"])
def test_adapts_to_a_task_that_it_does_not_know(make, conditioning):
    agent = make(conditioning=conditioning)
    make.learn(agent, 9)
    before = {name: tensor.clone() for name, tensor in agent.model.state_dict().items()}
    task = dataclasses.replace(newt_bench.get_task("finger-spin"), max_episode_steps=5)
    agent.adapt(task)
    assert agent.tasks == (task,)
    assert agent.masks.sum() == task.action_dim
    assert agent.steps == agent.updates == 0
    rows = task_row_names(agent.model)
    for name, parameter in agent.model.named_parameters():
        wanted = before[name].mean(0, keepdim=True) if name in rows else before[name]
        assert torch.equal(parameter, wanted), name
    learned = [name for name, _ in agent.model.named_parameters()]
    assert any(name.endswith("conditioning.table") for name in learned) == (conditioning == "one-hot")
    make.learn(agent, 40, tasks=(task,), index=np.zeros(2, np.int64))
    assert agent.updates
    assert any(not torch.equal(p, before[n]) for n, p in agent.model.named_parameters() if n not in rows)


def test_adapting_needs_the_same_text_encoder(make):
    agent = make(conditioning="language")
    agent.texts.name = "another"
    with pytest.raises(AgentError, match="knows texts by another; hash-ngrams-1 does not give the same"):
        agent.adapt(SHORT[0])
    assert agent.tasks == SHORT


def test_single_task_needs_no_text(make):
    agent = make(SHORT[1:2])
    make.learn(agent, 9, tasks=SHORT[1:2], index=np.zeros(3, np.int64))
    assert agent.config.conditioning == "none"
    assert "text_encoder" not in agent.provenance()


def test_images_are_refused(make):
    with pytest.raises(AgentError, match="sees states"):
        make().act(np.zeros((4, 64, 64, 3), np.uint8), INDEX, FIRST, "eval")


def test_settings_that_cannot_be_are_named(make):
    with pytest.raises(AgentError, match=r"no setting 'lerning_rate', 'x'; see .*Settings for all"):
        make(lerning_rate=1, x=2)
    with pytest.raises(AgentError, match="conditioning must be one of language, one-hot, none or None, not 'text'"):
        make(conditioning="text")
    with pytest.raises(AgentError, match="conditioning_width must be an integer, not '64'"):
        make(conditioning_width="64")
