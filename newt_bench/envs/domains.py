"""Which module plays which domain."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from newt_bench.catalogue import Task, load_domain
from newt_bench.envs.simulation import Simulation
from newt_bench.errors import InputError
from newt_bench.extras import import_optional

__all__ = ["DOMAIN_MODULES", "check_options", "make_simulation"]

#: Modules by domain, each importing one simulator.
DOMAIN_MODULES: dict[str, str] = {
    "dmcontrol": "newt_bench.envs.dmcontrol",
    "dmcontrol-ext": "newt_bench.envs.dmcontrol_ext",
    "metaworld": "newt_bench.envs.metaworld",
    "maniskill": "newt_bench.envs.maniskill",
    "mujoco": "newt_bench.envs.mujoco",
    "box2d": "newt_bench.envs.box2d",
    "robodesk": "newt_bench.envs.robodesk",
    "ogbench": "newt_bench.envs.ogbench",
    "miniarcade": "newt_bench.envs.miniarcade",
    "atari": "newt_bench.envs.atari",
}


def make_simulation(task: Task, options: Mapping[str, Any]) -> Simulation:
    """Imports the task's domain module and builds the simulation.

    Args:
        task: The task.
        options: Keyword arguments that the domain's `make` takes beside the task.

    Raises:
        InputError: The domain has no such option.
        MissingExtraError: The simulator is not installed.
        SimulatorError: The simulator is installed but fails to import.
    """
    simulation: Simulation = check_options(task, options)(task, **options)
    return simulation


def check_options(task: Task, options: Mapping[str, Any]) -> Callable[..., Simulation]:
    """Imports the task's domain module and checks that it has these options.

    Returns:
        The domain's `make`.

    Raises:
        NewtBenchError: As `make_simulation`.
    """
    domain = load_domain(task.domain)
    module: Any = import_optional(
        DOMAIN_MODULES[task.domain], extra=domain.extra, packages=domain.packages, wanted_by=task.id
    )
    make: Callable[..., Simulation] = module.make
    known = list(inspect.signature(make).parameters)[1:]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise InputError(f"{task.id} has no option '{unknown[0]}'; it has: {', '.join(known) or 'none of its own'}")
    return make
