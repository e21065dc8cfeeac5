"""Collecting demonstrations, playing them again, and the command line."""

from __future__ import annotations

import json
import math
import os

import numpy as np
import pytest

import newt_bench
from newt_bench.agents.scripted import EXPERTS, ScriptedAgent, scripted_tasks
from newt_bench.collection import collect, demonstration_seed, replay, show
from newt_bench.collection.acceptance import is_accepted, return_threshold
from newt_bench.demos import Episode, load_demos, validate
from newt_bench.demos.validation import require_complete
from newt_bench.errors import AgentError, DemosError, InputError
from newt_bench.evaluation import EVALUATION_SEEDS, evaluate
from tests.demos.published import write_published

QUICK = ["mujoco-reacher", "pygame-point-maze-var2", "og-point-arena"]


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def test_collect_does_not_depend_on_workers_or_other_tasks(tmp_path):
    results = collect(QUICK, tmp_path / "one", episodes=3, progress=False)
    assert [(r.task, r.episodes, r.attempts, r.status) for r in results] == [(name, 3, 10, "new") for name in QUICK]
    collect(QUICK[::-1], tmp_path / "two", episodes=3, workers=2, progress=False)
    collect(QUICK[1], tmp_path / "three", episodes=3, progress=False)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "three").items() <= contents(tmp_path / "one").items()
    for file in require_complete(sorted((tmp_path / "one").iterdir())):
        file.close()
    collect(QUICK[0], tmp_path / "four", episodes=3, seed=1, progress=False)
    assert contents(tmp_path / "four")[f"{QUICK[0]}.h5"] != contents(tmp_path / "one")[f"{QUICK[0]}.h5"]


def test_collect_goes_on_where_it_stopped(tmp_path):
    collect(QUICK[0], tmp_path, episodes=2, progress=False)
    before = (tmp_path / f"{QUICK[0]}.h5").stat().st_mtime_ns
    first, second = collect(QUICK[:2], tmp_path, episodes=2, progress=False)
    assert (first.status, first.attempts, second.status) == ("kept", 0, "new")
    assert (tmp_path / f"{QUICK[0]}.h5").stat().st_mtime_ns == before
    item = load_demos(QUICK[0], root=tmp_path)[QUICK[0]]
    assert first.mean_return == pytest.approx(item.returns.mean())
    with pytest.raises(InputError, match="was collected otherwise"):
        collect(QUICK[0], tmp_path, episodes=3, progress=False)
    assert collect(QUICK[0], tmp_path, episodes=3, overwrite=True, progress=False)[0].episodes == 3


def test_a_damaged_file_is_not_taken_for_finished(tmp_path):
    collect(QUICK[0], tmp_path, episodes=2, progress=False)
    path = tmp_path / f"{QUICK[0]}.h5"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DemosError, match="is damaged"):
        collect(QUICK[0], tmp_path, episodes=2, progress=False)


def test_frames_are_of_the_observations(tmp_path):
    """Each is what the environment shows; they are added to files that are there, and drawn once."""
    import gymnasium

    name = "pygame-point-maze-var2"
    collect(name, tmp_path, episodes=2, progress=False)
    states = contents(tmp_path)
    (result,) = collect(name, tmp_path, episodes=2, frames=32, progress=False)
    assert (result.status, result.attempts) == ("kept", 0)
    drawn = contents(tmp_path)
    assert states.items() < drawn.items()
    assert set(drawn) == {f"{name}.h5", f"{name}.frames.h5"}
    item = load_demos(name, root=tmp_path)[name]
    assert item.frame_file.versions == item.info.versions
    for index, episode in enumerate(item):
        frames = item.frames(index)
        assert frames.shape == (len(episode) + 1, 32, 32, 3)
        env = gymnasium.make(item.task.id, obs_type="rgb", render_size=32)
        np.testing.assert_array_equal(frames[0], env.reset(seed=episode.reset_seed)[0])
        for step in range(3):
            np.testing.assert_array_equal(frames[step + 1], env.step(episode.action[step])[0])
        env.close()
    with pytest.raises(InputError, match="was drawn otherwise"):
        collect(name, tmp_path, episodes=2, frames=48, progress=False)
    collect(name, tmp_path, episodes=2, frames=32, progress=False)
    assert contents(tmp_path) == drawn
    collect(name, tmp_path / "at-once", episodes=2, frames=32, progress=False)
    assert contents(tmp_path / "at-once") == drawn
    collect(name, tmp_path, episodes=1, overwrite=True, progress=False)
    assert set(contents(tmp_path)) == {f"{name}.h5"}, "the frames were of the file that was replaced"


