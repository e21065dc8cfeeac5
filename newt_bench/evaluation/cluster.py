"""Plays the units of an evaluation on a Ray cluster. The only module that imports Ray."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import ray
from ray import cloudpickle

from newt_bench.catalogue import get_task
from newt_bench.errors import AgentError, NewtBenchError, WorkerError
from newt_bench.evaluation.playing import Job, Outcome, Player, Unit
from newt_bench.results.provenance import package_versions

__all__ = ["play_on_ray"]

# How often Ray plays a unit anew whose process or node was lost.
_RETRIES = 5


def play_on_ray(
    job: Job, units: Sequence[Unit], address: str | None, versions: Mapping[str, str], advance: Callable[[str], None]
) -> Iterator[Outcome]:
    """Plays units wherever the cluster has a free core. A unit whose node is lost is played anew on another.

    Args:
        job: What is played. Classes that cannot be imported on the nodes are sent there.
        units: The units.
        address: Of the cluster, as `ray.init` takes it; None for the one that this program is connected to or that
            `RAY_ADDRESS` names, else for one on this machine that ends with the evaluation.
        versions: Versions of packages, by distribution, that results may depend on: nodes must have the same.
        advance: Called with a task's name for each of its episodes, when the task is finished.

    Yields:
        Outcomes, as they come.

    Raises:
        AgentError: The agent cannot be sent, or what `Player.play` raises.
        WorkerError: The agent or an environment raised, a unit was lost too often, or a node has other versions.
        ConnectionError: There is no cluster at the address.
    """
    ours = not ray.is_initialized()
    if ours:
        # Left to itself, Ray would look for a cluster that someone else has started on this machine.
        ray.init(
            address=address or os.environ.get("RAY_ADDRESS") or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    running: dict[Any, Unit] = {}
    try:
        try:
            packed = ray.put(cloudpickle.dumps(job))
        except TypeError as error:
            raise AgentError(f"The agent cannot be sent to other machines: {error}") from error
        play = ray.remote(num_cpus=1, max_retries=_RETRIES)(_play)
        running = {play.remote(packed, unit, dict(versions)): unit for unit in units}
        while running:
            (reference,), _ = ray.wait(list(running), num_returns=1)
            outcome = _outcome(reference, running.pop(reference))
            for _ in outcome.records:
                advance(outcome.unit.task)
            yield outcome
    finally:
        for reference in running:
            ray.cancel(reference, force=True)
        if ours:
            ray.shutdown()


def _outcome(reference: Any, unit: Unit) -> Outcome:
    task = get_task(unit.task).id
    try:
        result: Outcome | NewtBenchError | str = ray.get(reference)
    except ray.exceptions.RayError as error:
        raise WorkerError(f"{task}: the cluster could not play it in {_RETRIES + 1} attempts: {error}", task) from error
    if isinstance(result, NewtBenchError):
        raise result
    if isinstance(result, str):
        raise WorkerError(f"{task}: {result}", task)
    return result


_players: dict[bytes, Player] = {}


def _play(packed: bytes, unit: Unit, versions: dict[str, str]) -> Outcome | NewtBenchError | str:
    """Runs on a node. Errors are returned: raising again elsewhere would not help, so Ray must not try."""
    here = package_versions(versions)
    if here != versions:
        wrong = ", ".join(
            f"{n} {here.get(n, 'missing')} instead of {v}" for n, v in versions.items() if here.get(n) != v
        )
        return f"the node {ray.util.get_node_ip_address()} has {wrong}; results would differ"
    try:
        if packed not in _players:  # a process that stays on plays many units of one job
            _players.clear()
            _players[packed] = Player(cloudpickle.loads(packed))
        return _players[packed].play(unit, lambda _: None)
    except NewtBenchError as error:
        return error
    except Exception:
        return f"the agent or the environment raised an error\n\n{traceback.format_exc()}"
