"""Writes `docs/data/spaces.json`: what the entries of each task's observations and actions are.

    python scripts/describe_spaces.py [TASK ...]

Entries are named by the simulators themselves where these name them, and else by this file, which then compares its
names with real observations, value by value, where it can. The documentation shows the tables; a test asks the
simulators again. Without arguments all tasks are described; with them, those tasks are described anew.

MiniArcade's tables are not here: its games document their observations in their own code.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import newt_bench
from newt_bench.atomic import write_text

__all__ = ["FILE", "describe"]

FILE = Path(__file__).parent.parent / "docs" / "data" / "spaces.json"

#: A table of an observation: name and number of entries, row by row; and the name of each action.
Rows = list[tuple[str, int]]


def describe(name: str) -> dict[str, Any]:
    """Describes one task.

    Args:
        name: Name of a task of any domain but MiniArcade. Its simulator must be installed.

    Returns:
        `observation`: pairs of a name and a number of entries, in order; `action`: a name for each entry.
    """
    task = newt_bench.get_task(name)
    env = gymnasium.make(task.id)
    obs, _ = env.reset(seed=0)
    rows, actions = _DOMAINS[task.domain](task, env.unwrapped._simulation, np.asarray(obs, np.float64))  # type: ignore[attr-defined]
    env.close()
    assert sum(size for _, size in rows) == task.obs_dim, (name, rows)
    assert len(actions) == task.action_dim, (name, actions)
    return {"observation": [list(row) for row in rows], "action": actions}


def _sizes(entries: Mapping[str, Any]) -> Rows:
    return [(key, int(np.size(value))) for key, value in entries.items()]


def _matched(pieces: Iterable[tuple[str, Any]], obs: np.ndarray) -> Rows:
    """Rows of named values that must make up the observation."""
    pieces = list(pieces)
    together = np.concatenate([np.ravel(value) for _, value in pieces])
    np.testing.assert_allclose(together, obs, rtol=1e-5, atol=1e-5)
    return [(name, int(np.size(value))) for name, value in pieces]


def _actuators(model: Any) -> list[str]:
    """Names of the actuators, or of the joints that they drive."""
    return [model.actuator(index).name or model.joint(model.actuator(index).trnid[0]).name for index in range(model.nu)]


def _suite(task: Any, simulation: Any, obs: np.ndarray) -> tuple[Rows, list[str]]:
    environment = simulation._environment
    rows = _matched(environment.task.get_observation(environment.physics).items(), obs)
    model = environment.physics.model
    return rows, [model.id2name(index, "actuator") for index in range(model.nu)]


def _metaworld(task: Any, simulation: Any, obs: np.ndarray) -> tuple[Rows, list[str]]:
    rows = [
        ("position of the hand", 3),
        ("opening of the gripper", 1),
        ("position of the first object", 3),
        ("quaternion of the first object", 4),
        ("position of the second object (zeros where there is none)", 3),
        ("quaternion of the second object (zeros where there is none)", 4),
        ("the same 18 entries one simulator step earlier", 18),
        ("position of the goal", 3),
    ]
    environment = simulation._environment
    np.testing.assert_allclose(obs[:3], environment.get_endeff_pos(), atol=1e-4)
    np.testing.assert_allclose(obs[36:], environment._target_pos, atol=1e-4)
    return rows, ["hand along x", "hand along y", "hand along z", "fingers"]


def _maniskill(task: Any, simulation: Any, obs: np.ndarray) -> tuple[Rows, list[str]]:
    environment = simulation._environment
    state = environment._get_obs_state_dict(environment.get_info())
    rows = _matched(((key, value.numpy()) for key, value in _leaves(state)), obs)
    return rows, list(_controlled(environment.agent.controller))


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        elif value.numel():
            yield above + key, value


def _controlled(controller: Any, above: str = "") -> Iterable[str]:
    """Names of what each action entry drives: joints, or directions of the hand."""
    parts = getattr(controller, "controllers", None)
    if parts is not None:
        for name, part in parts.items():
            yield from _controlled(part, f"{name}: ")
        return
    kind = type(controller).__name__
    if kind == "PassiveController":
        return
    size = controller.single_action_space.shape[0]
    if "EE" in kind:
        yield from (above + name for name in ("x", "y", "z", "rotation x", "rotation y", "rotation z")[:size])
    elif size == 1 and len(controller.joints) > 1:
        yield f"{above}{' and '.join(joint.name for joint in controller.joints)} together"
    else:
        yield from (above + joint.name for joint in controller.joints)


def _mujoco(task: Any, simulation: Any, obs: np.ndarray) -> tuple[Rows, list[str]]:
    environment = simulation._environment
    qpos, qvel = environment.data.qpos, environment.data.qvel
    name = task.simulator_id.removesuffix("-v4")
    if name == "Reacher":
        tip = environment.get_body_com("fingertip") - environment.get_body_com("target")
        pieces = [
            ("cosines of the two angles", np.cos(qpos[:2])),
            ("sines of the two angles", np.sin(qpos[:2])),
            ("position of the target (x, y)", qpos[2:]),
            ("angular velocities", qvel[:2]),
            ("fingertip minus target (x, y, z)", tip),
        ]
    else:
        hidden = {"Ant": 2, "InvertedPendulum": 0}.get(name, 1)
        what = "x and y" if hidden == 2 else "x"
        clipped = name in ("Hopper", "Walker2d")
        pieces = [
            (f"positions (qpos){f' without {what}' if hidden else ''}", qpos[hidden:]),
            (f"velocities (qvel){', clipped to [-10, 10]' if clipped else ''}", qvel),
        ]
    return _matched(pieces, obs), _actuators(environment.model)


def _box2d(task: Any, simulation: Any, obs: np.ndarray) -> tuple[Rows, list[str]]:
    if task.simulator_id.startswith("BipedalWalker/"):
        legs = [
            row
            for leg in ("first", "second")
            for row in (
                (f"{leg} leg: angle and speed of the hip, then of the knee", 4),
                (f"{leg} leg: 1 in contact with the ground, else 0", 1),
            )
        ]
        rows = [
            ("angle of the hull", 1),
            ("angular velocity of the hull", 1),
            ("velocity of the hull (horizontal, vertical), times 0.0896", 2),
            *legs,
            ("lidar ranges, as fractions of 5.33 units", 10),
        ]
        return rows, [f"{leg} leg: {joint}" for leg in ("first", "second") for joint in ("hip", "knee")]
    rows = [
        ("position relative to the middle of the pad (x, y)", 2),
        ("velocity (x, y)", 2),
        ("angle", 1),
        ("angular velocity", 1),
        ("contact of the left and the right leg, 0 or 1", 2),
    ]
    if task.obs_dim == 10:
        rows.append(("goal relative to the lander, in half widths of the window", 2))
    return rows, ["main engine (off up to 0, then half to full power)", "side engines (off between -0.5 and 0.5)"]


def _robodesk(task: Any, simulation: Any, obs: np.ndarray) -> tuple[Rows, list[str]]:
    names = {
        "end_effector": "position of the end effector",
        "qpos_objects": "velocities of the objects (`qpos_objects`)",
        "qpos_robot": "joint positions of the robot",
        "qvel_objects": "velocities of the objects (`qvel_objects`)",
        "qvel_robot": "joint velocities of the robot",
    }
    entries = simulation._environment._get_obs()
    rows = _matched(((text, entries[key]) for key, text in names.items()), obs)
    return rows, ["hand along x", "hand along y", "hand along z", "wrist", "opening of the fingers"]


def _ogbench(task: Any, simulation: Any, obs: np.ndarray) -> tuple[Rows, list[str]]:
    rules = simulation._rules
    qpos, qvel = rules._qpos, rules._qvel
    if task.simulator_id == "online-ant-v0":
        pieces = [
            ("positions (qpos) without x and y", qpos[2:]),
            ("velocities (qvel)", qvel),
            ("direction to run in (x, y)", rules._direction),
        ]
    elif task.simulator_id == "online-antball-v0":
        pieces = [
            ("positions (qpos) of the ant without x and y", qpos[2:15]),
            ("height and quaternion of the ball", qpos[17:]),
            ("velocities (qvel) of ant and ball", qvel),
            ("ball minus ant (x, y)", qpos[15:17] - qpos[:2]),
            ("goal minus ball (x, y)", rules._goal - qpos[15:17]),
        ]
    else:
        way = qpos[:2] - rules._goal
        own = (
            [("position of the point (x, y)", qpos), ("its displacement in the last simulator step", np.zeros(2))]
            if task.simulator_id.startswith("point")
            else [("positions (qpos)", qpos), ("velocities (qvel)", qvel), ("position of the ant (x, y)", qpos[:2])]
        )
        pieces = [
            *own,
            ("position of the goal (x, y)", rules._goal),
            ("robot minus goal (x, y)", way),
            ("distance to the goal", np.linalg.norm(way)),
        ]
        pieces = [(f"{name}, over 20", value / 20) for name, value in pieces]
    rows = _matched(pieces, obs)
    point = task.simulator_id.startswith("point")
    return rows, ["along x", "along y"] if point else _actuators(simulation._robot.model)


def _atari(task: Any, simulation: Any, obs: np.ndarray) -> tuple[Rows, list[str]]:
    rows = [("bytes of the console's memory, over 255", 128)]
    return rows, ["push of the stick (-1 none, 1 full)", "direction of the stick, in half turns", "fire (above 0)"]


_DOMAINS: dict[str, Callable[[Any, Any, np.ndarray], tuple[Rows, list[str]]]] = {
    "dmcontrol": _suite,
    "dmcontrol-ext": _suite,
    "metaworld": _metaworld,
    "maniskill": _maniskill,
    "mujoco": _mujoco,
    "box2d": _box2d,
    "robodesk": _robodesk,
    "ogbench": _ogbench,
    "atari": _atari,
}


def main(names: list[str]) -> None:
    """Describes tasks and writes the file."""
    known = json.loads(FILE.read_text(encoding="utf-8")) if names else {}
    every = [task.name for task in newt_bench.tasks() if task.domain in _DOMAINS]
    for name in names or every:
        known[name] = describe(name)
        print(name, file=sys.stderr)
    lines = [f" {json.dumps(name)}: {json.dumps(known[name])}" for name in every if name in known]
    write_text(FILE, "{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
