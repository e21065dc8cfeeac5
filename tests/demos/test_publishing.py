"""Uploads with the Hub's own client, to a server on this machine; data sets for Minari."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys

import minari
import numpy as np
import pytest

from newt_bench.demos import load_demos, write_demos
from newt_bench.demos.exporting import export
from newt_bench.demos.manifest import parse_manifest
from newt_bench.demos.publishing import push
from newt_bench.errors import DemosError, DownloadError, InputError, MissingExtraError
from tests.demos.conftest import info_of

REPOSITORY = "tester/mine"


@pytest.fixture
def hub(server, monkeypatch):
    server.token = "hf_secret"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    return server


def test_push_and_load(hub, folder, recorded):
    """All in one commit; anybody loads it by its name, or pinned to the commit."""
    pushed = push(folder, REPOSITORY)
    assert sum("/commit/main" in path for _, path, _ in hub.requests) == 1
    commit = hub.branches[REPOSITORY]["main"]
    files = hub.repositories[REPOSITORY][commit]
    assert set(files) == {"pygame-cowboy.h5", "pygame-point-maze-var1.h5", "manifest.toml", "README.md"}
    for path in folder.iterdir():
        assert files[path.name] == path.read_bytes()
        entry = pushed.manifest.tasks[path.stem]
        assert (entry.sha256, entry.size) == (hashlib.sha256(files[path.name]).hexdigest(), path.stat().st_size)
        assert (entry.episodes, entry.steps) == (3, sum(map(len, recorded[path.stem])))
    assert pushed.manifest.revision == commit
    assert parse_manifest(pushed.manifest.to_toml(), "x")[0] == pushed.manifest
    for name in (REPOSITORY, f"{REPOSITORY}@{commit}"):
        demos = load_demos(list(recorded), repository=name)
        np.testing.assert_array_equal(demos["pygame-cowboy"].reward[:500], recorded["pygame-cowboy"][0].reward)
    text = files["README.md"].decode()
    row = next(line for line in text.splitlines() if line.startswith("| `pygame-cowboy`"))
    mean = np.mean([e.episode_return for e in recorded["pygame-cowboy"]])
    assert row.split("|")[2:5] == [" 3 ", " 1500 ", f" {mean:.2f} "]
    for part in (
        "license: mit",
        "Licence: MIT",
        "uniform (checkpoint: none)",
        "pygame-ce 2",
        f'repository="{REPOSITORY}"',
    ):
        assert part in text


def test_incomplete_files_are_not_uploaded(hub, folder, recorded):
    name = "pygame-cowboy"
    anonymous = [dataclasses.replace(episode, reset_seed=-1) for episode in recorded[name]]
    write_demos(folder / f"{name}.h5", info_of(name), anonymous)
    with pytest.raises(DemosError, match="cannot be published: it does not tell reset_seed"):
        push(folder, REPOSITORY)
    (folder / f"{name}.h5").write_bytes(b"")
    with pytest.raises(DemosError, match="is not valid"):
        push(folder, REPOSITORY)
    assert not hub.requests


def test_an_upload_that_fails(hub, folder, monkeypatch):
    hub.faults = [403] * 10
    with pytest.raises(DownloadError, match=r"tester/mine does not take the upload: .*403"):
        push(folder, REPOSITORY)
    assert set(hub.repositories[REPOSITORY][hub.branches[REPOSITORY]["main"]]) == set()
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(DownloadError, match=r"does not take the upload: .*401"):
        push(folder, REPOSITORY)
    with pytest.raises(InputError, match="owner/name"):
        push(folder, "mine")


def test_minari_reads_an_export(folder, recorded, tmp_path, monkeypatch):
    demos = load_demos(root=folder)
    for name, item in demos.items():
        assert export(item, tmp_path / "minari") == f"newt-bench/{name}-v0"
        with pytest.raises(DemosError, match="exists"):
            export(item, tmp_path / "minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    for name, episodes in recorded.items():
        dataset = minari.load_dataset(f"newt-bench/{name}-v0")
        assert (dataset.total_episodes, dataset.total_steps) == (3, sum(map(len, episodes)))
        for before, after in zip(episodes, dataset.iterate_episodes(), strict=True):
            np.testing.assert_array_equal(after.observations, before.observation)
            np.testing.assert_array_equal(after.actions, before.action)
            np.testing.assert_array_equal(after.rewards, before.reward)
            np.testing.assert_array_equal(after.infos["success"][1:], before.success)
            assert not after.terminations.any()
            assert after.truncations.nonzero()[0].tolist() == [len(before) - 1]
        metadata = dataset.storage.metadata
        assert json.loads(metadata["policy"]) == dict(info_of(name).policy)
        assert metadata["instruction"] == demos[name].task.instruction
        env = dataset.recover_environment()
        assert env.unwrapped.task.name == name
        env.close()
    with pytest.raises(InputError, match="minari"):
        export(demos["pygame-cowboy"], tmp_path, "rlds")


def test_lerobot_needs_pyarrow(folder, tmp_path, monkeypatch):
    """What LeRobot itself reads of an export is in tests/packaging."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    item = load_demos(root=folder)["pygame-cowboy"]
    with pytest.raises(MissingExtraError, match=r'Exporting to LeRobot needs .*pip install "newt-bench\[lerobot\]"'):
        export(item, tmp_path / "out", "lerobot")
    assert not (tmp_path / "out").exists()
