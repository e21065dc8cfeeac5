"""Many tasks on one machine: `make_vec` beside Gymnasium's `AsyncVectorEnv` and beside the bare simulators.

Each part runs in fresh processes: all 200 core tasks at once (start, memory, speed); the same simulators bare, in as
many processes as there are workers, one simulator after the other; and 32 tasks in both vector environments, in
alternating blocks, once of all kinds and once light ones. Memory is the proportional set size of all processes that
belong to it. `AsyncVectorEnv` forks its processes, as is its default, so that they share what the parent imported;
its memory is also measured with processes that are spawned, which programs must choose that have used threads, torch,
CUDA or OpenGL before. Tasks whose downloads are not on this machine play stand-ins: the same simulator with boxes for
objects. Speeds mean something on an idle machine only; processor times do on any.

    python benchmarks/vector.py [--rounds 20] [--blocks 5] [--workers N] [--part all|bare|mixed|light] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

import newt_bench
from newt_bench.catalogue import Task
from newt_bench.envs.core import TaskEnv
from newt_bench.envs.domains import make_simulation
from newt_bench.vector.layout import assign_to_workers, make_layout, step_cost
from newt_bench.vector.process import available_cores

REPOSITORY = Path(__file__).parent.parent
sys.path.insert(0, str(REPOSITORY))  # for the other benchmarks
BARS = {"memory": 4.0, "start": 90.0, "speed": 0.85, "pair_memory": 4.0, "pair_speed": 1.5}


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def descendants(pid: int) -> list[int]:
    found = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def memory_by_kind(pid: int) -> dict[str, float]:
    """MiB of a process, by the system's names."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}


def proportional_memory(pids: Iterable[int]) -> float:
    """GiB."""
    return sum(memory_by_kind(pid)["Pss"] for pid in pids) / 1024


def memory_table(envs: newt_bench.vector.TaskVectorEnv) -> dict[str, dict[str, float]]:
    """MiB of each process: of its own, shared with others, and the share of those that counts as its."""
    names = {pid: f"worker {index}" for index, pid in enumerate(envs.worker_pids)}
    table = {}
    for pid in (os.getpid(), *descendants(os.getpid())):
        kinds = memory_by_kind(pid)
        own, shared = (kinds[f"{kind}_Clean"] + kinds[f"{kind}_Dirty"] for kind in ("Private", "Shared"))
        other = "parent" if pid == os.getpid() else "fork server" if shared > 20 else "resource tracker"
        table[names.get(pid, other)] = {"own": own, "shared": shared, "counted": kinds["Pss"]}
    return table


