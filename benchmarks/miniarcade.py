"""How fast are the MiniArcade games? Steps per second beside Gymnasium's CartPole-v1, and milliseconds per frame.

Game and CartPole-v1 run in one process, in alternating blocks, both made by `gymnasium.make` and reset at the end of
their episodes; the ratio is the median over blocks.

    python benchmarks/miniarcade.py [--blocks 7] [--steps 3000] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import gymnasium
import numpy as np

import newt_bench


def steps_per_second(env: gymnasium.Env, actions: list) -> float:
    env.reset(seed=0)
    start = time.perf_counter()
    for action in actions:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
    return len(actions) / (time.perf_counter() - start)


def milliseconds_per_frame(name: str, frames: int = 50) -> float:
    env = gymnasium.make(name, render_mode="rgb_array")
    env.reset(seed=0)
    env.render()
    spent = 0.0
    for _ in range(frames):
        env.step(env.action_space.sample())
        start = time.perf_counter()
        env.render()
        spent += time.perf_counter() - start
    env.close()
    return 1000 * spent / frames


def measure(name: str, blocks: int, steps: int) -> dict[str, float]:
    rng = np.random.default_rng(0)
    game, cartpole = gymnasium.make(name), gymnasium.make("CartPole-v1")
    pushes = rng.integers(2, size=steps).tolist()
    pairs = []
    for block in range(blocks + 1):
        actions = list(rng.uniform(-1, 1, (steps, *game.action_space.shape)).astype(np.float32))
        runs = [lambda actions=actions: steps_per_second(game, actions), lambda: steps_per_second(cartpole, pushes)]
        order = (0, 1) if block % 2 else (1, 0)
        speeds = {which: runs[which]() for which in order}
        pairs.append((speeds[0], speeds[1]))
    pairs = pairs[1:]  # the first block warms up
    return {
        "steps_per_second": statistics.median(a for a, _ in pairs),
        "cartpole_v1": statistics.median(b for _, b in pairs),
        "ratio": statistics.median(a / b for a, b in pairs),
        "milliseconds_per_frame": milliseconds_per_frame(name),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    table = {}
    print("| task | steps/s | CartPole-v1 steps/s | ratio | ms per frame |\n| --- | ---: | ---: | ---: | ---: |")
    for task in newt_bench.tasks(domain="miniarcade"):
        row = table[task.name] = measure(task.id, arguments.blocks, arguments.steps)
        print("| {} | {:.0f} | {:.0f} | {:.2f} | {:.1f} |".format(task.name, *row.values()), flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
