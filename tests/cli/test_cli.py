"""The installed command, run as a user runs it."""

from __future__ import annotations

import json

import jsonschema
import pytest

import newt_bench
from newt_bench.schemas import load_schema

AGENT = """
import newt_bench, numpy as np

class Push(newt_bench.Agent):
    def __init__(self, tasks, seed=0, force=0.0):
        super().__init__(tasks, seed)
        self.force = force

    def act(self, obs, task, first, mode):
        return np.full((len(task), 16), self.force, np.float32)
"""


def valid(text: str, schema: str):
    document = json.loads(text)
    jsonschema.Draft202012Validator(load_schema(schema)).validate(document)
    return document


def test_version_and_help(run_cli):
    assert run_cli("--version").stdout.strip() == f"newt-bench {newt_bench.__version__}"
    shown = run_cli("--help").stdout
    for command in ("tasks", "show", "evaluate", "render", "doctor", "quickstart"):
        assert command in shown


def test_tasks_json(run_cli):
    documents = valid(run_cli("tasks", "--json").stdout, "tasks-1")
    assert [d["name"] for d in documents] == list(newt_bench.tasks().names)
    assert documents[0] == newt_bench.tasks()[0].to_dict()


def test_tasks_table_and_filters(run_cli):
    child = run_cli("tasks", "--split", "lite", "--domain", "metaworld", "--domain", "ogbench")
    assert [line.split()[0] for line in child.stdout.splitlines()[1:]] == [
        *newt_bench.tasks(split="lite", domain=("metaworld", "ogbench")).names
    ]
    assert child.stderr.strip() == "4 tasks"
    assert run_cli("tasks", "--split", "core").stderr.strip() == "200 tasks"
    assert "bipedal-walker-obstacles " in run_cli("tasks", "--split", "lite", COLUMNS="80").stdout
    tagged = run_cli("tasks", "--tag", "jumping", "--json").stdout
    assert all("jumping" in d["tags"] for d in json.loads(tagged))


def test_show(run_cli):
    shown = run_cli("show", "ms-pick-apple").stdout
    task = newt_bench.get_task("ms-pick-apple")
    for text in (task.id, task.instruction, *task.paraphrases, "ycb:013_apple", "newt-bench[maniskill]"):
        assert text in shown
    assert "must not be compared" in run_cli("show", "pygame-reacher-var1").stdout
    (document,) = valid(run_cli("show", "newt/walker-run-v0", "--json").stdout, "tasks-1")
    assert document["name"] == "walker-run"


def test_evaluate(run_cli, tmp_path):
    child = run_cli(
        *("evaluate", "--agent", "random", "--tasks", "cartpole-balance, pendulum-swingup"),
        *("--episodes", 2, "--seed", 0, "--seed", 1, "--out", "deep/results.json"),
    )
    assert child.returncode == 0, child.stderr
    document = valid((tmp_path / "deep" / "results.json").read_text(), "results-1")
    assert len(document["episodes"]) == 8
    assert document["provenance"]["command"].startswith("newt-bench evaluate --agent random")
    results = newt_bench.load_results(tmp_path / "deep" / "results.json")
    for label in ("mean of tasks", "mean of domain means", "interquartile mean"):
        assert label in child.stdout
    assert str(results.aggregate()["mean"]) in child.stdout


def test_evaluate_own_agent_in_the_current_directory_with_options(run_cli, tmp_path):
    (tmp_path / "push.py").write_text(AGENT)
    child = run_cli(
        *("evaluate", "--agent", "push:Push", "--option", "force=0.5", "--tasks", "pendulum-swingup"),
        *("--episodes", 1, "--out", "r.json"),
    )
    assert child.returncode == 0, child.stderr
    assert "no interval: 1 seed" in child.stdout
    assert json.loads((tmp_path / "r.json").read_text())["agent"] == {
        "name": "Push",
        "spec": "push:Push",
        "options": {"force": 0.5},
    }


