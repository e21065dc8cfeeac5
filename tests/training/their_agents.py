"""Agents of somebody else, for training."""

from __future__ import annotations

import json

import numpy as np
import torch

import newt_bench
from newt_bench.errors import AgentError


class Counter(newt_bench.Agent):
    """Acts by what it sees alone, and notes everything that training tells it."""

    def __init__(self, tasks, seed=0, gain=1.0):
        super().__init__(tasks, seed)
        self.gain, self.seen, self.threads = gain, [], set()

    def act(self, obs, task, first, mode):
        return np.tanh(self.gain * obs[:, :16] + 0.1 * task[:, None]).astype(np.float32)

    def observe(self, obs, task, action, reward, next_obs, last):
        self.seen.append((obs, task, action, reward, next_obs, last))
        self.threads.add(torch.get_num_threads())

    def update(self):
        return {"loss": float(len(self.seen))}

    def provenance(self):
        return {"observed": len(self.seen)}

    def save(self, folder, *, resumable=True):
        folder.mkdir()
        content = {"tasks": [{"id": task.id} for task in self.tasks], "gain": self.gain}
        (folder / "config.json").write_text(json.dumps(content))

    @classmethod
    def load(cls, folder, tasks, seed=0, **options):
        return cls(tasks, seed, **{"gain": json.loads((folder / "config.json").read_text())["gain"], **options})


class Forgetful(Counter):
    """Cannot be saved."""

    def save(self, folder, *, resumable=True):
        raise AgentError("Forgetful cannot be saved")
