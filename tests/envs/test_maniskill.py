"""The maniskill domain against bare ManiSkill, and the environments that are our own."""

from __future__ import annotations

import json
import sys

import gymnasium
import numpy as np
import pytest

import newt_bench
from newt_bench.errors import InputError, MissingAssetsError
from tests import standins

# What bare ManiSkill says of its own scenes while it builds and steps them; newt-bench's is silent, see below.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*precision lowered by casting:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning"),
]
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, a Linux file system")

TASKS = newt_bench.tasks(domain="maniskill")
OURS = {
    *("Reach-v1", "ReachxArm6-v1", "PickCubexArm6-v1", "PushYCB-v1", "PickSingleYCB-v1"),
    *("MS-CartpoleBalanceSparse-v1", "MS-CartpoleSwingUpSparse-v1"),
}
STOCK = [task for task in TASKS if task.simulator_id not in OURS and not task.assets]


def bare(task, **options):
    """ManiSkill's environment as its users make it, in its own wrapper for NumPy."""
    gymnasium.make(task.id).close()  # imports ManiSkill where the stand-ins are
    from mani_skill.utils.wrappers.gymnasium import CPUGymWrapper

    env = gymnasium.make(
        *(task.simulator_id,),
        obs_mode="state",
        control_mode=task.settings["control_mode"],
        sim_backend="physx_cpu",
        render_backend="cpu",
        **options,
    )
    return CPUGymWrapper(env, ignore_terminations=True)


def make(name: str, **options):
    return gymnasium.make(f"newt/{name}-v0", **options)


def inner(env):
    """The ManiSkill environment inside of ours."""
    return env.unwrapped._simulation._environment


def play(env, seed: int | None, steps: int = 12) -> list[np.ndarray]:
    obs, _ = env.reset(seed=seed)
    rows = [obs]
    rng = np.random.default_rng(5)
    for _ in range(steps):
        obs, reward, *_ = env.step(rng.uniform(-1, 1, env.action_space.shape))
        rows += [obs, np.array([reward])]
    return rows