# imageio's own reader of MP4 files leaves its pipes open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("name", "magic"), [("film.mp4", b"ftyp"), ("film.gif", b"GIF89a"), ("frame.png", b"\x89PNG")])
def test_render(run_cli, tmp_path, name, magic):
    child = run_cli("render", "cartpole-swingup", "--out", name, "--steps", 12, "--size", 64)
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip() == f"wrote {name}"
    import imageio.v3 as iio

    assert magic in (tmp_path / name).read_bytes()[:16]
    frames = iio.imread(tmp_path / name) if name.endswith("png") else iio.imread(tmp_path / name, index=None)
    assert frames.shape == ((64, 64, 3) if name.endswith("png") else (13, 64, 64, 3))
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "walker-rum"], "error: There is no task 'walker-rum'. Did you mean 'walker-run'"),
        (["tasks", "--split", "all"], "error: There is no split 'all'. Known: core, heldout, lite."),
        (["tasks", "--domain", "mujocco"], "Did you mean 'mujoco'?"),
        (["evaluate"], "error: Say which tasks: either --tasks"),
        (["evaluate", "--tasks", "walker-run", "--split", "lite"], "error: Say which tasks"),
        (["evaluate", "--tasks", ","], "error: There is no task to evaluate"),
        (["evaluate", "--tasks", "walker-run", "--agent", "randm"], "Did you mean 'random'?"),
        (["evaluate", "--tasks", "walker-run", "--option", "x"], "error: options take the form key=value, not 'x'"),
        (["evaluate", "--tasks", "walker-run", "--obs-type", "pixels"], "error: obs_type must be one of"),
        (["render", "walker-run", "--out", "a.avi"], "error: 'a.avi': the format must be one of .png, .mp4, .gif"),
        (["render", "walker-run", "--out", "a.gif", "--steps", "501"], "error: steps must lie in 0..500"),
        (["render", "walker-run", "--out", "a.gif", "--size", "4"], "error: render_size must lie in"),
        (["doctor", "mujocco"], "error: There is no domain 'mujocco'"),
        (["evaluate", "--episodes", "many"], "Invalid value"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(run_cli, tmp_path, arguments, message):
    child = run_cli(*arguments)
    assert child.returncode == 2
    assert message in child.stderr
    assert "Traceback" not in child.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_missing_simulator_is_exit_code_1(run_python):
    code = """
import sys
from newt_bench.cli import main
sys.modules["ale_py"] = None
sys.argv = ["newt-bench", "evaluate", "--tasks", "atari-pong"]
main()
"""
    child = run_python(code, check=False)
    assert child.returncode == 1
    assert "error: newt/atari-pong-v0" in child.stderr


def test_quickstart(run_cli, tmp_path):
    child = run_cli("quickstart", "--steps", 2100)  # all but 25 steps of every slot at random
    assert child.returncode == 0, child.stderr
    valid((tmp_path / "quickstart" / "run" / "results.json").read_text(), "results-1")
    names = ("run/results.json", "run/curves.png", "before.mp4", "after.mp4", "run/checkpoint/agent")
    for line, name in zip(child.stdout.splitlines()[-5:], names, strict=True):
        assert line.endswith(f"quickstart/{name}")
        path = tmp_path / "quickstart" / name
        assert path.is_dir() or path.stat().st_size > 1000
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    assert "other holds something else" in run_cli("quickstart", "--out", "other").stderr


def test_results(run_cli, tmp_path):
    run_cli("evaluate", "--tasks", "pendulum-swingup", "--episodes", 1, "--out", "r.json")
    shown = run_cli("results", "r.json")
    assert shown.returncode == 0
    assert "pendulum-swingup" in shown.stdout
    assert "no interval: 1 seed" in shown.stdout
    (tmp_path / "r.json").write_text("{}")
    broken = run_cli("results", "r.json")
    assert broken.returncode == 2
    assert "r.json: not a valid results-1 document" in broken.stderr
