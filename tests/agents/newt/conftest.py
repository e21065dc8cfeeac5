"""Tiny Newts."""

from __future__ import annotations

import pytest
import torch

import newt_bench
from newt_bench.agents.newt import NetworkSize, NewtAgent, NewtConfig
from newt_bench.agents.newt.losses import Batch
from newt_bench.agents.newt.model import WorldModel
from newt_bench.language import HashEncoder

TASKS = newt_bench.tasks(["cartpole-balance", "walker-run", "reacher-easy"])
NETWORK = NetworkSize(enc_dim=16, mlp_dim=24, latent_dim=32, num_enc_layers=2, num_q=3)
SMALL = {
    "network": NETWORK,
    "batch_size": 8,
    "replay_capacity": 4000,
    "num_samples": 32,
    "num_policy_samples": 4,
    "num_elites": 6,
    "iterations": 2,
    "seed_episodes": 0,
    "updates_per_step": 0.5,
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_agent(tasks=TASKS, seed=0, **options) -> NewtAgent:
    return NewtAgent(tasks, seed, encoder=HashEncoder(), device="cpu", **(SMALL | options))


def make_model(seed=0, embedding=12, spread=0.1, **options) -> WorldModel:
    """A model with three tasks of 1, 6 and 2 actions, whose weights are all random, the last layers' too."""
    config = NewtConfig(**(SMALL | options)).resolved(3)
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(3, embedding, generator=generator)
    model = WorldModel(config, table, [1, 6, 2], [0.95, 0.98, 0.99], generator)
    for parameter in model.parameters():
        parameter.data += spread * torch.randn(parameter.shape, generator=generator)
    return model


def make_batch(model: WorldModel, size=8, seed=1) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    task = torch.randint(3, (size,), generator=generator)
    action = (2 * torch.rand(3, size, 16, generator=generator) - 1) * model.masks[task]
    obs = torch.randn(4, size, 128, generator=generator)
    return Batch(obs, action, torch.randn(3, size, generator=generator), task)
