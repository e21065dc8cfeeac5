"""Meta-World's own experts, held still once the goal is reached: some of them undo what they did otherwise."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np

from newt_bench.agents.scripted.base import Action, Expert, Maker, State
from newt_bench.catalogue import Task, tasks

__all__ = ["EXPERTS"]

#: For experts that do not stop by themselves: where the object begins in the observation, and how near to the goal it
#: must be, in metres.
_STOP: dict[str, tuple[int, float]] = {
    "mw-basketball": (4, 0.07),
    "mw-box-close": (4, 0.06),
    "mw-coffee-button": (4, 0.012),
    "mw-door-open": (4, 0.07),
    "mw-faucet-open": (4, 0.045),
    "mw-handle-press": (4, 0.08),
    "mw-handle-press-side": (4, 0.014),
    "mw-handle-pull-side": (4, 0.07),
    "mw-lever-pull": (4, 0.025),
    "mw-peg-unplug-side": (4, 0.05),
    "mw-plate-slide-back": (4, 0.055),
    "mw-plate-slide-back-side": (4, 0.055),
    "mw-plate-slide-side": (4, 0.055),
    "mw-stick-push": (11, 0.1),
    "mw-sweep-into": (4, 0.03),
}


def _expert(task: Task) -> Expert:
    policies: Any = importlib.import_module("metaworld.policies")
    policy = policies.ENV_POLICY_MAP[task.simulator_id]()
    start, near = _STOP.get(task.name, (4, 0.0))
    last: Action = np.zeros(4)
    held = False

    def act(state: State) -> Action:
        nonlocal last, held
        held = held or bool(np.linalg.norm(state[start : start + 3] - state[36:39]) < near)
        if held:
            return np.array([0.0, 0.0, 0.0, last[3]])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that actions will be clipped
            last = np.clip(policy.get_action(state), -1, 1)
        return last

    return act


EXPERTS: dict[str, Maker] = {task.name: _expert for task in tasks(domain="metaworld")}
