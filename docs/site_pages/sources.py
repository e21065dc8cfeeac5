"""What the code says of a task: docstrings and rewards, read from the sources without importing simulators."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import textwrap
from pathlib import Path

from newt_bench.catalogue import Task
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.games import GAMES

__all__ = ["Passage", "game_of", "passages"]

_ROOT = Path(__file__).parent.parent.parent

#: Where the playing of a task is described: domain, or domain and beginning of the simulator id, to module and class.
_SIMULATIONS = {
    "dmcontrol": ("newt_bench/envs/dmcontrol.py", "SuiteSimulation"),
    "dmcontrol-ext": ("newt_bench/envs/dmcontrol.py", "SuiteSimulation"),
    "metaworld": ("newt_bench/envs/metaworld.py", "SawyerSimulation"),
    "maniskill": ("newt_bench/envs/maniskill/simulation.py", "ManiSkillSimulation"),
    "mujoco": ("newt_bench/envs/mujoco.py", "GymnasiumSimulation"),
    "box2d BipedalWalker": ("newt_bench/envs/box2d/bipedal_walker.py", "BipedalWalkerWorld"),
    "box2d LunarLander": ("newt_bench/envs/box2d/lunar_lander.py", "LunarLanderWorld"),
    "robodesk": ("newt_bench/envs/robodesk.py", "DeskSimulation"),
    "ogbench pointmaze": ("newt_bench/envs/ogbench/mazes.py", "MazeRules"),
    "ogbench antmaze": ("newt_bench/envs/ogbench/mazes.py", "MazeRules"),
    "ogbench online-ant-": ("newt_bench/envs/ogbench/fields.py", "DirectionRules"),
    "ogbench online-antball": ("newt_bench/envs/ogbench/fields.py", "BallRules"),
    "atari": ("newt_bench/envs/atari.py", "AtariSimulation"),
}
#: ManiSkill environments of our own, by `simulator_id`.
_MANISKILL = {
    "MS-CartpoleBalanceSparse-v1": ("newt_bench/envs/maniskill/cartpole.py", "_SparseReward"),
    "MS-CartpoleSwingUpSparse-v1": ("newt_bench/envs/maniskill/cartpole.py", "_SparseReward"),
    "PickSingleYCB-v1": ("newt_bench/envs/maniskill/ycb.py", "PickOneYCBEnv"),
    "PushYCB-v1": ("newt_bench/envs/maniskill/ycb.py", "PushYCBEnv"),
    "Reach-v1": ("newt_bench/envs/maniskill/reach.py", "ReachEnv"),
    "ReachxArm6-v1": ("newt_bench/envs/maniskill/reach.py", "ReachEnv"),
}


class Passage:
    """A docstring, or a piece of code.

    Attributes:
        path: The file, relative to the repository.
        text: The docstring without its sections of arguments and attributes, or the code.
        is_code: Whether it is code.
    """

    def __init__(self, path: str, text: str, is_code: bool = False) -> None:
        self.path = path
        self.text = text if is_code else _without_sections(inspect.cleandoc(text))
        self.is_code = is_code


def game_of(task: Task) -> type[Game]:
    """The class of a MiniArcade task's game."""
    made = GAMES[task.simulator_id]
    game = made.func if isinstance(made, functools.partial) else made
    assert isinstance(game, type)
    return game


def passages(task: Task) -> list[Passage]:
    """What the code says of how a task is played, the particular first.

    Raises:
        KeyError: Nothing is known of the task, or the class that describes it has another name now.
    """
    if task.domain == "miniarcade":
        game = game_of(task)
        path = Path(inspect.getfile(game)).relative_to(_ROOT).as_posix()
        return [Passage(path, game.__doc__ or "")]
    found: list[Passage] = []
    if task.domain == "dmcontrol-ext":
        found += _suite_task(task)
    if task.simulator_id in _MANISKILL:
        found.append(_class(*_MANISKILL[task.simulator_id]))
    where = next(
        place
        for key, place in _SIMULATIONS.items()
        if key == task.domain or (f"{task.domain} {task.simulator_id}".startswith(key) and " " in key)
    )
    played = _class(*where)
    if task.domain == "ogbench":
        path, name = where
        text, named = _module(path)
        return [played, *_method(path, text, named[name], named, "judge")]
    return [*found, played]


@functools.cache
def _module(path: str) -> tuple[str, dict[str, ast.stmt]]:
    text = (_ROOT / path).read_text(encoding="utf-8")
    named = {item.name: item for item in ast.parse(text).body if isinstance(item, ast.ClassDef | ast.FunctionDef)}
    return text, dict(named)


def _class(path: str, name: str) -> Passage:
    node = _module(path)[1][name]
    assert isinstance(node, ast.ClassDef)
    return Passage(path, ast.get_docstring(node) or "")


def _suite_task(task: Task) -> list[Passage]:
    """A task in the suite's manner: what its function says, and what the class that it builds says and pays."""
    body, _, name = task.simulator_id.partition("/")
    path = f"newt_bench/envs/dmcontrol_ext/{body}.py"
    _, named = _module(path)
    function = named[name]
    assert isinstance(function, ast.FunctionDef)
    found = [Passage(path, ast.get_docstring(function) or "")]
    for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
        where, made = path, ast.unparse(call.func)
        if made.startswith("radial."):
            where, made = "newt_bench/envs/dmcontrol_ext/radial.py", made.removeprefix("radial.")
        text, there = _module(where)
        built = there.get(made)
        if isinstance(built, ast.ClassDef):
            reward = _method(where, text, built, there, "get_reward")
            found += [Passage(where, ast.get_docstring(built) or ""), *reward]
    return found


def _method(path: str, text: str, built: ast.stmt | None, named: dict[str, ast.stmt], name: str) -> list[Passage]:
    """The code of a class's method, its own or that of a base in the same module; empty if it is elsewhere."""
    if not isinstance(built, ast.ClassDef):
        return []
    for item in built.body:
        if isinstance(item, ast.FunctionDef) and item.name == name:
            code = " " * item.col_offset + (ast.get_source_segment(text, item) or "")
            return [Passage(path, textwrap.dedent(code), is_code=True)]
    return [p for base in built.bases for p in _method(path, text, named.get(ast.unparse(base)), named, name)]


def _without_sections(text: str) -> str:
    if re.match(r"(Plays|Physics of) ", text):  # what the class does with the task, and not what the task is
        text = text.partition("\n\n")[2]
    lines: list[str] = []
    for line in text.splitlines():
        if line in ("Args:", "Attributes:", "Raises:", "Returns:"):
            break
        lines.append(line)
    return "\n".join(lines).strip()
