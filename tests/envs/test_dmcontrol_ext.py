"""The dmcontrol-ext domain: models, starts, trajectories, rewards and returns of the published benchmark.

`tests/data/dmcontrol_ext.json` holds figures of the published release: its compiled models (SI units, radians); the
first observation of seed 0; rollouts from a given state under actions sin(0.25 t + 0.7 i), with the error to allow
where contacts magnify the rounding of the state; returns of the random and the zero policy.
"""

from __future__ import annotations

import math

import gymnasium
import numpy as np
import pytest
from scipy import stats

import newt_bench
from tests.conftest import load_data

TASKS = newt_bench.tasks(domain="dmcontrol-ext")
every_task = pytest.mark.parametrize("task", TASKS, ids=TASKS.names)
DATA = load_data("dmcontrol_ext.json")
MODELS, FIGURES = DATA["models"], DATA["tasks"]

#: A task on each model that a task has.
ON_MODEL = {FIGURES[task.name]["model"]: task for task in TASKS}
one_task_per_model = pytest.mark.parametrize("task", ON_MODEL.values(), ids=ON_MODEL)


def bare(task, seed: int = 0):
    """The task as an environment of dm_control."""
    from newt_bench.envs import dmcontrol_ext

    return dmcontrol_ext.load(*task.simulator_id.split("/"), random=seed)


def observe(environment) -> np.ndarray:
    entries = environment.task.get_observation(environment.physics)
    return np.concatenate([np.ravel(entry) for entry in entries.values()])


def test_every_task_has_its_figures():
    assert set(FIGURES) == set(TASKS.names)


# ------------------------------------------------------------------------------------------------ models


def describe(physics) -> dict:
    """What the data file says of a compiled model."""
    import mujoco

    model, data = physics.model, physics.data
    with physics.reset_context():
        pass
    mass_matrix = np.zeros((model.nv, model.nv))
    mujoco.mj_fullM(model.ptr, mass_matrix, data.qM)

    def name(index: int, kind: str):
        return model.id2name(int(index), kind) or None

    def rows(count: int, columns: dict) -> list[dict]:
        return [{key: column(i) for key, column in columns.items()} for i in range(count)]

    joint_types = {mujoco.mjtJoint.mjJNT_SLIDE: "slide", mujoco.mjtJoint.mjJNT_HINGE: "hinge"}
    integrators = {mujoco.mjtIntegrator.mjINT_EULER: "Euler", mujoco.mjtIntegrator.mjINT_RK4: "RK4"}
    joints = {
        "name": lambda i: name(i, "joint"),
        "type": lambda i: joint_types[mujoco.mjtJoint(model.jnt_type[i])],
        "axis": lambda i: model.jnt_axis[i],
        "limited": lambda i: bool(model.jnt_limited[i]),
        "range_rad": lambda i: model.jnt_range[i],
        "stiffness": lambda i: model.jnt_stiffness[i],
        "damping": lambda i: model.dof_damping[i],
        "armature": lambda i: model.dof_armature[i],
    }
    bodies = {
        "name": lambda i: name(i + 1, "body"),
        "parent": lambda i: name(model.body_parentid[i + 1], "body"),
        "pos": lambda i: model.body_pos[i + 1],
        "quat": lambda i: model.body_quat[i + 1],
        "mass": lambda i: model.body_mass[i + 1],
        "inertia_diag": lambda i: model.body_inertia[i + 1],
        "com_offset": lambda i: model.body_ipos[i + 1],
    }
    geoms = {
        "name": lambda i: name(i, "geom"),
        "body": lambda i: name(model.geom_bodyid[i], "body"),
        "type": lambda i: mujoco.mjtGeom(model.geom_type[i]).name.removeprefix("mjGEOM_").lower(),
        "size": lambda i: model.geom_size[i],
        "pos": lambda i: model.geom_pos[i],
        "quat": lambda i: model.geom_quat[i],
        "friction": lambda i: model.geom_friction[i],
        "contype": lambda i: model.geom_contype[i],
        "conaffinity": lambda i: model.geom_conaffinity[i],
        "condim": lambda i: model.geom_condim[i],
        "material": lambda i: name(model.geom_matid[i], "material"),
    }
    sizes = ("nq", "nv", "nu", "nbody", "njnt", "ngeom", "nsite", "ncam", "nlight", "nsensor", "nsensordata", "ntendon")
    return {size: getattr(model, size) for size in sizes} | {
        "total_mass": model.body_mass.sum(),
        "sum_inertia_diag": model.body_inertia.sum(),
        "timestep": model.opt.timestep,
        "integrator": integrators[mujoco.mjtIntegrator(model.opt.integrator)],
        "contact_disabled": bool(model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_CONTACT),
        "mean_inertia_stat": model.stat.meaninertia,
        "stat_extent": model.stat.extent,
        "stat_center": model.stat.center,
        "gear": model.actuator_gear[:, 0],
        "ctrlrange": model.actuator_ctrlrange,
        "actuator_joints": [name(joint, "joint") for joint, _ in model.actuator_trnid],
        "joints": rows(model.njnt, joints),
        "bodies": rows(model.nbody - 1, bodies),
        "geoms": rows(model.ngeom, geoms),
        "cameras": [name(i, "camera") for i in range(model.ncam)],
        "at_qpos0": {
            "qpos0": model.qpos0,
            "first_body_height": data.xpos[1, 2],
            "system_com": data.subtree_com[0],
            "num_contacts": data.ncon,
            "mass_matrix_diag": np.diag(mass_matrix),
        },
    }


