"""Measures demonstrations: size and load time by compression, loading a million steps, and sampling.

    python benchmarks/demos.py              # this package alone
    python benchmarks/demos.py --torchrl    # beside torch.load + TorchRL; needs: pip install torchrl tensordict

Data: `--tasks` x `--episodes` x 500 steps of a smooth random walk with 39 + 4 + 1 numbers per step, as robot data are.
Files are read once before they are timed, so that all of them come from memory. Numbers are medians of `--repeats`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import newt_bench
from newt_bench.demos import Episode, Info, load_demos, write_demos

TASKS = newt_bench.tasks(domain="metaworld")
STEPS = 500


def timed(function: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def make_episodes(count: int, random: np.random.Generator) -> list[Episode]:
    episodes = []
    for _ in range(count):
        observation = random.normal(size=(STEPS + 1, 39)).cumsum(axis=0, dtype=np.float32) / 100
        action = random.uniform(-1, 1, (STEPS, 4)).astype(np.float32)
        reward = random.uniform(0, 20, STEPS).astype(np.float32)
        success, score = np.zeros(STEPS, np.int8), np.zeros(STEPS, np.float32)
        episodes.append(Episode(observation, action, reward, success, score, int(random.integers(2**30))))
    return episodes


def write(folder: Path, tasks: int, episodes: int, compression: str) -> None:
    for number, task in enumerate(TASKS[:tasks]):
        data = make_episodes(episodes, np.random.default_rng(number))
        write_demos(folder / f"{task.name}.h5", Info.of(task, {"name": "walk"}, {}), data, compression)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def into_replay(demos: newt_bench.Demos, buffer: dict[str, np.ndarray]) -> None:
    """Copies everything into preallocated arrays, padded as multitask replay buffers are."""
    row = step = 0
    for item in demos.values():
        observation, action = item.observation, item.action
        buffer["observation"][row : row + len(observation), : observation.shape[1]] = observation
        buffer["action"][step : step + len(action), : action.shape[1]] = action
        buffer["reward"][step : step + len(action)] = item.reward
        row, step = row + len(observation), step + len(action)


def ours(folder: Path, options: argparse.Namespace) -> None:
    print("| storage | size (MB) | load (s) |\n| --- | ---: | ---: |")
    for compression in ("none", "lzf", "gzip"):
        write(folder / compression, options.tasks, options.episodes, compression)
        load = timed(lambda c=compression: touch(load_demos(root=folder / c)), options.repeats)
        print(f"| {compression} | {size(folder / compression) / 1e6:.1f} | {load:.3f} |")
    path = folder / "none"

    def copy() -> list[np.ndarray]:
        """What the machine can do: the same bytes from the same files into new memory."""
        return [np.fromfile(file, np.uint8) for file in sorted(path.iterdir())]

    demos = load_demos(root=path)
    steps = demos.steps
    buffer = {
        "observation": np.zeros((steps + len(demos) * options.episodes, 128), np.float32),
        "action": np.zeros((steps, 16), np.float32),
        "reward": np.zeros(steps, np.float32),
    }
    print(f"\n{steps} steps in {len(demos)} files")
    print(f"reading the files' bytes into new memory:    {timed(copy, options.repeats):.3f} s")
    load = timed(lambda: touch(load_demos(root=path)), options.repeats)
    print(f"load_demos, all arrays:                      {load:.3f} s")
    for mapped in (False, True):
        load = timed(lambda m=mapped: into_replay(load_demos(root=path, mapped=m), buffer), options.repeats)
        print(f"load_demos{', mapped,' if mapped else '         '} into padded replay arrays: {load:.3f} s")
    held = load_demos(root=path)
    copied = timed(lambda: into_replay(held, buffer), options.repeats)
    print(f"copying from memory into them:               {copied:.3f} s")
    for mapped in (False, True):
        windows, random = load_demos(root=path, mapped=mapped).windows(4), np.random.default_rng(0)
        sample = timed(lambda w=windows, r=random: w.sample(1024, r), 20 * options.repeats)
        print(f"a batch of 1024 x 4 steps, {'mapped' if mapped else 'in memory'}: {1e3 * sample:.2f} ms")
    one = load_demos([next(iter(demos))], root=path).windows(4)
    random = np.random.default_rng(0)
    sample = timed(lambda: one.sample(1024, random), 20 * options.repeats)
    print(f"the same, one task, without padding: {1e3 * sample:.2f} ms")


def touch(demos: newt_bench.Demos) -> None:
    for item in demos.values():
        for name in ("observation", "action", "reward", "success", "score"):
            getattr(item, name)


def torchrl(folder: Path, options: argparse.Namespace) -> None:
    """The same data in the published layout, through TorchRL."""
    import torch
    from tensordict import TensorDict
    from torchrl.data import LazyTensorStorage, ReplayBuffer, SliceSampler

    (folder / "pt").mkdir()
    for item in load_demos(root=folder / "none").values():
        rows = item.steps + len(item)
        starts = item.offsets[:-1] + np.arange(len(item))
        inner = np.ones(rows, bool)
        inner[starts] = False
        columns = {
            "obs": np.zeros((rows, 128), np.float32),
            "action": np.full((rows, 16), np.nan, np.float32),
            "reward": np.full(rows, np.nan, np.float32),
            "terminated": np.zeros(rows, bool),
            "episode": np.repeat(np.arange(len(item)), np.diff(item.offsets) + 1),
        }
        columns["obs"][:, :39], columns["action"][inner, :4], columns["reward"][inner] = (
            item.observation,
            item.action,
            item.reward,
        )
        tensors = {name: torch.from_numpy(array) for name, array in columns.items()}
        torch.save(TensorDict(tensors, batch_size=[rows]), folder / "pt" / f"{item.info.task}.pt")
    total = options.tasks * options.episodes * (STEPS + 1)

    def fill() -> ReplayBuffer:
        buffer = ReplayBuffer(
            storage=LazyTensorStorage(total),
            sampler=SliceSampler(slice_len=4, traj_key="episode", cache_values=True),
            batch_size=4096,
        )
        last = 0
        for path in sorted((folder / "pt").iterdir()):
            data = torch.load(path, weights_only=False)
            data["episode"] += last
            last = int(data["episode"].max()) + 1
            buffer.extend(data)
        return buffer

    print(f"torch.load + TorchRL extend:                 {timed(fill, options.repeats):.3f} s")
    buffer = fill()
    print(f"TorchRL SliceSampler, 1024 x 4 steps: {1e3 * timed(buffer.sample, 20 * options.repeats):.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--episodes", type=int, default=100, help="per task")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--torchrl", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        ours(Path(name), options)
        if options.torchrl:
            torchrl(Path(name), options)


if __name__ == "__main__":
    main()
