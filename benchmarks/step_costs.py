"""What does a step of each task cost? Milliseconds of one agent step, resets included, on one core.

The vector environment shares tasks out to workers by these numbers; only their proportions matter. It is the time of
the processor that counts, so other programs may run. Tasks whose downloads are not on this machine play stand-ins: the
same simulator with boxes for objects.

    python benchmarks/step_costs.py [--seconds 0.5] [--out newt_bench/vector/step_costs.json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import gymnasium
import numpy as np

import newt_bench
from newt_bench import assets
from newt_bench.catalogue import DOMAIN_NAMES, Task

REPOSITORY = Path(__file__).parent.parent
sys.path.insert(0, str(REPOSITORY))  # for the stand-ins of the tests
HOME = REPOSITORY / "newt_bench" / "vector" / "step_costs.json"


def cost(task: Task, seconds: float) -> float:
    """Milliseconds per step with random actions, over whole episodes where they fit into the time."""
    env = gymnasium.make(task.id)
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    start = time.process_time()
    env.reset()
    reset = time.process_time() - start
    steps, spent = 0, 0.0
    while spent < seconds and steps < task.max_episode_steps - 1:
        action = rng.uniform(-1, 1, task.action_dim).astype(np.float32)
        start = time.process_time()
        env.step(action)
        spent += time.process_time() - start
        steps += 1
    env.close()
    return 1000 * (spent / steps + reset / task.max_episode_steps)


def provide_stand_ins(folder: Path) -> None:
    """If downloads are absent, writes stand-ins to a folder, and has this process and its children use them."""
    if any(assets.missing(task.assets) for task in newt_bench.tasks()):
        from tests import standins

        print("some downloads are absent: those tasks play stand-ins", file=sys.stderr)
        standins.write_all(folder / "data")
        os.environ["NEWT_BENCH_ASSETS"] = os.environ["MS_ASSET_DIR"] = str(folder)


def measure_domain(domain: str, seconds: float) -> dict[str, float]:
    costs = {}
    for task in newt_bench.tasks(domain=domain):
        costs[task.name] = float(f"{cost(task, seconds):.3g}")
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--out", type=Path, default=HOME)
    parser.add_argument("--domain", help="measure one domain in this process and print it")
    arguments = parser.parse_args()
    if arguments.domain:
        print(json.dumps(measure_domain(arguments.domain, arguments.seconds)))
        return
    table = {}
    with tempfile.TemporaryDirectory() as folder:
        provide_stand_ins(Path(folder))
        for domain in DOMAIN_NAMES:
            command = [sys.executable, __file__, "--domain", domain, "--seconds", str(arguments.seconds)]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            child = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
            table[domain] = json.loads(child.stdout)
            print(f"{domain}: {len(table[domain])} tasks, {sum(table[domain].values()):.1f} ms together", flush=True)
    arguments.out.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
