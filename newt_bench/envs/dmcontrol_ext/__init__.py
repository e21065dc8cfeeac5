"""The `dmcontrol-ext` domain: new tasks on the DeepMind Control suite's bodies, and on new bodies.

Written as the suite's own domains are: a module per body, with a table `SUITE` of functions that build environments;
rewards from the suite's tolerance function (`shaping`); models from the suite's by small edits, or in MJCF beside them.
"""

from __future__ import annotations

from typing import Any

from newt_bench.catalogue import Task
from newt_bench.envs.dmcontrol import SuiteSimulation  # first: it imports dm_control without its graphics
from newt_bench.envs.dmcontrol_ext import (
    ball_in_cup,
    cartpole,
    cheetah,
    giraffe,
    hopper,
    jumper,
    pendulum,
    reacher,
    spinner,
    walker,
)

__all__ = ["load", "make"]

_DOMAINS = {
    "ball_in_cup": ball_in_cup,
    "cartpole": cartpole,
    "cheetah": cheetah,
    "giraffe": giraffe,
    "hopper": hopper,
    "jumper": jumper,
    "pendulum": pendulum,
    "reacher": reacher,
    "spinner": spinner,
    "walker": walker,
}


def make(task: Task) -> SuiteSimulation:
    """Builds the simulation of a task; `task.simulator_id` is `<domain>/<task>`. Frames come from the first camera."""
    domain, _, name = task.simulator_id.partition("/")
    return SuiteSimulation(load(domain, name), task.action_repeat)


def load(domain: str, task: str, random: Any = None) -> Any:
    """Builds a `control.Environment` of dm_control, like `suite.load`.

    Args:
        domain: Name of the body, such as `spinner`.
        task: Name of the task, such as `spin_four`.
        random: Integer seed, `RandomState`, or None for a seed of its own.
    """
    return _DOMAINS[domain].SUITE[task](random=random)
