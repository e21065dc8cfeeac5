"""`train`: what the agent is told, what is written, what is refused."""

from __future__ import annotations

import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch
from tensorboardX.proto.event_pb2 import Event

import newt_bench
from newt_bench.errors import AgentError, InputError
from newt_bench.training import TrainingSettings, load_curve, load_recipe, recipes, train
from newt_bench.training.journal import read_journal
from newt_bench.training.run_folder import Order, RunFolder
from tests.training.conftest import SETTINGS, TASKS, TINY

COUNTER = "tests.training.their_agents:Counter"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(
        COUNTER, TASKS, out=tmp_path_factory.mktemp("runs") / "run", num_envs_per_task=2, progress=False, **SETTINGS
    )


def test_the_agent_hears_of_every_step_and_of_final_observations(run):
    seen = run.agent.seen
    assert len(seen) == 500 // 4
    task = seen[0][1]
    assert task.tolist() == [0, 0, 1, 1]
    for (*_, following, last), (obs, *_) in itertools.pairwise(seen):
        np.testing.assert_array_equal(following[~last], obs[~last])
        assert (following[last] != obs[last]).any(axis=1).all()  # the end of one episode, the start of the next
    ends = np.stack([last for *_, last in seen])
    assert np.flatnonzero(ends[:, 0]).tolist() == [99]  # og-point-arena's 100 steps
    assert not ends[:, 2].any()  # the maze's 200 are longer than the run


def test_what_is_told_is_what_single_environments_do(run):
    import gymnasium

    from newt_bench.vector.layout import episode_seed

    env = gymnasium.make("newt/og-point-arena-v0")
    obs, _ = env.reset(seed=episode_seed(0, "og-point-arena", 1, 0))
    for before, _, action, reward, following, _ in run.agent.seen[:100]:
        np.testing.assert_array_equal(before[1, :9], obs)
        assert (action[1, 2:] == 0).all()
        obs, expected, *_ = env.step(action[1, :2])
        assert reward[1] == np.float32(expected)
        np.testing.assert_array_equal(following[1, :9], obs)
    env.close()


def test_evaluations_are_those_of_evaluate(run):
    """An agent that acts by what it sees alone does the same, one at a time or many."""
    alone = newt_bench.evaluate(COUNTER, TASKS, episodes=2, progress=False)
    assert run.results.episodes == alone.episodes
    assert run.results.protocol == alone.protocol
    assert run.results.provenance["agent"] == {"observed": 125}
    assert newt_bench.load_results(run.folder / "results.json").episodes == run.results.episodes


def test_the_log_tells_returns_metrics_and_scores(run):
    lines = read_journal(run.folder, "training")
    assert [line["steps"] for line in lines] == [100, 200, 300, 400, 500]
    assert [list(line["returns"]) for line in lines] == [[], [], [], ["og-point-arena"], []]
    assert lines[0]["metrics"] == {"loss": np.mean(np.arange(1, 26))}
    evaluations = read_journal(run.folder, "evaluation")
    assert [line["steps"] for line in evaluations] == [0, 400, 500]
    assert [line["episodes"] for line in evaluations] == [1, 1, 2]
    curve = load_curve(run.folder)
    assert curve.steps.tolist() == [0, 400, 500]
    last = {task: scores[-1] for task, scores in curve.scores.items()}
    assert last == pytest.approx({task: scores.mean() for task, scores in run.results.scores().items()})
    assert type(curve).from_json(json.loads(json.dumps(curve.to_json()))).scores.keys() == curve.scores.keys()


def test_tensorboard_shows_the_same(run):
    files = list((run.folder / "tensorboard").iterdir())
    values = {}
    for file in files:
        data, place = file.read_bytes(), 0
        while place < len(data):  # length, its checksum, the record, its checksum
            size = int.from_bytes(data[place : place + 8], "little")
            event = Event.FromString(data[place + 12 : place + 12 + size])
            values |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
            place += size + 16
    for line in read_journal(run.folder, "evaluation"):
        assert values["evaluation/score", line["steps"]] == pytest.approx(line["score"])
    assert values["training/metrics/loss", 100] == pytest.approx(13.0)