def cpu_seconds(pids: Iterable[int]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def run_rounds(envs: gymnasium.vector.VectorEnv, rounds: int, rng: np.random.Generator) -> float:
    """Seconds for some steps of all slots."""
    actions = rng.uniform(-1, 1, (rounds, *envs.action_space.shape)).astype(np.float32)
    start = time.perf_counter()
    for action in actions:
        envs.step(action)
    return time.perf_counter() - start


def core_tasks() -> newt_bench.TaskList:
    return newt_bench.tasks(split="core")


def mixed_tasks() -> list[Task]:
    """Every sixth core task, 32 of them: all domains in proportion, most of the time in ManiSkill."""
    return list(core_tasks()[::6][:32])


def light_tasks() -> list[Task]:
    """Every third core task whose step takes less than half a millisecond, 32 of them."""
    return [task for task in core_tasks() if step_cost(task) < 0.5][::3][:32]


PAIRS = {"mixed": mixed_tasks, "light": light_tasks}
PARTS = ("all", "bare", *PAIRS)


def measure_all(workers: int, rounds: int) -> dict[str, Any]:
    """All core tasks in the vector environment."""
    start = time.perf_counter()
    envs = newt_bench.make_vec(core_tasks(), num_workers=workers)
    envs.reset()
    started = time.perf_counter() - start
    say(f"{envs.num_envs} slots on {len(envs.workers)} workers started in {started:.1f} s")
    rng = np.random.default_rng(0)
    run_rounds(envs, 3, rng)
    pids = envs.worker_pids
    cpu, own = [cpu_seconds([pid]) for pid in pids], time.process_time()
    seconds = run_rounds(envs, rounds, rng)
    busy = [(cpu_seconds([pid]) - before) / rounds for pid, before in zip(pids, cpu, strict=True)]
    own = (time.process_time() - own) / rounds
    memory = proportional_memory([os.getpid(), *descendants(os.getpid())])
    result = {
        "start": started,
        "memory": memory,
        "memory_of_parent": proportional_memory([os.getpid()]),
        "memory_of_workers": [proportional_memory([pid]) for pid in pids],
        "speed": rounds * envs.num_envs / seconds,
        "round": seconds / rounds,
        "busy": busy,
        "parent": own,
        "async": measure_async(envs, rounds, rng),
    }
    envs.close()
    return result


def measure_async(envs: Any, rounds: int, rng: np.random.Generator) -> float:
    """Steps per second with `send` and `recv`, each slot sent on as soon as it is received."""
    wanted, got = rounds * envs.num_envs, 0
    start = time.perf_counter()
    envs.send(rng.uniform(-1, 1, envs.action_space.shape))
    while got < wanted:
        slots, *_ = envs.recv()
        got += len(slots)
        envs.send(rng.uniform(-1, 1, (len(slots), envs.action_space.shape[1])), slots)
    speed = got / (time.perf_counter() - start)
    envs.recv(envs.num_envs)
    return speed


def bare(task: Task) -> tuple[Callable[[], Any], Callable[[np.ndarray], Any]]:
    """Reset and step of the simulator: as its users have it, or for tasks of this project as the task has it."""
    from benchmarks.env_overhead import BARE

    stock = task.domain in BARE and not task.assets
    if task.domain == "maniskill":
        import mani_skill.envs  # noqa: F401 (registers its environments)
        from mani_skill.utils.registration import REGISTERED_ENVS

        stock = stock and task.simulator_id in REGISTERED_ENVS
    if stock:
        return BARE[task.domain](task)
    simulation = make_simulation(task, {})
    return lambda: simulation.reset(0), simulation.step


def hold(barrier: Any) -> None:
    global ready
    ready = barrier


def time_bare(names: list[str], blocks: int) -> dict[str, tuple[float, float]]:
    """Milliseconds per step of each simulator, by the clock and of the processor, while other processes do the same.

    Means, as the speed of the vector environment is one: where other programs run, both suffer alike.
    """
    tasks = newt_bench.tasks(names)
    pairs = [(task, *bare(task)) for task in tasks]
    for _, reset, _ in pairs:
        reset()
    ready.wait(600)  # until the others are built, too
    rng = np.random.default_rng(0)
    times: dict[str, list[np.ndarray]] = {task.name: [] for task in tasks}
    for _ in range(blocks):
        for task, reset, step in pairs:
            actions = rng.uniform(-1, 1, (8, task.action_dim)).astype(np.float32)
            start = clocks()
            reset()
            middle = clocks()
            for action in actions:
                step(action)
            end = clocks()
            times[task.name].append((end - middle) / len(actions) + (middle - start) / task.max_episode_steps)
    return {name: tuple(1000 * np.mean(values[1:], axis=0)) for name, values in times.items()}


def clocks() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def measure_bare(workers: int, blocks: int) -> dict[str, Any]:
    """All core simulators bare, shared out to processes like the slots to workers."""
    slots = make_layout(core_tasks(), 1, True).slots
    shares = [[slots[i].task.name for i in share] for share in assign_to_workers(slots, workers)]
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(shares))
    # One simulator draws a frame while it is built; and the workers of the vector environment have one thread, too.
    os.environ.setdefault("MUJOCO_GL", "egl")
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(len(shares), context, initializer=hold, initargs=(barrier,)) as pool:
        parts = list(pool.map(time_bare, shares, [blocks + 1] * len(shares)))
    domains: Counter[str] = Counter()
    for part in parts:
        for name, (_, cost) in part.items():
            domains[newt_bench.get_task(name).domain] += cost
    rounds, busy = ([sum(cost[kind] for cost in part.values()) / 1000 for part in parts] for kind in (0, 1))
    return {
        "speed": sum(len(part) / seconds for part, seconds in zip(parts, rounds, strict=True)),
        "rounds": rounds,
        "busy": busy,
        "domains": dict(domains.most_common()),
    }


