"""`train` and `resume_training`: from what is asked for to a finished run."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from newt_bench.agents import Agent, load_agent_factory
from newt_bench.agents.loading import saved_tasks
from newt_bench.agents.team import Team
from newt_bench.catalogue import Task, resolve_tasks
from newt_bench.catalogue import tasks as catalogue_tasks
from newt_bench.envs.domains import check_options
from newt_bench.errors import InputError, MissingExtraError
from newt_bench.evaluation import describe_provenance
from newt_bench.evaluation.threads import torch_threads
from newt_bench.results import EpisodeRecord, Protocol, Results
from newt_bench.training.curves import Curve, load_curve, plot_curves
from newt_bench.training.demonstrations import SCRIPTED, collect_scripted, demonstration_episodes
from newt_bench.training.interruption import interruptible
from newt_bench.training.loop import Trainer
from newt_bench.training.recipes import load_recipe
from newt_bench.training.reporting import reporter
from newt_bench.training.run_folder import LoopState, Order, RunFolder, agent_folder
from newt_bench.training.settings import TrainingSettings

__all__ = ["TrainingRun", "resume_training", "train"]

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TrainingRun:
    """A finished run.

    Attributes:
        folder: Where all of it lies: `run.json`, `log.jsonl`, `tensorboard/`, `checkpoint/`, `results.json` and
            `curves.png`.
        agent: The trained agent.
        results: The last evaluation.
        curve: Scores over steps.
    """

    folder: Path
    agent: Agent
    results: Results
    curve: Curve

    @property
    def checkpoint(self) -> Path:
        """Folder of the saved agent."""
        return RunFolder(self.folder).agent


def train(
    agent: str,
    tasks: str | Task | Iterable[str | Task] | None = None,
    *,
    out: str | Path,
    recipe: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    adapt: str | Path | None = None,
    progress: bool = True,
    **settings: Any,
) -> TrainingRun:
    """Trains an agent: on demonstrations if there are any, then online on many tasks at once.

    The run can be interrupted (Ctrl-C) and goes on with `resume_training` to the same weights, bit for bit, on the same
    machine and versions. Started with `torchrun`, tasks are shared out to the processes, if the agent can do that.

    Args:
        agent: Entry point name or import path of the agent.
        tasks: Task names or records; None for those of the recipe.
        out: Folder of the run, new or empty.
        recipe: Name of a recipe that ships for the agent, or a TOML file. Options and settings given here override it.
        options: Options of the agent by name.
        adapt: Folder of a checkpoint: go on with that agent on the one task that is named, see `Agent.adapt`. Options
            then override the checkpoint's.
        progress: Whether to show progress on standard error.
        settings: `TrainingSettings` by name: `steps`, `seed`, `num_envs_per_task`, ...

    Returns:
        The finished run.

    Raises:
        InputError: Something cannot be used; among others, `out` holds a run.
        AgentError: The agent cannot be found or built, or lacks an ability.
        MissingExtraError: A task's simulator is not installed.
        WorkerError: An environment failed.
        KeyboardInterrupt: Interrupted, once a checkpoint is written.
    """
    found = load_recipe(agent, recipe) if recipe is not None else None
    if tasks is None:
        tasks = found.tasks if found is not None else ()
    chosen = resolve_tasks(tasks, "train on")
    given = {**(found.training if found else {}), **settings}
    order = Order(
        agent=agent,
        tasks=tuple(task.name for task in chosen),
        options={**(found.options if found else {}), **(options or {})},
        settings=TrainingSettings.from_mapping(given),
        recipe=found.name if found else None,
        adapted_from=str(adapt) if adapt is not None else None,
    )
    _check(order, chosen)
    team = _team(agent)
    if team.rank == 0:
        RunFolder(out).begin(order, describe_provenance(chosen))
    return _run(order, Path(out), team, progress)


def resume_training(out: str | Path, *, steps: int | None = None, progress: bool = True) -> TrainingRun:
    """Goes on with an interrupted run, or with a finished one for more steps.

    Args:
        out: The run's folder.
        steps: A new number of steps in total; None for that of the run.
        progress: Whether to show progress on standard error.

    Returns:
        The finished run.

    Raises:
        InputError: There is no run, or it has more steps already.
    """
    order = RunFolder(out).order()
    if steps is not None:
        order = dataclasses.replace(order, settings=dataclasses.replace(order.settings, steps=steps))
    return _run(order, Path(out), _team(order.agent), progress)


def _team(agent: str) -> Team:
    factory = load_agent_factory(agent)
    return factory.team() if isinstance(factory, type) and issubclass(factory, Agent) else Team()


def _check(order: Order, tasks: Sequence[Task]) -> None:
    for task in tasks if order.settings.env_options else ():
        check_options(task, order.settings.env_options)
    if order.adapted_from is not None and len(tasks) != 1:
        raise InputError(f"An agent is adapted to one task at a time, not to {len(tasks)}")


def _run(order: Order, out: Path, team: Team, progress: bool) -> TrainingRun:
    tasks = catalogue_tasks(order.tasks)
    mine = range(len(tasks))[team.rank :: team.size]
    if team.size > len(tasks):
        raise InputError(f"{team.size} processes cannot share {len(tasks)} tasks; start at most {len(tasks)}")
    folder = RunFolder(out, team.rank)
    slots = len(tasks) * order.settings.num_envs_per_task
    with interruptible() as stop, torch_threads(order.settings.torch_threads):
        state = folder.load() or LoopState()
        _check_state(team, state, order)
        agent = _resumed(order, folder, tasks) if folder.agent.exists() else _new(order, folder, tasks, mine, progress)
        with reporter(folder, order.settings, slots, state, team, progress) as told:
            trainer = Trainer(agent, mine, order.settings, folder, told, state, team, stop)
            records = trainer.run()
    if records is None:
        raise KeyboardInterrupt
    results = _results(order, agent, tasks, records, trainer.seconds)
    run = TrainingRun(out, agent, results, load_curve(out))
    if team.rank == 0:
        results.save(folder.results_file)
        _plot(run, folder.plot_file, order)
    team.leave()
    return run


def _check_state(team: Team, state: LoopState, order: Order) -> None:
    everywhere = team.gather(state.steps)
    if len(set(everywhere)) > 1:
        raise InputError(f"The checkpoints of the processes are of different steps: {everywhere}")
    if state.steps > order.settings.steps:
        raise InputError(f"The run has {state.steps} steps already; ask for more with steps (--steps)")


def _new(order: Order, folder: RunFolder, tasks: Sequence[Task], mine: Sequence[int], progress: bool) -> Agent:
    factory: Any = load_agent_factory(order.agent)
    seed, source = order.settings.seed, order.settings.demonstrations
    if order.adapted_from is None:
        agent: Agent = _call(order, lambda: factory(tasks, seed=seed, **order.options))
    else:
        before = agent_folder(order.adapted_from)
        known = catalogue_tasks(saved_tasks(before))
        agent = _call(order, lambda: factory.load(before, known, seed=seed, **order.options))
        agent.adapt(tasks[0])
    if source is not None:
        if source == SCRIPTED:
            mine = collect_scripted(folder.demonstrations, tasks, mine, order.settings.scripted_episodes, progress)
            source = str(folder.demonstrations)
        features = order.settings.obs_type == "state_rgb"
        agent.add_demonstrations(demonstration_episodes(source, tasks, mine, features=features))
    return agent


def _resumed(order: Order, folder: RunFolder, tasks: Sequence[Task]) -> Agent:
    factory: Any = load_agent_factory(order.agent)
    # Options that are not hyper-parameters, such as the device, are not part of a checkpoint; the weights that the run
    # began with have no part in it any more.
    options = {name: value for name, value in order.options.items() if name != "checkpoint"}
    return _call(order, lambda: factory.load(folder.agent, tasks, seed=order.settings.seed, **options))


def _call(order: Order, build: Callable[[], Any]) -> Agent:
    try:
        agent: Agent = build()
    except TypeError as error:
        raise InputError(f"The agent '{order.agent}' cannot be built with these options: {error}") from error
    return agent


def _results(
    order: Order, agent: Agent, tasks: Sequence[Task], records: Sequence[EpisodeRecord], seconds: float
) -> Results:
    settings = order.settings
    ids = tuple(task.id for task in tasks)
    place = {task: index for index, task in enumerate(ids)}
    protocol = Protocol(ids, (settings.seed,), settings.final_episodes, settings.obs_type, settings.env_options)
    provenance = {
        **describe_provenance(tasks),
        "wall_seconds": round(seconds, 3),
        "agent": agent.provenance(),
        "training": {key: value for key, value in order.to_json().items() if key in _TOLD},
    }
    name = {"name": order.agent.rpartition(":")[2], "spec": order.agent, "options": dict(order.options)}
    ordered = sorted(records, key=lambda record: (place[record.task], record.episode))
    return Results(name, protocol, json.loads(json.dumps(provenance)), tuple(ordered))


_TOLD = ("settings", "recipe", "adapted_from")


def _plot(run: TrainingRun, path: Path, order: Order) -> None:
    try:
        plot_curves([run.curve], path, f"{order.agent}, seed {order.settings.seed}")
    except MissingExtraError as error:
        logger.warning("no picture of the learning curves: %s", error)
