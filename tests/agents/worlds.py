"""A world for agents to live in, that is a function of time alone; and demonstrations of noise."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

import newt_bench
from newt_bench.agents import Agent
from newt_bench.agents.shared.offpolicy import OffPolicyAgent, TransitionBatch
from newt_bench.replay import Episode

#: Short episodes, so that a few steps hold many of them.
SHORT = tuple(
    dataclasses.replace(newt_bench.get_task(name), max_episode_steps=length)
    for name, length in (("cartpole-balance", 5), ("walker-run", 8), ("reacher-easy", 8))
)
#: The task of each slot.
INDEX = np.array([0, 1, 2, 1])
FIRST = np.ones(len(INDEX), bool)


def observation(rng: np.random.Generator, tasks=SHORT, index=INDEX) -> np.ndarray:
    """Noise where tasks have entries, 0 elsewhere: shape (slots, 128)."""
    widths = np.array([tasks[k].obs_dim for k in index])[:, None]
    noise = rng.normal(size=(len(index), 128))
    return np.where(np.arange(128) < widths, noise, 0).astype(np.float32)


def live(agent: Agent, steps: int, start: int = 0, tasks=SHORT, index=INDEX) -> tuple[np.ndarray, list[dict]]:
    """Plays in a world of noise, where actions are rewarded. Returns all actions, and the metrics of all updates."""
    actions, metrics = [], []
    lengths = np.array([tasks[k].max_episode_steps for k in index])
    widths = np.array([tasks[k].action_dim for k in index])[:, None]
    for t in range(start, start + steps):
        now, then = (observation(np.random.default_rng(k), tasks, index) for k in (t, t + 1))
        actions.append(agent.act(now, index, t % lengths == 0, "train"))
        played = np.where(np.arange(16) < widths, actions[-1], 0).astype(np.float32)
        agent.observe(now, index, played, played.sum(1), then, (t + 1) % lengths == 0)
        if found := agent.update():
            metrics.append(found)
    return np.stack(actions), metrics


def study(agent: Agent, steps: int, start: int = 0, tasks=SHORT, index=INDEX) -> tuple[np.ndarray, list[dict]]:
    """Like `live`, for agents that learn from demonstrations alone: an update per step, on demonstrations of noise."""
    if start == 0:
        agent.add_demonstrations(demonstrations(12, tasks=tasks))
    actions, metrics = [], []
    for t in range(start, start + steps):
        obs = observation(np.random.default_rng(t), tasks, index)
        actions.append(agent.act(obs, index, np.full(len(index), t == start), "train"))
        metrics.append(agent.pretrain_step())
    return np.stack(actions), metrics


def demonstrations(count: int = 6, length: int = 8, tasks=SHORT) -> list[Episode]:
    """Episodes of noise, of the tasks in turn."""
    rng = np.random.default_rng(0)
    return [
        Episode(
            k % len(tasks),
            rng.normal(size=(length + 1, tasks[k % len(tasks)].obs_dim)).astype(np.float32),
            rng.uniform(-1, 1, (length, tasks[k % len(tasks)].action_dim)).astype(np.float32),
            rng.normal(size=length).astype(np.float32),
        )
        for k in range(count)
    ]


def noise_batch(agent: OffPolicyAgent, size: int = 16, seed: int = 1) -> TransitionBatch:
    """Transitions of noise for an off-policy agent's losses, of all its tasks in turn."""
    generator, model = torch.Generator().manual_seed(seed), agent.model
    task = torch.arange(size) % len(agent.tasks)
    mask = agent.masks[task][:, : model.action_width]
    obs, following = torch.randn(2, size, model.obs_width, generator=generator)
    return TransitionBatch(
        obs=obs,
        action=(2 * torch.rand(mask.shape, generator=generator) - 1) * mask,
        reward=torch.randn(size, generator=generator),
        discount=agent.discounts[task],
        next_obs=following,
        task=task,
        mask=mask,
    )
