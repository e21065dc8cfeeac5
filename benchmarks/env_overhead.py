"""What does the Gymnasium interface cost? Steps per second against the bare simulator, side by side.

Each pair runs in one process, in alternating blocks, with the same actions and the same action repeat; the
ratio is the median over blocks. A ratio of 1 means that newt-bench costs nothing, above 1 that it is faster.

    python benchmarks/env_overhead.py [--tasks walker-run,...] [--blocks 9] [--steps 500] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import newt_bench
from newt_bench.catalogue import Task

DEFAULT_TASKS = "walker-run,cartpole-swingup,cheetah-run,quadruped-run,mw-reach,mw-pick-place,rd-push-green"
Step = Callable[[np.ndarray], None]


def ours(task: Task) -> tuple[Callable[[], None], Step]:
    """Reset and step of the task, made by its Gymnasium id."""
    env = gymnasium.make(task.id)

    def step(action: np.ndarray) -> None:
        env.step(action)

    return lambda: env.reset(seed=0) and None, step


def bare_dm_control(task: Task) -> tuple[Callable[[], None], Step]:
    """Reset and step of the suite's environment in its own action-scale wrapper, action repeat in a loop."""
    from dm_control import suite

    domain, _, name = task.simulator_id.partition("/")
    return _stepped(task, suite.load(domain, name, task_kwargs={"random": 0}))


def bare_dm_control_ext(task: Task) -> tuple[Callable[[], None], Step]:
    """The same for dm_control environments of this project."""
    from newt_bench.envs import dmcontrol_ext

    domain, _, name = task.simulator_id.partition("/")
    return _stepped(task, dmcontrol_ext.load(domain, name, random=0))


def _stepped(task: Task, environment: Any) -> tuple[Callable[[], None], Step]:
    from dm_control.suite.wrappers import action_scale

    env = action_scale.Wrapper(environment, -1.0, 1.0)

    def step(action: np.ndarray) -> None:
        reward = 0.0
        for _ in range(task.action_repeat):
            reward += env.step(action).reward

    return lambda: env.reset() and None, step


def bare_ogbench(task: Task) -> tuple[Callable[[], None], Step]:
    """Reset and step of OGBench's environment of the same name, or of its medium maze for the new maps."""
    import ogbench.online_locomotion  # noqa: F401 (registers its environments)
    from ogbench.online_locomotion.wrappers import GymXYWrapper

    name = task.simulator_id if "maze-" not in task.simulator_id else f"{task.simulator_id.split('-')[0]}-medium-v0"
    mode = {"render_mode": "rgb_array"} if name == "online-antball-v0" else {}  # it draws a frame while it is built
    env: gymnasium.Env = gymnasium.make(name, disable_env_checker=True, max_episode_steps=10**9, **mode)
    env = GymXYWrapper(env) if name == "online-ant-v0" else env

    def step(action: np.ndarray) -> None:
        for _ in range(task.action_repeat):
            env.step(action)

    return lambda: env.reset(seed=0) and None, step


def bare_meta_world(task: Task) -> tuple[Callable[[], None], Step]:
    """Reset and step of the package's own goal-observable class, action repeat in a loop."""
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE

    env = ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE[f"{task.simulator_id}-goal-observable"](seed=0)

    def step(action: np.ndarray) -> None:
        reward = 0.0
        for _ in range(task.action_repeat):
            reward += env.step(action)[1]

    return lambda: env.reset() and None, step


def bare_robodesk(task: Task) -> tuple[Callable[[], None], Step]:
    """Reset and step of RoboDesk, with its own action repeat and without its render function, which is broken."""
    from robodesk import RoboDesk

    env = RoboDesk(task.simulator_id, reward="dense", action_repeat=task.action_repeat, episode_length=None)
    env.render = lambda *_, **__: None

    def step(action: np.ndarray) -> None:
        env.step(action)

    return lambda: env.reset() and None, step


def bare_gymnasium_mujoco(task: Task) -> tuple[Callable[[], None], Step]:
    """Reset and step of Gymnasium's environment as `gymnasium.make` gives it, action repeat in a loop."""
    name = task.simulator_id
    arguments = {"terminate_when_unhealthy": False} if name == "Ant-v4" else {}  # the arguments of the task
    env = gymnasium.make(name, **arguments)
    scale = env.action_space.high

    def step(action: np.ndarray) -> None:
        reward = 0.0
        for _ in range(task.action_repeat):
            reward += env.step(action * scale)[1]

    return lambda: env.reset(seed=0) and None, step