def test_a_picture_of_the_curves(run):
    assert (run.folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_is_not_overwritten(run, tmp_path):
    with pytest.raises(InputError, match="holds a run; continue it with --resume"):
        train(COUNTER, TASKS, out=run.folder, progress=False, **SETTINGS)
    with pytest.raises(InputError, match="no training run"):
        newt_bench.resume_training(tmp_path / "nothing", progress=False)
    with pytest.raises(InputError, match="has 500 steps already"):
        newt_bench.resume_training(run.folder, steps=100, progress=False)


@pytest.mark.parametrize("number", [1, 3, None])
def test_pytorch_computes_with_as_many_threads_as_it_is_told(tmp_path, number):
    before = torch.get_num_threads()
    settings = {**SETTINGS, "steps": 20, "torch_threads": number}
    run = train(COUNTER, TASKS[:1], out=tmp_path / "run", progress=False, **settings)
    assert run.agent.threads == {number or before}
    assert torch.get_num_threads() == before


def test_a_finished_run_goes_on_for_more_steps(tmp_path):
    short = train(COUNTER, TASKS[:1], out=tmp_path / "run", progress=False, **{**SETTINGS, "steps": 100})
    assert short.curve.steps.tolist() == [0, 100]
    more = newt_bench.resume_training(tmp_path / "run", steps=150, progress=False)
    assert more.curve.steps.tolist() == [0, 100, 150]
    assert len(more.agent.seen) == 50  # what Counter forgets


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tasks": ()}, "[Nn]o task"),
        ({"tasks": "walker-rum"}, "walker-run"),
        ({"agent": "newtt"}, "newt"),
        ({"steps": -1}, "steps must be a whole number from 0 up, not -1"),
        ({"steps": None}, "steps must be"),
        ({"stepz": 4}, "no training setting 'stepz'"),
        ({"obs_type": "sound"}, "obs_type must be one of"),
        ({"checkpoint_minutes": 0}, "checkpoint_minutes must be positive"),
        ({"options": {"gian": 2}}, "cannot be built with these options"),
        ({"env_options": {"joystick": "x"}}, "joystick"),
        ({"recipe": "gpu"}, "There is no recipe 'gpu'"),
        ({"adapt": "nowhere"}, "no saved agent"),
        ({"tasks": TASKS, "adapt": "nowhere"}, "adapted to one task at a time"),
    ],
)
def test_bad_input_is_one_clear_error(tmp_path, given, message):
    arguments = {"agent": COUNTER, "tasks": TASKS[0], "out": tmp_path / "run", "progress": False, **SETTINGS, **given}
    agent, tasks = arguments.pop("agent"), arguments.pop("tasks")
    with pytest.raises(InputError, match=message):
        train(agent, tasks, **arguments)


def test_an_agent_without_an_ability_says_so(tmp_path):
    with pytest.raises(AgentError, match="Forgetful cannot be saved"):
        train("tests.training.their_agents:Forgetful", TASKS[0], out=tmp_path / "a", progress=False, **SETTINGS)
    demos = tmp_path / "demos"
    from newt_bench.collection import collect

    collect("og-point-arena", demos, episodes=1, progress=False)
    with pytest.raises(AgentError, match="Counter cannot learn from demonstrations"):
        train(COUNTER, TASKS[0], out=tmp_path / "b", progress=False, demonstrations=str(demos), **SETTINGS)


def test_recipes_ship_and_are_for_one_agent(tmp_path):
    assert "cpu" in recipes("newt")
    for name in recipes("newt"):
        recipe = load_recipe("newt", name)
        assert recipe.description
        newt_bench.agents.newt.NewtConfig.from_options(recipe.options)
        TrainingSettings.from_mapping({"steps": 1, **recipe.training})
        newt_bench.tasks(list(recipe.tasks)) if recipe.tasks else None
    file = tmp_path / "mine.toml"
    for text, message in {
        'agent = "random"': "is a recipe for random, not for newt",
        'agent = "newt"\nstepz = 3': "a recipe has no stepz",
        'agent = "newt"\noptions = 3': "options must be a dict",
        "options = {}": "say which agent",
        "agent =": "cannot be read",
    }.items():
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            load_recipe("newt", file)
    with pytest.raises(InputError, match="There is no recipe"):
        load_recipe("newt", tmp_path / "other.toml")


def test_what_is_given_overrides_the_recipe(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        f'agent = "{COUNTER}"\ntasks = ["og-point-arena"]\n[training]\nsteps = 100\nnum_workers = 1\n'
        "final_episodes = 1\neval_episodes = 1\n[options]\ngain = 2.0\n"
    )
    run = train(COUNTER, out=tmp_path / "run", recipe=file, progress=False, steps=50)
    assert run.curve.steps.tolist() == [0, 50]
    order = RunFolder(run.folder).order()
    assert order.options == {"gain": 2.0}
    assert order.tasks == ("og-point-arena",)
    assert run.results.provenance["training"]["recipe"] == "mine"
    assert Order.from_json(json.loads(json.dumps(order.to_json()))) == order


def test_settings_of_a_run_without_steps_only_learn_from_demonstrations(tmp_path):
    from newt_bench.collection import collect

    collect("og-point-arena", tmp_path / "demos", episodes=3, progress=False)
    options = {**TINY, "pretrain_updates": 5}
    settings = {**SETTINGS, "steps": 0, "demonstrations": str(tmp_path / "demos")}
    run = train("newt", "og-point-arena", out=tmp_path / "run", options=options, progress=False, **settings)
    assert run.agent.learner.updates == 5
    assert run.agent.steps == 0
    assert run.curve.steps.tolist() == [0]
    assert dataclasses.replace(run.results.protocol).episodes == 2


def test_a_run_that_never_began_does_not_stand_in_the_way(tmp_path):
    settings = {**SETTINGS, "steps": 50}
    with pytest.raises(InputError, match="cannot be built"):
        train(COUNTER, TASKS[:1], out=tmp_path / "run", options={"gian": 2}, progress=False, **settings)
    run = train(COUNTER, TASKS[:1], out=tmp_path / "run", options={"gain": 2}, progress=False, **settings)
    assert run.agent.gain == 2


def test_evaluating_a_finished_run_again_keeps_where_its_episodes_are(tmp_path):
    train(COUNTER, TASKS[:1], out=tmp_path / "run", progress=False, **{**SETTINGS, "steps": 60})
    newt_bench.resume_training(tmp_path / "run", progress=False)
    assert RunFolder(tmp_path / "run").load().arrays["open/steps"].tolist() == [60]
    more = newt_bench.resume_training(tmp_path / "run", steps=100, progress=False)
    assert [last.any() for *_, last in more.agent.seen] == [False] * 39 + [True]
