"""The `ogbench` domain: OGBench's ant and point robots in mazes and on open floor (arXiv 2410.20092).

`simulation` plays any of them by the rules of one: `mazes` on the maps of `maps`, `fields` on open floor.
"""

from __future__ import annotations

from newt_bench.catalogue import Task
from newt_bench.envs import opengl

opengl.import_mujoco()  # before OGBench does
from newt_bench.envs.ogbench.fields import make_ball, make_direction  # noqa: E402
from newt_bench.envs.ogbench.mazes import make_maze  # noqa: E402
from newt_bench.envs.ogbench.simulation import RobotSimulation  # noqa: E402

__all__ = ["RobotSimulation", "make"]

_FIELDS = {"online-ant-v0": make_direction, "online-antball-v0": make_ball}


def make(task: Task) -> RobotSimulation:
    """Builds the simulation of a task.

    Args:
        task: Its `simulator_id` is one of OGBench's online environments, or `<robot>maze-<map>-v0`.
    """
    return _FIELDS.get(task.simulator_id, make_maze)(task)
