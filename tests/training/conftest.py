"""A world small enough to train in within seconds."""

from __future__ import annotations

import dataclasses

import pytest

from newt_bench.agents.newt import NetworkSize
from newt_bench.training import TrainingSettings

#: Hyper-parameters of an agent that learns nothing worth while, quickly.
TINY = {
    "network": dataclasses.asdict(NetworkSize(16, 16, 16, 2, 2)),
    "batch_size": 16,
    "num_samples": 8,
    "num_policy_samples": 2,
    "num_elites": 2,
    "iterations": 2,
    "seed_episodes": 1,
    "updates_per_step": 0.01,
    "replay_capacity": 20_000,
    "conditioning": "one-hot",
}
#: Two tasks with episodes of different lengths, of different domains.
TASKS = ("og-point-arena", "pygame-point-maze-var1")
#: Two episodes of the first task and one of the second, then fifty steps more.
SETTINGS = {
    "steps": 500,
    "num_workers": 1,
    "torch_threads": 1,
    "eval_every": 400,
    "eval_episodes": 1,
    "final_episodes": 2,
    "log_every": 100,
}


@pytest.fixture
def settings() -> TrainingSettings:
    return TrainingSettings(**SETTINGS)
