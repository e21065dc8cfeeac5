"""The `miniarcade` domain: small two-dimensional games with state observations, drawn by pygame.

A game is one module in `games`: its world and rules, its observation and its picture, on the kit of this folder
(`game`, `geometry`, `canvas`, `palette`).
"""

from __future__ import annotations

from newt_bench.catalogue import Task
from newt_bench.envs.miniarcade.games import GAMES
from newt_bench.envs.miniarcade.simulation import GameSimulation

__all__ = ["make"]


def make(task: Task) -> GameSimulation:
    """Builds the simulation of a game; `task.simulator_id` is a key of `GAMES`."""
    return GameSimulation(GAMES[task.simulator_id](), task.has_success)