def test_what_goes_otherwise_is_not_drawn(tmp_path):
    import h5py

    collect(QUICK[0], tmp_path, episodes=1, progress=False)
    with h5py.File(tmp_path / f"{QUICK[0]}.h5", "a") as file:
        file["observation"][7] += 1
    with pytest.raises(
        DemosError, match="episode 0 cannot be drawn: played again, it goes otherwise from observation 7"
    ):
        collect(QUICK[0], tmp_path, episodes=1, frames=16, progress=False)
    assert set(contents(tmp_path)) == {f"{QUICK[0]}.h5"}
    for wrong in ({"frames": 8}, {"frames": 64, "encoding": "tiff"}):
        with pytest.raises(InputError, match="frames must be encoded as"):
            collect(QUICK[1], tmp_path, progress=False, **wrong)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"episodes": 0}, "1 <= episodes"), ({"workers": 0}, "workers >= 1"), ({"max_attempts": 1}, "<= attempts")],
)
def test_arguments_are_checked(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        collect(QUICK[0], tmp_path, progress=False, **arguments)
    with pytest.raises(InputError, match="no task"):
        collect([], tmp_path)
    with pytest.raises(AgentError, match="no scripted expert for walker-run"):
        collect("walker-run", tmp_path)
    assert not os.listdir(tmp_path)


def episode(reward: float, success: int) -> Episode:
    ones = np.ones(2, "f4")
    return Episode(np.ones((3, 1), "f4"), np.ones((2, 1), "f4"), reward / 2 * ones, np.full(2, success, "i1"), ones)


def test_the_acceptance_rule():
    assert return_threshold([1, 2, 4, 100]) == pytest.approx(0.75 * 3)
    assert return_threshold([-4, -2, 0]) == pytest.approx(-2.5)
    assert return_threshold([0, 0]) == 0
    assert is_accepted(episode(3, 1), 2.9)
    assert is_accepted(episode(3, -1), 3)
    assert not is_accepted(episode(3, 1), 3.1)
    assert not is_accepted(episode(3, 0), 0)


def test_only_accepted_episodes_are_kept(tmp_path):
    """mw-lever-pull's expert fails about every second time."""
    (result,) = collect("mw-lever-pull", tmp_path, episodes=4, progress=False)
    item = load_demos(root=tmp_path)["mw-lever-pull"]
    assert item.final_success.tolist() == [1] * 4
    policy = item.info.policy
    assert item.returns.min() >= policy["return_threshold"]
    assert (policy["attempts"], policy["name"], policy["checkpoint"]) == (result.attempts, "ScriptedAgent", "none")
    everything = collect("mw-lever-pull", tmp_path / "all", episodes=10, accept=False, progress=False)
    assert everything[0].attempts == 10
    kept = load_demos(root=tmp_path / "all")["mw-lever-pull"]
    assert 0 in kept.final_success
    good = [k for k in range(10) if kept.final_success[k] and kept.returns[k] >= policy["return_threshold"]]
    assert item.reset_seed.tolist()[: len(good)] == kept.reset_seed[good].tolist()[:4]


def test_an_agent_that_never_succeeds(tmp_path):
    (result,) = collect("mw-reach", tmp_path, "random", episodes=1, max_attempts=3, progress=False)
    assert (result.status, result.episodes) == ("none", 0)
    assert math.isnan(result.mean_return)
    assert not os.listdir(tmp_path)


def test_seeds_are_not_those_of_evaluation():
    task = newt_bench.get_task("mw-reach")
    seeds = [demonstration_seed(0, task, attempt) for attempt in range(1000)]
    assert len(set(seeds)) > 990
    assert max(seeds) < EVALUATION_SEEDS.start
    assert demonstration_seed(0, newt_bench.get_task("mw-push"), 0) != seeds[0]


# How much rewards may differ when a demonstration is played again on the machine that recorded it.
DOMAINS = {
    "dmcontrol": "cartpole-swingup",
    "dmcontrol-ext": "pendulum-spin",
    "metaworld": "mw-reach",
    "maniskill": "ms-reach",
    "mujoco": "mujoco-reacher",
    "box2d": "lunarlander-land",
    "robodesk": "rd-push-red",
    "ogbench": "og-point-maze",
    "miniarcade": "pygame-coinrun",
    "atari": "atari-pong",
}


@pytest.mark.parametrize("domain", DOMAINS)
def test_demonstrations_can_be_played_again(tmp_path, domain):
    name = DOMAINS[domain]
    assert newt_bench.get_task(name).domain == domain
    collect(name, tmp_path, "random", episodes=1, accept=False, progress=False)
    item = load_demos(root=tmp_path)[name]
    again = replay(item)
    assert again.reward_error <= 1e-5
    assert again.observation_error <= 1e-5
    assert again.replayed_return == pytest.approx(again.recorded_return, rel=1e-4, abs=1e-4)
    assert validate(tmp_path)[item.path] == []


def test_altered_actions_are_noticed(tmp_path):
    import h5py

    collect("pygame-point-maze-var2", tmp_path, episodes=1, progress=False)
    path = tmp_path / "pygame-point-maze-var2.h5"
    with h5py.File(path, "a") as file:
        file["action"][0] *= -1
    assert replay(load_demos(root=tmp_path)["pygame-point-maze-var2"]).reward_error > 1e-3


def test_there_are_enough_experts():
    domains = {task.domain for task in scripted_tasks()}
    assert len(scripted_tasks()) == len(EXPERTS) >= 60
    assert len(domains) >= 5


@pytest.mark.parametrize("name", [t.name for t in scripted_tasks() if t.domain != "metaworld"])
def test_experts_beat_chance_by_far(name):
    """Three episodes; the scores of good play and of chance lie far apart."""
    task = newt_bench.get_task(name)
    results = evaluate(ScriptedAgent, name, episodes=3, progress=False)
    score = np.mean([record.score for record in results.episodes])
    chance = 0.0 if task.has_success else task.score(task.random_return.mean, 0.0)
    assert score > chance + 0.15, (score, chance)


@pytest.mark.parametrize("name", ["mw-door-open", "mw-handle-press", "mw-plate-slide-side", "mw-pick-place"])
def test_experts_of_meta_world_end_at_the_goal(name):
    """Left alone, those of the first three leave it again."""
    results = evaluate(ScriptedAgent, name, episodes=3, progress=False)
    assert [record.success for record in results.episodes] == [1, 1, 1]


def test_experts_remember_nothing_from_other_slots():
    """Two slots of different tasks, one of them reset in the middle: each gets what it gets alone."""
    both = [newt_bench.get_task(name) for name in ("og-point-maze", "pygame-point-maze-var1")]
    rows = {}
    for k, task in enumerate(both):
        import gymnasium

        with gymnasium.make(task.id) as env:
            rows[k] = [np.pad(env.reset(seed=seed)[0], (0, 128 - task.obs_dim)) for seed in (0, 1)]
    together = ScriptedAgent(both)
    for step in range(2):
        obs = np.array([rows[0][step], rows[1][step]], np.float32)
        actions = together.act(obs, np.array([0, 1]), np.array([True, True]), "eval")
        for k, task in enumerate(both):
            alone = ScriptedAgent([task]).act(obs[k : k + 1], np.array([0]), np.array([True]), "eval")
            np.testing.assert_array_equal(actions[k], alone[0])


def test_experts_want_states():
    agent = ScriptedAgent([newt_bench.get_task("mw-reach")])
    with pytest.raises(AgentError, match="obs_type='state'"):
        agent.act(np.zeros((1, 8, 8, 3), np.uint8), np.array([0]), np.array([True]), "eval")


def test_films(tmp_path):
    collect("pygame-point-maze-var2", tmp_path, episodes=1, progress=False)
    demos = load_demos(root=tmp_path)["pygame-point-maze-var2"]
    show(demos, out=tmp_path / "x.gif", size=32)
    assert (tmp_path / "x.gif").stat().st_size > 1000
    with pytest.raises(InputError):
        show(demos, out=tmp_path / "x.txt")
    with pytest.raises(InputError, match=r"demonstrations 0\.\.0"):
        show(demos, 1, out=tmp_path / "y.gif")


def test_the_commands(run_cli, tmp_path):
    """One after the other, as in the manual."""
    made = run_cli(
        "demos", "collect", "--scripted", "--tasks", "mujoco-reacher,mw-reach", "--episodes", 2, "--out", "d"
    )
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""
    assert [line.split(":")[0] for line in made.stdout.splitlines()] == ["mujoco-reacher", "mw-reach"]
    checked = run_cli("demos", "validate", "d", "--replay")
    assert checked.returncode == 0
    assert checked.stdout.count("rewards differ by at most 0 when played again") == 2
    records = json.loads(run_cli("demos", "info", "d", "--json").stdout)
    assert [(r["task"], r["episodes"]) for r in records] == [("mujoco-reacher", 2), ("mw-reach", 2)]
    assert records[0]["policy"]["command"].startswith("newt-bench demos collect --scripted")
    assert "mw-reach" in run_cli("demos", "info", "d/mw-reach.h5").stdout
    exported = run_cli("demos", "export", "--root", "d", "--out", "minari")
    assert (exported.returncode, exported.stderr) == (0, "")
    assert (tmp_path / "minari/newt-bench/mw-reach-v0/data/main_data.hdf5").is_file()
    films = run_cli("demos", "play", "mujoco-reacher", "--root", "d", "--out", "x.gif", "--size", 32)
    assert (films.returncode, films.stdout) == (0, "wrote x.gif\n")
    (tmp_path / "d/mw-reach.h5").write_bytes(b"")
    wrong = run_cli("demos", "validate", "d")
    assert wrong.returncode == 1
    assert "d/mw-reach.h5: it is damaged, or no HDF5 file" in wrong.stdout
    for arguments in (
        ("collect", "--tasks", "mw-reach", "--out", "e"),
        ("collect", "--scripted", "--all", "--tasks", "mw-reach", "--out", "e"),
        ("collect", "--scripted", "--tasks", "walker-run", "--out", "e"),
        ("download",),
        ("info", "absent.h5"),
        ("export", "--root", "d", "--out", "f", "--format", "rlds"),
    ):
        refused = run_cli("demos", *arguments)
        assert (refused.returncode, refused.stderr[:7]) == (2, "error: "), arguments


def test_commands_of_the_hub(tmp_path, run_cli):
    cache = {"NEWT_BENCH_DEMOS": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    listed = run_cli("demos", "list", "--tasks", "walker-run", **cache)
    assert listed.returncode == 0
    assert listed.stdout.splitlines()[1].split() == ["walker-run", "nicklashansen/mmbench", "?", "?", "?", "no"]
    assert "is not pinned" in listed.stderr
    assert json.loads(run_cli("demos", "list", "--tasks", "walker-run", "--json", **cache).stdout)[0]["cached"] is False
    failed = run_cli("demos", "download", "--tasks", "walker-run", **cache)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "HF_HUB_OFFLINE" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_import_command(tmp_path, run_cli):
    from tests.demos.conftest import roll

    write_published(tmp_path / "in" / "mujoco-reacher.pt", [roll("mujoco-reacher", 0)])
    done = run_cli("demos", "import", "in", "--out", "out")
    assert (done.returncode, done.stdout) == (0, "wrote out/mujoco-reacher.h5\n")
    assert len(load_demos(root=tmp_path / "out")["mujoco-reacher"]) == 1
