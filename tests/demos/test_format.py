"""Writing, reading, validating."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest

import newt_bench
from newt_bench.demos import DemoFile, Demos, Episode, load_demos, validate, write_demos
from newt_bench.demos.validation import require_complete
from newt_bench.errors import DemosError, InputError
from newt_bench.replay import Replay
from tests.conftest import DATA
from tests.demos.conftest import info_of

FIELDS = ("observation", "action", "reward", "success", "score", "reset_seed")


def assert_same(a: Episode, b: Episode) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@pytest.mark.parametrize("compression", ["none", "lzf", "gzip"])
@pytest.mark.parametrize("mapped", [False, True])
def test_what_is_written_is_read(recorded, tmp_path, compression, mapped):
    for name, episodes in recorded.items():
        write_demos(tmp_path / f"{name}.h5", info_of(name), episodes, compression)
    demos = load_demos(list(recorded), root=tmp_path, mapped=mapped)
    assert list(demos) == list(recorded)
    for name, episodes in recorded.items():
        item = demos[name]
        assert (len(item), item.steps, item.task.name) == (3, sum(map(len, episodes)), name)
        assert item.info == info_of(name)
        for before, after in zip(episodes, item, strict=True):
            assert_same(before, after)
            assert len(after.observation) == len(after) + 1
        np.testing.assert_allclose(item.returns, [e.episode_return for e in episodes])
    assert [e.task for e in demos.episodes()] == [name for name in recorded for _ in range(3)]
    assert demos.steps == sum(len(e) for e in demos.episodes())


def test_bytes_are_a_function_of_the_content(recorded, tmp_path):
    name = "pygame-cowboy"
    for number in range(2):
        write_demos(tmp_path / f"{number}.h5", info_of(name), recorded[name])
    assert (tmp_path / "0.h5").read_bytes() == (tmp_path / "1.h5").read_bytes()


def test_plain_h5py_reads_it(recorded, folder):
    """As docs/demos.md says."""
    with h5py.File(folder / "pygame-cowboy.h5") as file:
        assert file.attrs["format"] == "newt-bench-demos"
        assert json.loads(file.attrs["policy"])["name"] == "uniform"
        offset = file["offset"][()]
        for k, episode in enumerate(recorded["pygame-cowboy"]):
            start, end = offset[k], offset[k + 1]
            np.testing.assert_array_equal(file["reward"][start:end], episode.reward)
            np.testing.assert_array_equal(file["observation"][start + k : end + k + 1], episode.observation)


def test_features(recorded, tmp_path):
    name = "pygame-cowboy"
    width = np.arange(501 * 3, dtype=np.float32).reshape(501, 3)
    episodes = [dataclasses.replace(e, feature=width + k) for k, e in enumerate(recorded[name])]
    write_demos(tmp_path / f"{name}.h5", info_of(name), episodes)
    item = load_demos(name, root=tmp_path)[name]
    np.testing.assert_array_equal(item.episode(2).feature, width + 2)
    with pytest.raises(DemosError, match="some episodes have features"):
        write_demos(tmp_path / f"{name}.h5", info_of(name), [*episodes, recorded[name][0]])


def test_writing_refuses_and_leaves_what_was_there(recorded, tmp_path):
    path, name = tmp_path / "x.h5", "pygame-cowboy"
    write_demos(path, info_of(name), recorded[name])
    before = path.read_bytes()
    broken = dataclasses.replace(recorded[name][0], action=recorded[name][0].action[:-1])
    for episodes, message in (([], "no episode"), ([broken], "episode 0 has 499 rows of action")):
        with pytest.raises(DemosError, match=message):
            write_demos(path, info_of(name), episodes)
    with pytest.raises(DemosError, match="compression"):
        write_demos(path, info_of(name), recorded[name], "zip")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["x.h5"]


def test_format_1_stays_readable():
    """A file of the first release, kept: every later release reads it."""
    item = load_demos(root=DATA / "demos-format-1")["mujoco-reacher"]
    assert (len(item), item.steps, item.info.policy["name"]) == (2, 100, "uniform")
    assert item.returns == pytest.approx([-45.34316, -43.03890], abs=1e-4)
    assert item.reset_seed.tolist() == [0, 1]
    assert validate(item.path) == {item.path: []}


def test_a_newer_file_names_the_release(folder):
    path = folder / "pygame-cowboy.h5"
    with h5py.File(path, "a") as file:
        file.attrs["format_version"], file.attrs["readable_by"] = 2, "0.9.0"
    with pytest.raises(DemosError, match=r'format 2.*reads formats up to 1.*pip install "newt-bench>=0\.9\.0"'):
        DemoFile(path)


def test_loading_names_what_is_missing(folder):
    with pytest.raises(DemosError, match="has no demonstrations of walker-run"):
        load_demos(["pygame-cowboy", "walker-run"], root=folder)
    with pytest.raises(DemosError, match="holds no files"):
        load_demos(root=folder.parent)
    with pytest.raises(DemosError, match="does not exist"):
        load_demos(root=folder / "absent")
    with pytest.raises(InputError, match="name tasks, a split, or a folder"):
        load_demos()
    with pytest.raises(InputError, match="either tasks or a split"):
        load_demos("walker-run", split="core")
    with pytest.raises(InputError, match="no task"):
        load_demos([])
    with pytest.raises(KeyError):
        load_demos(root=folder)["walker-run"]


def test_validate_a_good_folder(folder):
    found = validate(folder)
    assert [path.name for path in found] == ["pygame-cowboy.h5", "pygame-point-maze-var1.h5"]
    assert not any(found.values())
    for file in require_complete(found):
        file.close()


def change(name, edit):
    def apply(file):
        data = file[name][()]
        edit(data)
        file[name][()] = data

    return apply


FAULTS = {
    "nan": (change("reward", lambda a: a.__setitem__(7, np.nan)), "reward holds NaN or infinity in 1 .* in row 7"),
    "infinity": (change("observation", lambda a: a.__setitem__((9, 0), np.inf)), "observation holds NaN"),
    "action": (change("action", lambda a: a.__setitem__((11, 0), 1.5)), r"action leaves \[-1, 1\] in row 11"),
    "success": (change("success", lambda a: a.__setitem__(0, 7)), "success must be one of"),
    "score": (change("score", lambda a: a.__setitem__(-1, 0.77)), "episode 2 has score 0.7700 where"),
    "seed": (change("reset_seed", lambda a: a.__setitem__(0, 2**31)), "reset_seed must lie"),
    "seeds": (change("reset_seed", lambda a: a.__setitem__(0, a[1])), "two episodes have the same reset_seed"),
    "length": (change("offset", lambda a: a.__setitem__(1, 100)), "episode 0 has 100 steps where"),
    "version": (lambda file: file.attrs.__setitem__("task_id", "newt/x-v9"), "was recorded on newt/x-v9"),
    "task": (lambda file: file.attrs.__setitem__("task", "no-such-task"), "There is no task 'no-such-task'"),
    "other task": (lambda file: file.attrs.__setitem__("task", "pygame-pong"), "observation has .* entries where"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["pygame-cowboy", "pygame-point-maze-var1"])
def test_validate_names_what_is_wrong(folder, fault, name):
    path = folder / f"{name}.h5"
    edit, message = FAULTS[fault]
    with h5py.File(path, "a") as file:
        edit(file)
    found = validate(path)[path]
    assert any(re.search(message, problem) for problem in found), found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy": {"name": "x"}}, "policy.checkpoint, policy.command"),
        ({"versions": {}}, "versions.newt_bench, versions.python"),
        ({"licence": ""}, "licence"),
    ],
)
def test_incomplete_files_are_not_published(recorded, tmp_path, change, message):
    path, name = tmp_path / "pygame-cowboy.h5", "pygame-cowboy"
    write_demos(path, dataclasses.replace(info_of(name), **change), recorded[name])
    with pytest.raises(DemosError, match=f"cannot be published: it does not tell .*{message}"):
        require_complete([path])


@pytest.mark.parametrize("field", ["success", "score", "reset_seed"])
def test_unknown_numbers_are_not_published(recorded, tmp_path, field):
    name = "pygame-point-maze-var1"
    value = {"success": np.full(200, -1, "i1"), "score": np.full(200, np.nan, "f4"), "reset_seed": -1}[field]
    episodes = [dataclasses.replace(e, **{field: value}) for e in recorded[name]]
    write_demos(tmp_path / "x.h5", info_of(name), episodes)
    assert validate(tmp_path / "x.h5")[tmp_path / "x.h5"] == []
    with pytest.raises(DemosError, match=field):
        require_complete([tmp_path / "x.h5"])


def test_reading_a_read_only_folder_takes_no_lock(folder, run_python):
    """Another process holds the file open for writing, with HDF5's lock; the folder cannot be written to."""
    path = folder / "pygame-cowboy.h5"
    path.chmod(0o444)
    folder.chmod(0o555)
    code = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        assert len(load_demos("pygame-cowboy", root=folder)["pygame-cowboy"].reward) == 1500
    finally:
        holder.communicate("\n")
        folder.chmod(0o755)


