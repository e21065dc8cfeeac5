"""Plays every task from fixed seeds with fixed actions, and keeps the outcome on record.

    python -m tests.trajectories [TASK ...]

writes `tests/data/trajectories.json` anew, or only the tasks named. A change of a line there is a change of a task:
published scores of the task no longer compare, so its id needs a new version (`-v1`) and the changelog a line.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import standins

RECORD = Path(__file__).parent / "data" / "trajectories.json"

# Relative to the sum of absolute observations, and to the return. Physics engines differ in the last bits between
# processors, and contacts make differences grow; games and the console compute the same everywhere. RoboDesk's
# inverse kinematics iterates without converging where a target is out of reach, and so makes the last bits of the
# linear algebra visible: other kernels of it (OPENBLAS_CORETYPE) moved the sums by up to 2e-4.
TOLERANCES = {
    "dmcontrol": 1e-4,
    "dmcontrol-ext": 1e-4,
    "metaworld": 1e-4,
    "maniskill": 1e-3,
    "mujoco": 1e-4,
    "box2d": 1e-4,
    "robodesk": 1e-3,
    "ogbench": 1e-4,
    "miniarcade": 1e-6,
    "atari": 1e-8,
}

# Plays 50 fixed actions, or all of a shorter episode, from a seeded reset and prints a line per task, after a
# history of the caller's choice: other global generator states, and other episodes before.
PLAY = """
import hashlib, json, random, sys
import gymnasium, numpy as np, newt_bench

def play(env, seed):
    digest, obs_sum, obs_abs_sum, reward_sum = hashlib.sha256(), 0.0, 0.0, 0.0
    obs, info = env.reset(seed=seed)
    steps = min(50, env.unwrapped.task.max_episode_steps)
    actions = np.random.default_rng(seed).uniform(-1, 1, (steps, *env.action_space.shape)).astype(np.float32)
    for action in actions:
        digest.update(obs.tobytes())
        obs_sum += obs.sum(dtype=np.float64)
        obs_abs_sum += np.abs(obs).sum(dtype=np.float64)
        obs, reward, _, _, info = env.step(action)
        reward_sum += reward
        digest.update(np.array([reward, info["success"], info["score"]]).tobytes())
    return digest.hexdigest(), float(obs_sum), float(obs_abs_sum), reward_sum

disturbed, names = json.loads(sys.argv[1])
if disturbed:
    random.seed(99), np.random.seed(99)
for task in newt_bench.tasks(names):
    env = gymnasium.make(task.id)
    if disturbed:
        play(env, 41)
        env.reset()
        env.step(env.action_space.sample())
    first, *sums = play(env, 7)
    print(json.dumps([task.name, [first, play(env, 8)[0]], *sums]), flush=True)
    env.close()
"""


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """Outcome of one task: digests of the episodes of two seeds, and sums over the first."""

    digests: list[str]
    obs_sum: float
    obs_abs_sum: float
    reward_sum: float


def play_all(disturbed: bool, names: list[str] | None = None) -> dict[str, Trajectory]:
    """Plays all tasks, or those named, in a fresh process; `disturbed` is one with another history."""
    command = [sys.executable, "-c", PLAY, json.dumps([disturbed, names])]
    child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    rows = [json.loads(line) for line in child.stdout.splitlines()]
    return {name: Trajectory(*outcome) for name, *outcome in rows}


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        standins.write_all(Path(folder) / "data")
        os.environ["NEWT_BENCH_ASSETS"] = folder
        tasks = json.loads(RECORD.read_text())["tasks"] if names else {}
        for name, outcome in play_all(disturbed=False, names=names).items():
            row = dataclasses.asdict(outcome)
            del row["digests"]
            tasks[name] = {key: round(value, 8) for key, value in row.items()}
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in tasks.items())
    RECORD.write_text(f'{{\n  "tolerances": {json.dumps(TOLERANCES)},\n  "tasks": {{\n{lines}\n  }}\n}}\n')


if __name__ == "__main__":
    main(sys.argv[1:])
