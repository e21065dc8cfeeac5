"""Measures demonstrations: size and load time by compression, loading a million steps, and sampling.

    python benchmarks/demos.py              # this package alone
    python benchmarks/demos.py --torchrl    # beside torch.load + TorchRL; needs: pip install torchrl tensordict
    python benchmarks/demos.py --frames     # only: size and time of the encodings of frames

Data: `--tasks` x `--episodes` x 500 steps of a smooth random walk with 39 + 4 + 1 numbers per step, as robot data are.
Files are read once before they are timed, so that all of them come from memory. Numbers are medians of `--repeats`, and
runs of what is compared alternate.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import newt_bench
from newt_bench.demos import Episode, Info, load_demos, write_demos
from newt_bench.demos.frames import ENCODINGS, FrameFormat, decode, encode

TASKS = newt_bench.tasks(domain="metaworld")
STEPS = 500


def timed(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each, from alternating runs: what else the machine does meets all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            made = function()
            seconds[name].append(time.perf_counter() - start)
            del made
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def show(title: str, seconds: dict[str, float], unit: str = "s") -> None:
    print(f"\n| {title} | {unit} |\n| --- | ---: |")
    for name, value in seconds.items():
        print(f"| {name} | {1e3 * value:.2f} |" if unit == "ms" else f"| {name} | {value:.3f} |")


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


def compare_storage(folder: Path, options: argparse.Namespace) -> None:
    print("| storage | size (MB) | load (s) |\n| --- | ---: | ---: |")
    for compression in ("none", "lzf", "gzip"):
        write(folder / compression, options.tasks, options.episodes, compression)
        load = timed({"": lambda c=compression: touch(load_demos(root=folder / c))}, options.repeats)[""]
        print(f"| {compression} | {size(folder / compression) / 1e6:.1f} | {load:.3f} |")


def measure(folder: Path, options: argparse.Namespace) -> None:
    path = folder / "none"
    demos = load_demos(root=path)
    loading: dict[str, Callable[[], object]] = {
        "reading the files' bytes into new memory": lambda: [np.fromfile(f, np.uint8) for f in sorted(path.iterdir())],
        "load_demos, all arrays": lambda: touch(load_demos(root=path)),
        "load_demos straight into a replay buffer": lambda: load_demos(root=path).to_replay(4),
    }
    replay, one = demos.to_replay(4), load_demos([next(iter(demos))], root=path).windows(4)
    windows, mapped = demos.windows(4), load_demos(root=path, mapped=True).windows(4)
    random = np.random.default_rng(0)
    sampling: dict[str, Callable[[], object]] = {
        "newt_bench.replay.Replay": lambda: replay.sample(1024, random),
        "windows, padded": lambda: windows.sample(1024, random),
        "windows, padded, mapped": lambda: mapped.sample(1024, random),
        "windows of one task": lambda: one.sample(1024, random),
    }
    if options.torchrl:
        fill = torchrl(folder, options)
        buffer = fill()
        loading["torch.load and TorchRL's extend, the published layout"] = fill
        sampling["TorchRL's SliceSampler, padded"] = buffer.sample
    show(f"loading {demos.steps} steps in {len(demos)} files", timed(loading, options.repeats))
    show("a batch of 1024 x 4 steps", timed(sampling, 20 * options.repeats), "ms")


def touch(demos: newt_bench.Demos) -> None:
    for item in demos.values():
        for name in ("observation", "action", "reward", "success", "score"):
            getattr(item, name)


def torchrl(folder: Path, options: argparse.Namespace) -> Callable[[], Any]:
    """Writes the same data in the published layout; what is returned loads it into a buffer of TorchRL."""
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

    return fill


def frames(repeats: int) -> None:
    """Encodes and decodes 21 frames of 224 x 224 pixels, of four tasks, as files of frames hold them."""
    print("| task | encoding | kB | ms to encode | ms to decode |\n| --- | --- | ---: | ---: | ---: |")
    for name in ("walker-run", "mw-reach", "pygame-cowboy", "mujoco-reacher"):
        task, random = newt_bench.get_task(name), np.random.default_rng(0)
        with gymnasium.make(task.id, obs_type="rgb") as env:
            shown = [env.reset(seed=0)[0]]
            shown += [env.step(random.uniform(-1, 1, task.action_dim).astype(np.float32))[0] for _ in range(20)]
        for encoding in ENCODINGS:
            data, kind = [encode(frame, encoding) for frame in shown], FrameFormat(encoding, 224, 224)
            seconds = timed(
                {
                    "encode": lambda e=encoding, s=shown: [encode(frame, e) for frame in s],
                    "decode": lambda k=kind, d=data: [decode(item, k) for item in d],
                },
                repeats,
            )
            size_text = f"{sum(map(len, data)) / len(data) / 1e3:.1f}"
            times = " | ".join(f"{1e3 * value / len(data):.2f}" for value in seconds.values())
            print(f"| {name} | {encoding} | {size_text} | {times} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--episodes", type=int, default=100, help="per task")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--torchrl", action="store_true")
    parser.add_argument("--frames", action="store_true", help="measure the encodings of frames instead")
    options = parser.parse_args()
    if options.frames:
        frames(options.repeats)
        return
    with tempfile.TemporaryDirectory() as name:
        compare_storage(Path(name), options)
        measure(Path(name), options)


if __name__ == "__main__":
    main()