def test_importing_demos_loads_nothing_heavy(run_python):
    heavy = ("h5py", "torch", "huggingface_hub")
    code = f"import sys, newt_bench; newt_bench.load_demos; print([m for m in {heavy} if m in sys.modules])"
    assert run_python(code).stdout.strip() == "[]"


def test_the_extra_is_named(run_python, folder):
    code = f"import sys; sys.modules['h5py'] = None\nimport newt_bench; newt_bench.load_demos(root={str(folder)!r})"
    assert 'pip install "newt-bench[demos]"' in run_python(code, check=False).stderr


def test_two_files_of_one_task(folder):
    (folder / "copy.h5").write_bytes((folder / "pygame-cowboy.h5").read_bytes())
    with pytest.raises(DemosError, match="same task"):
        load_demos(root=folder)


def test_repr(folder):
    demos = newt_bench.load_demos(root=folder)
    assert isinstance(demos, Demos)
    assert repr(demos) == "Demos(2 tasks, 6 episodes, 2100 steps)"


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_straight_into_a_replay_buffer(recorded, tmp_path, compression):
    """All of it, under the tasks' indices; arrays that were read before are used, and others are not kept."""
    for name, episodes in recorded.items():
        write_demos(tmp_path / f"{name}.h5", info_of(name), episodes, compression)
    demos = load_demos(list(recorded), root=tmp_path)
    read_before = demos["pygame-cowboy"].observation
    replay = demos.to_replay(horizon=2, sampling="task")
    assert (replay.num_episodes, replay.num_steps) == (6, demos.steps)
    assert replay.capacity == demos.steps + 6
    held, start = replay.state(), 0
    for number, episodes in enumerate(recorded.values()):
        assert (held["episodes"][3 * number : 3 * number + 3, 2] == number).all()
        for episode in episodes:
            rows = slice(start, start + len(episode) + 1)
            obs, action = held["obs"][rows], held["action"][rows]
            width, action_width = episode.observation.shape[1], episode.action.shape[1]
            np.testing.assert_array_equal(obs[:, :width], episode.observation)
            np.testing.assert_array_equal(action[1:, :action_width], episode.action)
            np.testing.assert_array_equal(held["reward"][rows][1:], episode.reward)
            assert not obs[:, width:].any()
            assert not action[:, action_width:].any()
            start = rows.stop
    assert demos["pygame-cowboy"].observation is read_before
    assert "observation" not in vars(demos["pygame-point-maze-var1"])
    with pytest.raises(InputError, match="do not fit rows of"):
        demos["pygame-point-maze-var1"].add_to(Replay(5000, 1, 1))