def assert_same(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("task", STOCK, ids=lambda task: task.name)
def test_equals_bare_maniskill(task):
    ours, theirs = gymnasium.make(task.id), bare(task)
    obs, _ = ours.reset(seed=3)
    expected, _ = theirs.reset(seed=3, options={"reconfigure": True})
    rng = np.random.default_rng(0)
    for _ in range(task.max_episode_steps if task.max_episode_steps <= 25 else 40):
        np.testing.assert_array_equal(obs, expected)
        action = rng.uniform(-1, 1, task.action_dim).astype(np.float32)
        obs, reward, _, _, info = ours.step(action)
        total = 0.0
        for _ in range(task.action_repeat):
            expected, step_reward, _, _, their_info = theirs.step(action)
            total += step_reward
        assert reward == pytest.approx(total, abs=1e-6)
        if task.has_success:
            assert info["success"] == float(their_info["success"])
        else:
            assert "success" not in their_info
    ours.close()
    theirs.close()


@pytest.mark.parametrize("name", ["ms-pick-cube", "ms-hopper-hop"])  # a fixed camera with a marker, a moving camera
def test_frames_are_the_human_render_cameras(name):
    task = newt_bench.get_task(name)
    ours = make(name, render_mode="rgb_array")
    theirs = bare(task, render_mode="rgb_array", human_render_camera_configs={"width": 224, "height": 224})
    ours.reset(seed=3)
    theirs.reset(seed=3, options={"reconfigure": True})
    for _ in range(4):
        np.testing.assert_array_equal(ours.render(), theirs.render())
        ours.step(np.ones(task.action_dim))
        for _ in range(task.action_repeat):
            theirs.step(np.ones(task.action_dim, np.float32))
    assert ours.unwrapped.renderer.startswith("vulkan: ")
    ours.close()
    theirs.close()


def test_frames_of_every_size_before_and_after_rebuilding():
    sizes = {size: make("ms-push-cube", obs_type="rgb", render_size=size) for size in (64, 224, 300)}
    for seed in (1, None, 2):
        frames = {}
        for size, env in sizes.items():
            frames[size], _ = env.reset(seed=seed)
            assert frames[size].shape == (size, size, 3)
        shrunk = frames[224][::7, ::7].astype(int), frames[64][::2, ::2].astype(int)
        assert np.abs(shrunk[0] - shrunk[1]).mean() < 25  # the same picture
    for env in sizes.values():
        env.close()


def test_drawing_does_not_change_the_trajectory():
    plain, drawn = make("ms-pick-cube"), make("ms-pick-cube", obs_type="state_rgb", render_size=48)
    obs, expected = drawn.reset(seed=4)[0], plain.reset(seed=4)[0]
    for k in range(10):
        np.testing.assert_array_equal(obs["state"], expected)
        action = np.sin(k + np.arange(4))
        obs, expected = drawn.step(action)[0], plain.step(action)[0]
    plain.close()
    drawn.close()


def test_seeds_of_the_caller_rebuild_the_scene_and_derived_ones_keep_it():
    env = make("ms-push-cube")
    env.reset(seed=0)
    scene = inner(env).scene
    env.reset()
    assert inner(env).scene is scene
    env.reset(seed=0)
    assert inner(env).scene is not scene
    env.close()


@pytest.mark.parametrize("name", ["ms-hopper-hop", "ms-pick-cube", "ms-ant-run"])
def test_a_run_that_seeds_once_is_exactly_repeatable(name):
    def run():
        env = make(name)
        rows = [row for seed in (6, None, None, None) for row in play(env, seed)]
        env.close()
        return rows

    assert_same(run(), run())


def test_a_seeded_episode_does_not_depend_on_the_episodes_before():
    """Without rebuilding, forces on the fallen hopper's foot show in the next first observation."""
    env = make("ms-hopper-stand")
    expected = [play(env, seed) for seed in range(4)]
    for seed in range(4):
        play(env, 100 + seed, steps=20)
        assert_same(play(env, seed), expected[seed])
    env.close()


def test_the_programs_own_settings_of_torch_stay_and_do_not_matter():
    import torch

    env = make("ms-poke-cube")
    expected = play(env, 1)
    before = torch.get_rng_state(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode():
            env.close()
            env = make("ms-poke-cube")
            first = play(env, 1)
        again = play(env, 1)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same(first, expected)
    assert_same(again, expected)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]
    env.close()


@pytest.mark.parametrize(("name", "joints"), [("ms-reach", 9), ("ms-reach-eepose", 9), ("ms-reach-xarm6", 12)])
def test_reach(name, joints):
    """Observation, reward and success fit together, and going straight for the goal succeeds."""
    env = make(name)
    goals = []
    for seed in range(4):
        obs, _ = env.reset(seed=seed)
        successes = []
        for _ in range(25):
            position, goal, to_goal = obs[2 * joints :][:3], obs[2 * joints + 7 :][:3], obs[2 * joints + 10 :]
            np.testing.assert_allclose(goal - position, to_goal, atol=1e-6)
            action = np.zeros(env.action_space.shape)
            action[:3] = to_goal / 0.1
            obs, reward, _, _, info = env.step(action)
            distance = np.linalg.norm(obs[2 * joints + 10 :])
            assert info["success"] == (distance <= 0.025)
            successes.append(info["success"])
        # At rest both control steps of the agent step reward alike.
        assert reward == pytest.approx(2 * (1 + info["success"] - np.tanh(5 * distance)), abs=0.01)
        goals.append((*goal, successes[-1]))
    env.close()
    goals = np.array(goals)
    assert (np.abs(goals[:, :2]) <= 0.1).all()
    assert ((goals[:, 2] >= 0) & (goals[:, 2] <= 0.3)).all()
    assert goals[:, 3].mean() >= (0.75 if joints == 9 else 0.25)  # the xArm of the stand-ins is not the real one


@pytest.mark.parametrize("name", ["ms-cartpole-balance", "ms-cartpole-swingup"])
def test_sparse_cartpole(name):
    """The stock trajectory; 1 per control step while the pole is near upright."""
    task = newt_bench.get_task(name)
    sparse, stock = make(f"{name}-sparse"), bare(task)
    obs, _ = sparse.reset(seed=8)
    expected, _ = stock.reset(seed=8, options={"reconfigure": True})
    rewards = []
    for k in range(60):
        np.testing.assert_array_equal(obs, expected)
        action = np.array([np.sin(0.4 * k)], np.float32)
        obs, reward, *_ = sparse.step(action)
        total = 0
        for _ in range(2):
            expected, *_ = stock.step(action)
            total += np.cos(expected[1]) > 0.7
        assert reward == total
        rewards.append(reward)
    assert set(rewards) >= ({0, 2} if name == "ms-cartpole-balance" else {0})
    sparse.close()
    stock.close()


def test_picking_reads_only_the_files_of_its_object(run_python, tmp_path):
    model = "077_rubiks_cube"
    standins.write_all(tmp_path / "data")
    models = tmp_path / "data" / "assets" / "mani_skill2_ycb" / "models"
    for folder in models.iterdir():
        if folder.name != model:
            folder.rename(tmp_path / folder.name)
    code = """
import gymnasium, newt_bench
env = gymnasium.make("newt/ms-pick-rubiks-cube-v0")
for seed in (0, 1, None):
    env.reset(seed=seed)
    print([actor.name for actor in env.unwrapped._simulation._environment._objs])
"""
    output = run_python(code, NEWT_BENCH_ASSETS=str(tmp_path)).stdout.splitlines()
    assert output == [f"['{model}-0']"] * 3


PUSH = {
    "ms-push-apple": 0.036,
    "ms-push-can": 0.051,
    "ms-push-sponge": 0.010,
    "ms-push-screwdriver": 0.018,
}


@pytest.mark.parametrize(("name", "height"), PUSH.items(), ids=PUSH)
def test_pushing_starts_and_settles(name, height):
    env = make(name)
    obs, _ = env.reset(seed=5)
    goal, position = obs[25:28], obs[28:31]
    assert np.abs(position[:2]).max() <= 0.1
    assert position[2] == pytest.approx(0.04)
    np.testing.assert_allclose(obs[31:], [1, 0, 0, 0])
    np.testing.assert_allclose(goal[:2] - position[:2], [0.2, 0], atol=1e-6)
    for _ in range(10):
        obs, *_ = env.step(np.array([0, 0, 1, 0, 0, 0, 0]))
    assert obs[30] == pytest.approx(height, abs=2e-3)
    env.close()


def test_pushing_reward():
    """The stock formulas with 0.04 m for the half size, at two places of hand and object."""
    env = make("ms-push-pear")
    env.reset(seed=0)
    simulator = inner(env)
    rewards = []
    for place in ("far", "behind", "goal"):
        if place != "far":
            position = simulator.agent.tcp.pose.p[0].numpy() + np.array([0.045, 0, 0])
            if place == "goal":
                position = simulator.goal_region.pose.p[0].numpy() + np.array([0.03, 0, 0.03])
            set_position(simulator.obj, position)
        info = simulator.evaluate()
        p, g = simulator.obj.pose.p[0].numpy(), simulator.goal_region.pose.p[0].numpy()
        q = np.linalg.norm(p - np.array([0.045, 0, 0]) - simulator.agent.tcp.pose.p[0].numpy())
        offset = np.linalg.norm(p[:2] - g[:2])
        expected = 1 - np.tanh(5 * q)
        if q < 0.01:
            expected += (1 - np.tanh(5 * offset)) * (2 - np.tanh(5 * abs(p[2] - 0.04)))
        if offset < 0.1 and p[2] < 0.045:
            expected = 4.0
        reward = simulator.compute_normalized_dense_reward(None, None, info).item()
        assert reward == pytest.approx(expected / 4, abs=1e-5)
        rewards.append(reward)
    assert rewards[0] < rewards[1] < rewards[2] == 1
    env.close()


def set_position(actor, position, quaternion=(1, 0, 0, 0)) -> None:
    import sapien

    actor.set_pose(sapien.Pose(p=position, q=quaternion))


def test_an_upright_can_succeeds_only_where_asked():
    half = np.sqrt(0.5)
    for options, upright in (({}, 0.0), ({"settled_height": True}, 1.0)):
        env = make("ms-push-can", **options)
        env.reset(seed=0)
        simulator = inner(env)
        goal = simulator.goal_region.pose.p[0].numpy()
        set_position(simulator.obj, [goal[0], goal[1], 0.0513])
        assert env.step(np.zeros(7))[4]["success"] == upright
        set_position(simulator.obj, [goal[0], goal[1], 0.0346], (half, half, 0, 0))
        assert env.step(np.zeros(7))[4]["success"] == 1.0
        set_position(simulator.obj, [goal[0] + 0.11, goal[1], 0.0346], (half, half, 0, 0))
        assert env.step(np.zeros(7))[4]["success"] == 0.0
        env.close()


def test_options_are_refused_where_they_mean_nothing():
    with pytest.raises(InputError, match="ms-push-cube-v0 has no option 'settled_height'"):
        make("ms-push-cube", settled_height=True)
    with pytest.raises(InputError, match="has no option 'shader'"):
        make("ms-push-can", shader="rt")


def test_our_environments_are_in_nobodys_registry():
    make("ms-reach").close()
    from mani_skill.utils.registration import REGISTERED_ENVS

    for name in OURS - {"PickSingleYCB-v1"}:
        assert name not in REGISTERED_ENVS
        assert name not in gymnasium.registry
    assert REGISTERED_ENVS["PickSingleYCB-v1"].cls.__module__.startswith("mani_skill.")


SILENT = """
import gymnasium, newt_bench
for name in ("ms-ant-run", "ms-cartpole-swingup-sparse", "ms-place-sphere", "ms-pick-mug", "ms-pick-cube-xarm6",
             "ms-anymal-reach", "ms-push-can", "ms-pull-cube-tool"):
    env = gymnasium.make(f"newt/{name}-v0", render_mode="rgb_array", render_size=64)
    env.reset(seed=0)
    env.reset()
    env.step(env.action_space.sample())
    env.render()
    env.close()
"""


def test_silence(run_python):
    child = run_python(SILENT, PYTHONWARNINGS="default")
    assert (child.stdout, child.stderr) == ("", "")


MISSING = """
import gymnasium, newt_bench
from newt_bench.errors import MissingAssetsError
for name in ("ms-pick-mug", "ms-reach-xarm6"):
    try:
        gymnasium.make(f"newt/{name}-v0")
    except MissingAssetsError as error:
        print(error)
"""


@pytest.mark.parametrize("variable", ["NEWT_BENCH_ASSETS", "MS_ASSET_DIR"])
def test_missing_files_are_an_error_at_once_and_nothing_else(run_python, tmp_path, variable):
    """Bare ManiSkill would ask here, or with the last variable download without asking."""
    variables = {"NEWT_BENCH_ASSETS": None, variable: str(tmp_path / "cache"), "MS_SKIP_ASSET_DOWNLOAD_PROMPT": "1"}
    child = run_python(MISSING, **variables)
    assert child.stderr == ""
    assert child.stdout.splitlines() == [
        f"{name} needs files that are not on this machine ({asset}, looked for below {tmp_path}/cache/data). "
        f"Download them with: newt-bench assets download --tasks {name}"
        for name, asset in (("ms-pick-mug", "ycb:025_mug"), ("ms-reach-xarm6", "robot:xarm6"))
    ]
    assert not (tmp_path / "cache").exists()


def test_maniskill_imported_before_with_another_folder(run_python, tmp_path):
    code = "import mani_skill.envs, gymnasium, newt_bench; gymnasium.make('newt/ms-pick-mug-v0')"
    child = run_python(code, check=False, MS_ASSET_DIR=str(tmp_path / "other"))
    assert "MissingAssetsError" in child.stderr
    assert f"NEWT_BENCH_ASSETS={tmp_path}/other newt-bench assets download --tasks ms-pick-mug" in child.stderr


def test_missing_files_are_looked_for_every_time(standin_assets):
    mug = standin_assets / "data" / "assets" / "mani_skill2_ycb" / "models" / "025_mug"
    mug.rename(mug.with_name("elsewhere"))
    try:
        with pytest.raises(MissingAssetsError, match=r"--tasks ms-pick-mug$"):
            make("ms-pick-mug")
    finally:
        mug.with_name("elsewhere").rename(mug)
    make("ms-pick-mug").close()


NO_VULKAN = {"VK_DRIVER_FILES": "/nonexistent", "VK_ICD_FILENAMES": "/nonexistent"}


def test_without_vulkan_there_is_one_clear_error(run_python):
    child = run_python("import gymnasium, newt_bench; gymnasium.make('newt/ms-reach-v0')", check=False, **NO_VULKAN)
    assert child.stdout == ""
    assert child.stderr.startswith("Traceback")
    last = child.stderr.splitlines()[-1]
    assert last.startswith("newt_bench.errors.RenderingError: There is no Vulkan device (")
    assert "mesa-vulkan-drivers" in last


def test_doctor_without_vulkan_and_without_files(run_cli, tmp_path):
    child = run_cli("doctor", "maniskill", "--json", NEWT_BENCH_ASSETS=str(tmp_path), **NO_VULKAN)
    (domain,) = json.loads(child.stdout)["domains"]
    assert (domain["status"], domain["state"], domain["render"]) == ("broken", False, False)
    assert domain["problem"].startswith("There is no Vulkan device")
    assert "mesa-vulkan-drivers" in domain["remedy"]
    assert domain["assets"] == "missing"


def test_doctor_with_files(run_cli, tmp_path):
    (domain,) = json.loads(run_cli("doctor", "maniskill", "--json", "--no-render").stdout)["domains"]
    assert (domain["status"], domain["assets"]) == ("ok", "there")
    child = run_cli("doctor", "maniskill", "--no-render", NEWT_BENCH_ASSETS=str(tmp_path))
    assert child.returncode == 0
    assert "maniskill: some tasks need downloads: newt-bench assets download" in child.stdout


FORKED = """
import os, gymnasium, newt_bench
env = gymnasium.make("newt/ms-cartpole-balance-v0", render_mode="rgb_array")
env.reset(seed=0)
child = os.fork()
if child == 0:
    status = 1
    try:
        env.reset(seed=1)
        env.step([0.0])
        env.render()
    except newt_bench.errors.RenderingError as error:
        status = 7 if "context='spawn'" in str(error) else 2
    finally:
        os._exit(status)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@linux_only
def test_forked_processes_play_and_refuse_to_draw(run_python):
    """Drawing would wait forever for threads of the driver, which a fork leaves behind."""
    assert run_python(FORKED).stdout.strip() == "7"


def test_closing_without_a_reset():
    env = make("ms-reach")
    env.close()
    env.close()