def bare_gymnasium_box2d(task: Task) -> tuple[Callable[[], None], Step]:
    """Reset and step of Gymnasium's walker or lander, of which the task is a variant, action repeat in a loop."""
    walker = task.simulator_id.startswith("BipedalWalker")
    env = gymnasium.make("BipedalWalker-v3") if walker else gymnasium.make("LunarLander-v3", continuous=True)

    def step(action: np.ndarray) -> None:
        reward = 0.0
        for _ in range(task.action_repeat):
            reward += env.step(action)[1]

    return lambda: env.reset(seed=0) and None, step


def bare_ale(task: Task) -> tuple[Callable[[], None], Step]:
    """Reset and step of the Arcade Learning Environment's own continuous mode on the console's memory."""
    import ale_py

    gymnasium.register_envs(ale_py)
    env = gymnasium.make(task.simulator_id, obs_type="ram", continuous=True, repeat_action_probability=0)

    def step(action: np.ndarray) -> None:
        env.step(np.array([(action[0] + 1) / 2, np.pi * action[1], (action[2] + 1) / 2], np.float32))

    return lambda: env.reset(seed=0) and None, step


def bare_maniskill(task: Task) -> tuple[Callable[[], None], Step]:
    """Reset and step of ManiSkill's registered environment in its own wrapper for NumPy, action repeat in a loop."""
    import mani_skill.envs  # noqa: F401 (registers its environments)
    from mani_skill.utils.wrappers.gymnasium import CPUGymWrapper

    env: gymnasium.Env = gymnasium.make(
        task.simulator_id,
        obs_mode="state",
        control_mode=task.settings["control_mode"],
        sim_backend="physx_cpu",
        render_backend="cpu",
        max_episode_steps=10**9,
    )
    env = CPUGymWrapper(env, ignore_terminations=True)

    def step(action: np.ndarray) -> None:
        reward = 0.0
        for _ in range(task.action_repeat):
            reward += env.step(action)[1]

    return lambda: env.reset(seed=0) and None, step


BARE = {
    "dmcontrol": bare_dm_control,
    "dmcontrol-ext": bare_dm_control_ext,
    "metaworld": bare_meta_world,
    "maniskill": bare_maniskill,
    "mujoco": bare_gymnasium_mujoco,
    "box2d": bare_gymnasium_box2d,
    "robodesk": bare_robodesk,
    "ogbench": bare_ogbench,
    "atari": bare_ale,
}


def steps_per_second(reset: Callable[[], None], step: Step, actions: np.ndarray) -> float:
    """Speed over one block of at most one episode."""
    reset()
    start = time.perf_counter()
    for action in actions:
        step(action)
    return len(actions) / (time.perf_counter() - start)


def measure(task: Task, blocks: int, steps: int) -> dict[str, float]:
    """Median speeds of both, and the median of the blocks' ratios."""
    rng = np.random.default_rng(0)
    steps = min(steps, task.max_episode_steps - 1)
    mine, theirs = ours(task), BARE[task.domain](task)
    speeds: list[tuple[float, float]] = []
    for block in range(blocks + 1):
        actions = rng.uniform(-1, 1, (steps, task.action_dim)).astype(np.float32)
        pair = [steps_per_second(*which, actions) for which in ((mine, theirs) if block % 2 else (theirs, mine))]
        speeds.append((pair[0], pair[1]) if block % 2 else (pair[1], pair[0]))
    speeds = speeds[1:]  # the first block warms up
    return {
        "newt_bench": statistics.median(a for a, _ in speeds),
        "bare": statistics.median(b for _, b in speeds),
        "ratio": statistics.median(a / b for a, b in speeds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=DEFAULT_TASKS)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    table = {}
    print("| task | newt-bench steps/s | bare simulator steps/s | ratio |\n| --- | ---: | ---: | ---: |")
    for task in newt_bench.tasks(arguments.tasks.split(",")):
        row = table[task.name] = measure(task, arguments.blocks, arguments.steps)
        print(f"| {task.name} | {row['newt_bench']:.0f} | {row['bare']:.0f} | {row['ratio']:.2f} |", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