class Padded(TaskEnv):
    """The task's environment with observations and actions of the sizes that `AsyncVectorEnv` needs."""

    def __init__(self, task: str) -> None:
        super().__init__(task)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (128,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (16,), np.float32)

    def _observation(self, state: np.ndarray) -> np.ndarray:
        padded = np.zeros(128, np.float32)
        padded[: len(state)] = state
        return padded

    def step(self, action: Any) -> Any:
        """Drops the padding."""
        return super().step(action[: self.task.action_dim])


def make_theirs(tasks: list[Task], context: str | None = None) -> AsyncVectorEnv:
    makers = [functools.partial(Padded, task.name) for task in tasks]
    return AsyncVectorEnv(makers, context=context, autoreset_mode=AutoresetMode.SAME_STEP)


def measure_pair(tasks: list[Task], workers: int, rounds: int, blocks: int) -> dict[str, Any]:
    """32 tasks in ours and in Gymnasium's: memory of each alone, then speeds in alternation (none with no blocks)."""
    makers = {
        "theirs": lambda: make_theirs(tasks),  # forks: it must come before there is anything to copy
        "spawned": lambda: make_theirs(tasks, "spawn"),
        "ours": lambda: newt_bench.make_vec(tasks, num_workers=workers),
    }
    result: dict[str, Any] = {}
    for name, make in makers.items():
        start = time.perf_counter()
        envs = make()
        envs.reset(seed=0)
        result[f"{name}_start"] = time.perf_counter() - start
        run_rounds(envs, 5, np.random.default_rng(0))
        result[f"{name}_memory"] = proportional_memory(descendants(os.getpid()))
        if name == "ours":
            result["processes"] = memory_table(envs)
        envs.close()
        say(f"{len(tasks)} tasks, {name}: {result[f'{name}_memory']:.2f} GiB")
    if not blocks:
        return result
    both = {name: makers[name]() for name in ("ours", "theirs")}
    speeds: dict[str, list[float]] = {name: [] for name in both}
    # Children of the fork server are not waited for by this process, so times are read while they live.
    pids = {"ours": list(both["ours"].worker_pids), "theirs": [process.pid for process in both["theirs"].processes]}
    spent = dict.fromkeys(both, 0.0)
    for envs in both.values():
        envs.reset(seed=0)
    for block in range(blocks + 1):
        for name, envs in both.items():
            before = cpu_seconds([os.getpid(), *pids[name]])
            seconds = run_rounds(envs, rounds, np.random.default_rng(block))
            spent[name] += (cpu_seconds([os.getpid(), *pids[name]]) - before) / rounds / (blocks + 1)
            speeds[name].append(rounds * envs.num_envs / seconds)
        say(f"block {block}: " + ", ".join(f"{name} {values[-1]:.0f}" for name, values in speeds.items()))
    for envs in both.values():
        envs.close()
    result |= {f"{name}_cpu": seconds for name, seconds in spent.items()}
    result |= {f"{name}_speed": statistics.median(values[1:]) for name, values in speeds.items()}
    ratios = [a / b for a, b in zip(speeds["ours"][1:], speeds["theirs"][1:], strict=True)]
    return result | {"speed_ratio": statistics.median(ratios)}


def part_in_a_fresh_process(part: str, arguments: argparse.Namespace) -> dict[str, Any]:
    say(f"part: {part}")
    numbers = {"rounds": arguments.rounds, "blocks": arguments.blocks, "workers": arguments.workers}
    options = [f"--{name}={value}" for name, value in numbers.items()]
    command = [sys.executable, __file__, f"--part={part}", *options]
    path = os.pathsep.join([str(REPOSITORY), *sys.path])
    # Simulators that are used as they come are talkative.
    errors = subprocess.PIPE if part == "bare" else None
    child = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, "PYTHONPATH": path})
    if child.returncode:
        raise SystemExit(f"part {part} failed\n{(child.stderr or b'').decode()[-4000:]}")
    document: dict[str, Any] = json.loads(child.stdout.decode().splitlines()[-1])
    return document


