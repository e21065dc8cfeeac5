"""Runs a suite, run by run. What is finished is kept, what was interrupted goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from newt_bench.errors import InputError
from newt_bench.evaluation import evaluate
from newt_bench.results import Results, load_results, merge_results
from newt_bench.suites.definition import Suite
from newt_bench.training import resume_training, train
from newt_bench.training.run_folder import RunFolder

__all__ = ["collected", "run_suite"]

_Item = TypeVar("_Item", str, int)


def run_suite(
    suite: Suite,
    out: str | Path,
    *,
    agents: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    progress: bool = True,
    begin: Callable[[str], None] = lambda _: None,
) -> dict[str, Results]:
    """Runs what is not finished yet, seed by seed, so that all agents have a first seed early.

    Several processes may share the work if each is given other agents or other seeds.

    Args:
        suite: The suite.
        out: Folder of the runs: `<agent>/seed-<seed>/`. Calling again with the same folder goes on.
        agents: Only these of its agents.
        seeds: Only these of its seeds.
        progress: Whether to show progress on standard error.
        begin: Told of each run that begins or goes on, such as "newt, seed 0".

    Returns:
        Results of the agents all of whose runs are finished.

    Raises:
        InputError: The suite has no such agent or seed, or a folder holds another run.
        KeyboardInterrupt: Interrupted; nothing is lost.
    """
    chosen = _choose(suite, "agent", tuple(suite.agents), agents)
    for seed in _choose(suite, "seed", suite.seeds, seeds):
        for agent in chosen:
            folder = _folder(out, agent, seed)
            if _finished(suite, agent, seed, folder) is None:
                begin(f"{agent}, seed {seed}")
                _run(suite, agent, seed, folder, progress)
    return collected(suite, out)


def collected(suite: Suite, out: str | Path) -> dict[str, Results]:
    """Results by agent, in the suite's order, of all that have finished every seed.

    Args:
        suite: The suite.
        out: Folder of the runs.

    Raises:
        InputError: A folder holds another run.
    """
    found = {}
    for agent in suite.agents:
        parts = [_finished(suite, agent, seed, _folder(out, agent, seed)) for seed in suite.seeds]
        complete = [part for part in parts if part is not None]
        if len(complete) == len(parts):
            found[agent] = merge_results(complete)
    return found


def _choose(suite: Suite, what: str, known: Sequence[_Item], wanted: Sequence[_Item] | None) -> Sequence[_Item]:
    for item in wanted or ():
        if item not in known:
            raise InputError(f"The suite {suite.name} has no {what} {item}; it has: {', '.join(map(str, known))}")
    return known if wanted is None else [item for item in known if item in wanted]


def _folder(out: str | Path, agent: str, seed: int) -> Path:
    return Path(out) / agent / f"seed-{seed}"


def _finished(suite: Suite, agent: str, seed: int, folder: Path) -> Results | None:
    """Results of a run, if it is at its end."""
    path = RunFolder(folder).results_file
    if not path.exists():
        return None
    results = load_results(path)
    protocol = results.protocol
    found = (results.agent["spec"], protocol.tasks, protocol.seeds, protocol.episodes)
    if found != (agent, tuple(task.id for task in suite.tasks), (seed,), suite.episodes):
        raise _another(agent, seed, folder)
    return results if results.complete else None


def _another(agent: str, seed: int, folder: Path) -> InputError:
    return InputError(f"{folder} holds another run than {agent} with seed {seed}; name another folder with --out")


def _run(suite: Suite, agent: str, seed: int, folder: Path, progress: bool) -> None:
    recipe, names, file = suite.agents[agent], suite.tasks.names, RunFolder(folder).results_file
    if not recipe:
        folder.mkdir(parents=True, exist_ok=True)
        evaluate(agent, names, suite.episodes, seed, out=file, resume=file.exists(), progress=progress)
        return
    if RunFolder(folder).order_file.exists():
        order = RunFolder(folder).order()
        found = (order.agent, order.tasks, order.recipe, order.settings.seed)
        if found != (agent, names, Path(recipe).stem, seed):
            raise _another(agent, seed, folder)
        resume_training(folder, progress=progress)
    else:
        train(agent, names, out=folder, recipe=recipe, seed=seed, final_episodes=suite.episodes, progress=progress)
