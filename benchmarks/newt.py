"""How fast does Newt learn and plan, against the same maths written plainly and against the arithmetic itself?

python benchmarks/newt.py [--threads 2] [--sizes B L] [--slots 1 10 200] [--batch 1024] [--compile inductor]

Both versions take turns; medians are told. The floor is the time that the fast version's multiplications alone would
take at the rate at which this machine multiplies large square matrices.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from newt_plain import PlainNewt
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from newt_bench.agents.newt.config import NewtConfig
from newt_bench.agents.newt.learner import Learner
from newt_bench.agents.newt.losses import Batch
from newt_bench.agents.newt.model import WorldModel
from newt_bench.agents.newt.planner import plan
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.replay import Episode, Replay

TASKS, EPISODES, LENGTH = 200, 400, 500

# Operators of PyTorch, by what they are for.
PARTS = {
    "matrix products": ("aten::addmm", "aten::mm", "aten::bmm", "aten::baddbmm", "aten::matmul", "aten::mv"),
    "layer norm": ("aten::native_layer_norm", "aten::native_layer_norm_backward"),
    "softmax": ("aten::_softmax", "aten::_log_softmax", "aten::_softmax_backward_data"),
    "random numbers": ("aten::normal_", "aten::uniform_"),
    "optimiser": ("aten::_foreach",),
    "top k": ("aten::topk", "aten::sort"),
    "copies": ("aten::copy_", "aten::cat", "aten::stack", "aten::fill_", "aten::zero_"),
}


def build(size: str, batch: int, device: str) -> tuple[WorldModel, Replay]:
    """A model of 200 tasks with language, and a buffer of noise."""
    config = NewtConfig(size=size, batch_size=batch).resolved(TASKS)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    dims = torch.randint(1, 17, (TASKS,), generator=generator).tolist()
    table = 0.66 * torch.randn(TASKS, 512, generator=generator)
    model = WorldModel(config, table, dims, [0.99] * TASKS, generator).to(device)
    replay, rng = Replay(EPISODES * (LENGTH + 1), 128, 16), np.random.default_rng(0)
    for k in range(EPISODES):
        obs = rng.normal(size=(LENGTH + 1, 128)).astype(np.float32)
        action = rng.uniform(-1, 1, (LENGTH, dims[k % TASKS])).astype(np.float32)
        replay.add(Episode(k % TASKS, obs, action, rng.normal(size=LENGTH).astype(np.float32)))
    return model, replay


def sample(replay: Replay, batch: int, rng: np.random.Generator, device: str) -> Batch:
    drawn = replay.sample(batch, rng)
    parts = (drawn.obs, drawn.action, drawn.reward, drawn.task)
    return Batch(*(torch.from_numpy(part).to(device) for part in parts))


def seconds(call: Callable[[], object], device: str) -> float:
    start = time.perf_counter()
    call()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def multiplication_rate(device: str) -> float:
    """Floating-point operations per second of products of large square matrices."""
    n = 2048 if device == "cpu" else 8192
    a, b = torch.randn(n, n, device=device), torch.randn(n, n, device=device)
    a @ b
    return 2 * n**3 / min(seconds(lambda: a @ b, device) for _ in range(8))


def breakdown(call: Callable[[], object], device: str) -> str:
    """Share of the time by kind of operator."""
    kinds = [ProfilerActivity.CPU] + ([] if device == "cpu" else [ProfilerActivity.CUDA])
    with profile(activities=kinds) as report:
        call()
    times = dict.fromkeys([*PARTS, "other elementwise"], 0.0)
    for event in report.key_averages():
        spent = event.self_cpu_time_total if device == "cpu" else event.self_device_time_total
        named = (part for part, names in PARTS.items() if event.key.startswith(names))
        times[next(named, "other elementwise")] += spent
    total = sum(times.values())
    return ", ".join(f"{part} {100 * spent / total:.0f}%" for part, spent in times.items())


def compare(
    title: str, ours: Callable[[], object], plain: Callable[[], object], rate: float, options: argparse.Namespace
) -> None:
    """Prints one line of figures and one of shares."""
    ours()
    if not options.no_plain:
        plain()
    pairs = [
        (seconds(ours, options.device), seconds(plain, options.device) if not options.no_plain else float("nan"))
        for _ in range(options.runs)
    ]
    fast, slow = (statistics.median(column) for column in zip(*pairs, strict=True))
    with FlopCounterMode(display=False) as counter:
        ours()
    floor = counter.get_total_flops() / rate
    print(
        f"{title}: {fast:.4f} s, plain {slow:.4f} s, {slow / fast:.2f} times as fast; floor {floor:.4f} s "
        f"({counter.get_total_flops() / 1e9:.1f} GFLOP), {100 * floor / fast:.0f}% of it reached"
    )
    print(f"    {breakdown(ours, options.device)}", flush=True)


def measure_update(
    size: str, model: WorldModel, plain: PlainNewt, replay: Replay, rate: float, options: argparse.Namespace
) -> None:
    rng, random = np.random.default_rng(1), Randomness(0, options.device)
    learner = Learner(model, Randomness(0, options.device))
    compare(
        f"update {size}, batch {options.batch}",
        lambda: learner.update(sample(replay, options.batch, rng, options.device)),
        lambda: plain.update(sample(replay, options.batch, rng, options.device), random),
        rate,
        options,
    )


def measure_plan(
    size: str, slots: int, model: WorldModel, plain: PlainNewt, rate: float, options: argparse.Namespace
) -> None:
    obs = torch.randn(slots, 128, device=options.device)
    task = torch.arange(slots, device=options.device) % TASKS
    previous = torch.zeros(model.config.horizon, slots, 16, device=options.device)
    random = Randomness(0, options.device)
    compare(
        f"plan {size}, {slots} slots",
        lambda: plan(model, obs, task, previous, random, constraint=1.0, explore=True),
        lambda: plain.plan(obs, task, previous, random, 1.0, True),
        rate,
        options,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sizes", nargs="*", default=["B", "L"])
    parser.add_argument("--slots", nargs="*", type=int, default=[1, 10, 200])
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", default="", help="have torch.compile compile Newt's networks: inductor")
    parser.add_argument("--no-plain", action="store_true", help="leave the plain version out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rate = multiplication_rate(options.device)
    print(f"PyTorch {torch.__version__}, {options.device}, {options.threads} threads, {rate / 1e9:.0f} GFLOP/s")
    for size in options.sizes:
        model, replay = build(size, options.batch, options.device)
        plain = PlainNewt(model)
        if options.compile:
            model.compile_networks(options.compile)
        measure_update(size, model, plain, replay, rate, options)
        for slots in options.slots:
            measure_plan(size, slots, model, plain, rate, options)


if __name__ == "__main__":
    main()