def report(table: dict[str, dict[str, Any]]) -> None:
    everything, alone = table["all"], table["bare"]

    def row(what: str, value: float, unit: str, bar: str, met: bool) -> None:
        print(f"| {what} | {value:.2f} {unit} | {bar} | {'yes' if met else 'NO'} |")

    print("| what | measured | bar | met |\n| --- | ---: | ---: | --- |")
    row("200 tasks: build and first reset", everything["start"], "s", "90 s", everything["start"] <= BARS["start"])
    row(
        "200 tasks: memory of all processes",
        everything["memory"],
        "GiB",
        "4 GiB",
        everything["memory"] <= BARS["memory"],
    )
    ratio = everything["speed"] / alone["speed"]
    row("200 tasks: steps/s over those of the bare simulators", ratio, "", "0.85", ratio >= BARS["speed"])
    for name in PAIRS:
        pair = table[name]
        saved, faster = pair["theirs_memory"] / pair["ours_memory"], pair["speed_ratio"]
        row(f"32 {name} tasks: memory of AsyncVectorEnv over ours", saved, "", "4", saved >= BARS["pair_memory"])
        spawned = pair["spawned_memory"] / pair["ours_memory"]
        row(f"32 {name} tasks: the same, its processes spawned", spawned, "", "4", spawned >= BARS["pair_memory"])
        row(f"32 {name} tasks: steps/s over AsyncVectorEnv's", faster, "", "1.5", faster >= BARS["pair_speed"])
    print(
        f"\n200 tasks: {everything['speed']:.0f} steps/s with step, {everything['async']:.0f} with send and recv, "
        f"{alone['speed']:.0f} bare."
    )
    for name in PAIRS:
        pair = table[name]
        print(
            f"32 {name} tasks, ours and AsyncVectorEnv: "
            f"{pair['ours_speed']:.0f} and {pair['theirs_speed']:.0f} steps/s; "
            f"{pair['ours_memory']:.2f} and {pair['theirs_memory']:.2f} GiB (spawned {pair['spawned_memory']:.2f}); "
            f"started in {pair['ours_start']:.1f} and "
            f"{pair['theirs_start']:.1f} s; {1000 * pair['ours_cpu']:.1f} and {1000 * pair['theirs_cpu']:.1f} ms of "
            "processor time for a step of all."
        )
        print("\n| process | its own memory (MiB) | shared | counted |\n| --- | ---: | ---: | ---: |")
        for process, kinds in pair["processes"].items():
            print(f"| {process} | {kinds['own']:.0f} | {kinds['shared']:.0f} | {kinds['counted']:.0f} |")
        print()
    print(
        f"\nA step of all 200 takes {1000 * everything['round']:.0f} ms. In it the workers compute for "
        f"{' and '.join(f'{1000 * b:.0f}' for b in everything['busy'])} ms, the parent for "
        f"{1000 * everything['parent']:.1f} ms of processor time; the simulators alone take "
        f"{' and '.join(f'{1000 * b:.0f}' for b in alone['rounds'])} ms, of processor time "
        f"{' and '.join(f'{1000 * b:.0f}' for b in alone['busy'])} ms, in as many processes."
    )
    total = sum(alone["domains"].values())
    print("Of the simulators' time: " + ", ".join(f"{d} {100 * c / total:.0f}%" for d, c in alone["domains"].items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="steps of all slots per block")
    parser.add_argument("--blocks", type=int, default=5, help="0 with --part light or mixed: memory alone")
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--part", choices=PARTS, help="measure one part in this process, print JSON")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.part:
        measures = {
            "all": lambda: measure_all(arguments.workers, arguments.rounds),
            "bare": lambda: measure_bare(arguments.workers, arguments.blocks),
        }
        if arguments.part in PAIRS:
            tasks = PAIRS[arguments.part]()
            print(json.dumps(measure_pair(tasks, arguments.workers, arguments.rounds, arguments.blocks)))
        else:
            print(json.dumps(measures[arguments.part]()))
        return
    from benchmarks.step_costs import provide_stand_ins

    with tempfile.TemporaryDirectory() as folder:
        provide_stand_ins(Path(folder))
        table = {part: part_in_a_fresh_process(part, arguments) for part in PARTS}
    report(table)
    if arguments.out:
        arguments.out.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
