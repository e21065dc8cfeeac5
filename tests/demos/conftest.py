"""Demonstrations to test with: real ones, recorded once."""

from __future__ import annotations

import threading

import gymnasium
import numpy as np
import pytest

import newt_bench
from newt_bench import downloads
from newt_bench.demos import Episode, Info
from tests.demos.hub import Hub


def roll(task_name: str, seed: int) -> Episode:
    """An episode of random actions."""
    task = newt_bench.get_task(task_name)
    random = np.random.default_rng(seed)
    with gymnasium.make(task.id) as env:
        obs, _ = env.reset(seed=seed)
        rows = [obs]
        actions = random.uniform(-1, 1, (task.max_episode_steps, task.action_dim)).astype(np.float32)
        steps = []
        for action in actions:
            obs, reward, _, _, info = env.step(action)
            rows.append(obs)
            steps.append((reward, info["success"] if task.has_success else -1, info["score"]))
    reward, success, score = (np.array(column) for column in zip(*steps, strict=True))
    return Episode(
        np.array(rows), actions, reward.astype("f4"), success.astype("i1"), score.astype("f4"), seed, task=task_name
    )


def info_of(task_name: str, **more) -> Info:
    policy = {"name": "uniform", "checkpoint": "none", "command": "pytest"}
    versions = {"newt_bench": newt_bench.__version__, "python": "3", "pygame-ce": "2"}
    return Info.of(newt_bench.get_task(task_name), policy, versions, **more)


@pytest.fixture(scope="session")
def recorded() -> dict[str, list[Episode]]:
    """Three episodes of two tasks, one with success and one without."""
    return {name: [roll(name, seed) for seed in (3, 4, 5)] for name in ("pygame-cowboy", "pygame-point-maze-var1")}


@pytest.fixture
def folder(recorded, tmp_path):
    """A folder with a file of each."""
    from newt_bench.demos import write_demos

    for name, episodes in recorded.items():
        write_demos(tmp_path / "demos" / f"{name}.h5", info_of(name), episodes)
    return tmp_path / "demos"


@pytest.fixture
def start():
    """Starts Hubs."""
    running = []

    def make() -> Hub:
        server = Hub()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return server

    yield make
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server(start, monkeypatch, tmp_path):
    """A Hub, an empty cache, and clients that do not pause between tries."""
    from huggingface_hub.utils import _http

    made = start()
    monkeypatch.setenv("HF_ENDPOINT", made.url)
    monkeypatch.setenv("NEWT_BENCH_DEMOS", str(tmp_path / "cache"))
    monkeypatch.delenv("NEWT_BENCH_DEMOS_REPO", raising=False)
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(downloads, "_PAUSE_SECONDS", 0)
    return made