def assert_equal(actual, expected, path: str) -> None:
    """Equality of nested data; of numbers to the nine digits that the data file has for certain."""
    if isinstance(expected, dict):
        assert set(actual) == set(expected), path
        for key, value in expected.items():
            assert_equal(actual[key], value, f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(actual) == len(expected), path
        for i, value in enumerate(expected):
            assert_equal(actual[i], value, f"{path}[{i}]")
    elif isinstance(expected, float):
        assert actual == pytest.approx(expected, rel=1e-9, abs=1e-10), path
    else:
        assert actual == expected, path


@one_task_per_model
def test_compiled_model(task):
    model = FIGURES[task.name]["model"]
    assert_equal(describe(bare(task).physics), MODELS[model]["compiled"], model)


def test_reacher_with_another_number_of_links():
    from dm_control.suite import common, reacher
    from lxml import etree

    from newt_bench.envs.dmcontrol_ext.reacher import make_model

    model = etree.tostring(make_model(4, 0.06))
    physics = reacher.Physics.from_xml_string(model, common.ASSETS)
    assert_equal(describe(physics), MODELS["reacher_four"]["compiled"], "reacher_four")


def test_floor_of_the_incline_rises_by_eight_degrees():
    import mujoco

    physics = bare(newt_bench.get_task("walker-walk-incline")).physics
    with physics.reset_context():
        physics.data.qpos[:2] = 50  # out of the way
    geom = np.zeros(1, np.int32)
    height = {}
    for x in (-5.0, 0.0, 20.0):
        origin = np.array([x, 0.0, 10.0])
        depth = mujoco.mj_ray(physics.model.ptr, physics.data.ptr, origin, np.array([0, 0, -1.0]), None, 1, -1, geom)
        height[x] = 10 - depth
    assert height[0.0] == pytest.approx(0, abs=1e-9)
    assert height[20.0] == pytest.approx(20 * 0.139705, abs=1e-4)
    assert height[-5.0] == pytest.approx(-5 * 0.139705, abs=1e-4)


def test_the_suite_itself_is_left_alone():
    from dm_control import suite

    for task in TASKS:
        domain, name = task.simulator_id.split("/")
        bare(task)
        assert (domain, name) not in [(d, t) for d, module in suite._DOMAINS.items() for t in module.SUITE]
    floor = suite.load("walker", "walk").physics.named.model.geom_size["floor"]
    np.testing.assert_array_equal(floor, [250, 0.8, 0.2])


# ------------------------------------------------------------------------------------------- trajectories


@every_task
def test_first_reset_of_seed_zero(task):
    expected = MODELS[FIGURES[task.name]["model"]]
    env = gymnasium.make(task.id)
    obs, _ = env.reset(seed=0)
    np.testing.assert_allclose(obs, expected["reset"], rtol=1e-6, atol=1e-6)
    env.close()
    entries = bare(task).reset().observation
    assert {key: np.size(entry) for key, entry in entries.items()} == expected["observation"]
    assert list(entries) == list(expected["observation"])


@every_task
def test_rollout(task):
    expected = MODELS[FIGURES[task.name]["model"]]["rollout"]
    environment = bare(task)
    environment.reset()
    physics = environment.physics
    with physics.reset_context():
        physics.data.qpos[:], physics.data.qvel[:] = expected["qpos"], expected["qvel"]
        if "target_xy" in expected:
            physics.named.model.geom_pos["target", :2] = expected["target_xy"]
    total = 0.0
    for t in range(51):
        if str(t) in expected["obs_at"]:
            tolerance = expected["tolerance"].get(str(t), 1e-6)
            np.testing.assert_allclose(observe(environment), expected["obs_at"][str(t)], rtol=1e-8, atol=tolerance)
        if str(t) in FIGURES[task.name]["return_at"]:
            assert total == pytest.approx(FIGURES[task.name]["return_at"][str(t)], abs=tolerance)
        action = np.sin(0.25 * t + 0.7 * np.arange(task.action_dim))
        total += sum(environment.step(action).reward for _ in range(task.action_repeat))


@every_task
def test_equals_the_bare_environment(task):
    ours, theirs = gymnasium.make(task.id), bare(task, seed=3)
    obs, _ = ours.reset(seed=3)
    theirs.reset()
    rng = np.random.default_rng(0)
    for _ in range(30):
        np.testing.assert_array_equal(obs, observe(theirs).astype(np.float32))
        action = rng.uniform(-1, 1, task.action_dim).astype(np.float32)
        obs, reward, _, _, info = ours.step(action)
        assert reward == sum(theirs.step(action).reward for _ in range(task.action_repeat))
        assert 0 <= reward <= 2
        assert math.isnan(info["success"])
    ours.close()


# ------------------------------------------------------------------------------------------------ rewards


def g(x: float, low: float, high: float, margin: float) -> float:
    """The suite's Gaussian tolerance: a tenth at the margin."""
    distance = max(low - x, x - high, 0) / margin
    return 10 ** -(distance**2)


def s(x: float) -> float:
    return min(1, max(0, x))


def z(physics, body: str) -> float:
    return physics.named.data.xpos[body, "z"]


def speed(physics) -> float:
    return physics.data.subtree_linvel[1, 0]


def spin(physics) -> float:
    return physics.data.subtree_angmom[1, 1]


def up(physics) -> float:
    return physics.named.data.xmat["torso", "zz"]


def hip(physics) -> float:
    return (z(physics, "left_thigh") + z(physics, "right_thigh")) / 2


def feet(physics) -> float:
    return (z(physics, "left_foot") + z(physics, "right_foot")) / 2


def stand(physics) -> float:
    return (3 * g(z(physics, "torso"), 1.2, math.inf, 0.6) + (1 + up(physics)) / 2) / 4


def floored(height: float) -> float:
    return g(height, -math.inf, 0.08, 0.04)


def one_leg(physics, lifted: str) -> float:
    pose = 3 * g(z(physics, lifted), 1.2, math.inf, 0.6) + 2 * g(z(physics, "torso"), 1.2, math.inf, 0.6)
    return pose / 5 * (5 * s(speed(physics) / 6) + 1) / 6


def leap(physics) -> float:
    drift = s(2 - 2 * abs(speed(physics)))
    heights = [(z(physics, "torso") + z(physics, foot)) / 2 for foot in ("bfoot", "ffoot")]
    return sum((5 * g(height, 1.2, math.inf, 0.6) + drift) / 6 for height in heights) / 2


def hop(physics) -> float:
    height = physics.named.data.xipos["torso", "z"] - physics.named.data.xipos["foot", "z"]
    return (0.6 <= height <= 2) * s(-speed(physics))


def reach(physics, radius: float) -> float:
    gap = physics.named.data.geom_xpos["target"] - physics.named.data.geom_xpos["finger"]
    return float(np.hypot(*gap[:2]) <= radius)


def whirl(physics) -> float:
    gap = physics.named.data.site_xpos["target"] - physics.named.data.xpos["ball"]
    ball_speed = np.hypot(*physics.data.qvel[2:])
    inside = abs(gap[0]) < 0.025 and abs(gap[2]) < 0.025
    return (1 - inside) * (s(2 * np.hypot(gap[0], gap[2])) + 2 * s(ball_speed / 6)) / 3


def jump(physics) -> float:
    return g(z(physics, "torso"), 1.5, math.inf, 0.75)


def roll(physics, direction: int) -> float:
    return (2 * s(direction * spin(physics) / 8) + 3 * s(direction * speed(physics) / 8)) / 5


def balance(physics) -> float:
    cosines = physics.data.xmat[2:, 8]
    return float(abs(physics.data.qpos[0]) <= 0.25 and (cosines >= 0.995).all())


REWARDS = {
    "walker-walk-backward": lambda p: stand(p) * (5 * s(-speed(p)) + 1) / 6,
    "walker-run-backward": lambda p: stand(p) * (5 * s(-speed(p) / 8) + 1) / 6,
    "walker-stand-incline": stand,
    "walker-walk-incline": lambda p: stand(p) * (5 * s(speed(p)) + 1) / 6,
    "walker-run-incline": lambda p: stand(p) * (5 * s(speed(p) / 8) + 1) / 6,
    "walker-arabesque": lambda p: (
        (
            3 * g(z(p, "torso"), 1, math.inf, 0.5)
            + g(z(p, "left_foot"), -math.inf, 0.08, 0.5)
            + g(z(p, "right_foot"), 1, math.inf, 0.5)
            + (1 - up(p)) / 2
        )
        / 6
    ),
    "walker-lie-down": lambda p: (3 * floored(z(p, "torso")) + floored(hip(p)) + (1 - up(p)) / 2) / 5,
    "walker-legs-up": lambda p: (
        (3 * floored(z(p, "torso")) + 2 * g(feet(p), 1.1, math.inf, 0.55) + floored(hip(p)) + (1 - up(p)) / 2) / 7
    ),
    "walker-headstand": lambda p: (3 * g(feet(p), 1.1, math.inf, 0.55) + 2 * g(hip(p), 1, math.inf, 0.5)) / 5,
    "cheetah-run-backward": lambda p: s(-speed(p) / 8),
    "cheetah-run-front": lambda p: one_leg(p, "bfoot"),
    "cheetah-run-back": lambda p: one_leg(p, "ffoot"),
    "cheetah-jump": leap,
    "hopper-hop-backward": hop,
    "reacher-three-easy": lambda p: reach(p, 0.06),
    "reacher-three-hard": lambda p: reach(p, 0.025),
    "cup-spin": whirl,
    "pendulum-spin": lambda p: s(abs(p.data.qvel[0]) / 9),
    "jumper-jump": jump,
    "spinner-jump": jump,
    "spinner-jump-four": jump,
    "spinner-spin": lambda p: roll(p, 1),
    "spinner-spin-four": lambda p: roll(p, 1),
    "spinner-spin-backward": lambda p: roll(p, -1),
    "spinner-spin-backward-four": lambda p: roll(p, -1),
    "giraffe-run": lambda p: g(z(p, "head"), 0.5, math.inf, 0.25) * (3 * s(speed(p) / 10) + 1) / 4,
    "cartpole-balance-two-poles-sparse": balance,
    "cartpole-balance-long-sparse": balance,
}


def scatter(physics, rng: np.random.Generator) -> None:
    """Puts the body anywhere, now near its default posture and slow, now far off and fast."""
    scale = 10 ** rng.uniform(-2, 0.3)
    with physics.reset_context():
        physics.data.qpos[:] += scale * rng.normal(size=physics.model.nq)
        physics.data.qvel[:] = 10 * scale * rng.normal(size=physics.model.nv)
    if "finger" in physics.named.data.geom_xpos.axes.row.names:
        finger = physics.named.data.geom_xpos["finger", :2]
        physics.named.model.geom_pos["target", :2] = finger + 0.1 * scale * rng.normal(size=2)
        physics.forward()


@every_task
def test_reward_is_the_published_formula(task):
    environment = bare(task)
    environment.reset()
    rng = np.random.default_rng(1)
    rewards = []
    for _ in range(60):
        scatter(environment.physics, rng)
        rewards.append(environment.task.get_reward(environment.physics))
        assert rewards[-1] == pytest.approx(REWARDS[task.name](environment.physics), abs=1e-12)
        assert 0 <= rewards[-1] <= 1
    assert max(rewards) > 0.3
    assert max(rewards) - min(rewards) > 0.2


# ------------------------------------------------------------------------------------- starts and returns


def test_cup_spin_mostly_starts_with_the_ball_in_the_cup():
    environment = bare(newt_bench.get_task("cup-spin"))
    inside = 0
    for _ in range(100):
        environment.reset()
        assert environment.physics.data.ncon == 0
        inside += environment.physics.in_target()
    assert 80 <= inside <= 98


@pytest.mark.parametrize("name", ["cheetah-jump", "giraffe-run", "jumper-jump", "spinner-spin", "spinner-spin-four"])
def test_bodies_start_at_rest_on_the_ground(name):
    environment = bare(newt_bench.get_task(name))
    environment.reset()
    physics = environment.physics
    assert physics.data.time == 0
    ground = physics.model.name2id("ground", "geom")
    assert ground in physics.data.contact.geom
    assert np.abs(physics.data.qvel).max() < 0.5
    assert physics.data.qpos[0] != 0  # it was dropped, and drifted


def agrees(returns: list[float], reference: dict) -> bool:
    """Whether the means lie within four standard errors, by the reference's standard deviation."""
    error = reference["std"] * (1 / len(returns) + 1 / reference["episodes"]) ** 0.5
    return bool(abs(np.mean(returns) - reference["mean"]) <= 4 * error + 1e-6)


@every_task
def test_random_returns(task):
    results = newt_bench.evaluate("random", task, episodes=4, seed=123, progress=False)
    assert agrees([record.episode_return for record in results.episodes], FIGURES[task.name]["random"])


@every_task
def test_zero_returns_of_dm_controls_own_episodes(task):
    environment = bare(task, seed=7)
    returns = []
    for _ in range(3):
        environment.reset()
        steps = [environment.step(np.zeros(task.action_dim)) for _ in range(1000)]
        assert [step.last() for step in steps] == [False] * 999 + [True]
        assert steps[-1].discount == 1
        returns.append(sum(step.reward for step in steps))
    assert agrees(returns, FIGURES[task.name]["zero"])


@every_task
def test_anchor_agrees_with_the_reference(task):
    reference, anchor = FIGURES[task.name]["random"], task.random_return
    error = np.hypot(anchor.sem, reference["std"] / reference["episodes"] ** 0.5)
    # Two-sided test of each of 28 tasks at a family-wise level of one in a thousand.
    assert abs(anchor.mean - reference["mean"]) / error < stats.norm.isf(0.001 / 28 / 2)


@one_task_per_model
def test_frames_come_from_the_published_camera(task):
    camera = MODELS[FIGURES[task.name]["model"]]["compiled"]["cameras"][0]
    env = gymnasium.make(task.id, obs_type="rgb")
    frame, _ = env.reset(seed=3)
    environment = bare(task, seed=3)
    environment.reset()
    np.testing.assert_array_equal(frame, environment.physics.render(224, 224, camera_id=camera))
    env.close()


@pytest.mark.parametrize("package", ["dm_control", "mujoco"])
def test_missing_package_names_the_extra(run_python, package):
    code = f"import sys; sys.modules['{package}'] = None\nimport gymnasium, newt_bench\n"
    child = run_python(code + "gymnasium.make('newt/giraffe-run-v0')", check=False)
    assert f"MissingExtraError: newt/giraffe-run-v0 needs the package '{package}'" in child.stderr
    assert 'pip install "newt-bench[dmcontrol]"' in child.stderr
