"""The ogbench domain against bare OGBench, and its maps, starts, rewards and success rules."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter, deque
from contextlib import contextmanager

import gymnasium
import numpy as np
import pytest
from scipy import stats

import newt_bench
from newt_bench.envs import opengl
from newt_bench.envs.global_random import seeded_global_numpy
from newt_bench.envs.ogbench import make
from newt_bench.envs.ogbench.maps import MAPS, centre

TASKS = newt_bench.tasks(domain="ogbench")
MAZES = [task for task in TASKS if "maze-" in task.simulator_id]
NEIGHBOURS = ((0, 1), (1, 0), (0, -1), (-1, 0))
every_map = pytest.mark.parametrize("name", MAPS)
every_maze = pytest.mark.parametrize("task", MAZES, ids=lambda task: task.name)


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path, monkeypatch):
    """Bare OGBench leaves a file behind for every environment."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def robot_and_map(task):
    robot, name, _ = task.simulator_id.split("-")
    return robot.removesuffix("maze"), name


def bare_maze(task):
    """OGBench's own maze environment, with another map and other episodes put into its two hooks."""
    from ogbench.locomaze.maze import make_maze_env

    robot, name = robot_and_map(task)
    maze = MAPS[name]

    class Maze(type(make_maze_env(robot, "maze", maze_type="arena"))):
        def update_tree(self, tree):
            self.maze_map = np.array([[int(mark) for mark in row] for row in maze.walls])
            super().update_tree(tree)

        def set_tasks(self):
            self.task_infos = [{"init_ij": start, "goal_ij": goal} for start, goal in maze.episodes]

    return Maze(maze_type="arena", width=224, height=224)


def bare_reset(env, seed):
    with seeded_global_numpy(seed):
        env.action_space.seed(seed)
        env.reset(seed=seed)


@contextmanager
def gymnasium_viewer(env, **view):
    """Gymnasium's own renderer of an environment's model, in a context that is gone afterwards."""
    from gymnasium.envs.mujoco.mujoco_rendering import OffScreenViewer

    with opengl.loading_backend(), opengl.foreign_contexts():
        viewer = OffScreenViewer(env.model, env.data, 224, 224)
        for name, value in view.items():
            setattr(viewer.cam, name, value)
        yield viewer
        viewer.con.free()
        viewer.free()


def free_view(camera):
    return {name: getattr(camera, name) for name in ("lookat", "distance", "azimuth", "elevation")}


def random_actions(task, steps):
    return np.random.default_rng(0).uniform(-1, 1, (steps, task.action_dim)).astype(np.float32)


@every_maze
def test_mazes_equal_bare_ogbench(task):
    """Whole episodes; observation, reward and success are worked out from the bare simulator's state."""
    ours, bare = gymnasium.make(task.id), bare_maze(task)
    is_point = task.action_dim == 2
    for seed in (3, 4):
        obs, _ = ours.reset(seed=seed)
        bare_reset(bare, seed)
        moved = np.zeros(2)
        for action in random_actions(task, task.max_episode_steps):
            qpos, qvel, goal = bare.data.qpos, bare.data.qvel, np.array(bare.cur_goal_xy)
            d = qpos[:2] - goal
            l2 = np.sqrt(d[0] ** 2 + d[1] ** 2)
            own = [qpos, moved] if is_point else [qpos, qvel, qpos[:2]]
            np.testing.assert_allclose(obs, np.hstack([*own, goal, d, l2]) / 20, rtol=1e-6, atol=1e-7)

            obs, reward, _, _, info = ours.step(action)
            for _ in range(task.action_repeat):
                before = bare.get_xy()
                *_, bare_info = bare.step(action)
            moved = bare.get_xy() - before
            d = bare.get_xy() - goal
            l1, l2 = abs(d[0]) + abs(d[1]), np.sqrt(d[0] ** 2 + d[1] ** 2)
            speed = 0.025 * np.linalg.norm(moved) if is_point else 0.001 * np.linalg.norm(bare.data.qvel)
            assert info["success"] == bare_info["success"]
            assert reward == pytest.approx(bare_info["success"] - (0.5 * l1 + 0.5 * l2 + speed) / 20, abs=1e-9)
    ours.close()


def test_directions_equal_bare_ogbench():
    """A whole episode of og-ant, in which the bare wrapper draws its directions from the global generator."""
    from ogbench.online_locomotion.ant import AntEnv
    from ogbench.online_locomotion.wrappers import GymXYWrapper

    task = newt_bench.get_task("og-ant")
    with seeded_global_numpy(0):
        ours, bare = gymnasium.make(task.id), GymXYWrapper(AntEnv())
        data = bare.unwrapped.data
        np.random.seed(5)
        obs, _ = ours.reset(seed=5)
        bare_obs, _ = bare.reset(seed=5)
        directions = []
        for action in random_actions(task, 1000):
            np.testing.assert_array_equal(obs, bare_obs.astype(np.float32))
            np.testing.assert_array_equal(obs[:27], np.hstack([data.qpos[2:], data.qvel]).astype(np.float32))
            directions.append(tuple(obs[27:]))
            before = data.qpos[:2].copy()
            z = bare_obs[27:]
            obs, reward, *_ = ours.step(action)
            bare_obs, bare_reward, *_ = bare.step(action)
            moved = data.qpos[:2] - before
            assert reward == pytest.approx(moved[0] * z[0] + moved[1] * z[1], abs=1e-12)
            assert reward == bare_reward
        ours.close()
    assert set(Counter(directions).values()) == {100}
    assert [directions[k] != directions[k - 1] for k in range(1, 1000)].count(True) == 9
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-6)


def test_directions_are_uniform():
    env = gymnasium.make("newt/og-ant-v0")
    angles = [np.arctan2(*env.reset(seed=seed)[0][:-3:-1]) for seed in range(400)]
    assert stats.kstest(angles, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 0.01
    env.close()


def bare_ball():
    """OGBench's ball environment, which draws a frame while it is built."""
    from ogbench.online_locomotion.ant_ball import AntBallEnv

    with opengl.loading_backend(), opengl.foreign_contexts(), seeded_global_numpy(0):
        env = AntBallEnv(render_mode="rgb_array", width=224, height=224)
        env.mujoco_renderer.viewer.con.free()
        env.close()
    return env


def test_ball_equals_bare_ogbench():
    """Whole episodes of og-antball; everything is worked out from the bare simulator's state too."""
    task = newt_bench.get_task("og-antball")
    ours, bare = gymnasium.make(task.id), bare_ball()
    for seed in (3, 4):
        obs, _ = ours.reset(seed=seed)
        bare_reset(bare, seed)
        ball_to_goal = obs[40:].astype(float)
        bare.set_goal(bare.data.qpos[15:17] + ball_to_goal)  # the nearer goal
        assert (abs(bare.cur_goal_xy) <= 3).all()
        for action in random_actions(task, 200):
            qpos, qvel = bare.data.qpos.copy(), bare.data.qvel
            ant, ball, goal = qpos[:2], qpos[15:17], bare.cur_goal_xy
            parts = [qpos[2:15], qpos[-5:], qvel, ball - ant, goal - ball]
            np.testing.assert_allclose(obs, np.hstack(parts), rtol=1e-6, atol=1e-6)
            obs, reward, _, _, info = ours.step(action)
            _, bare_reward, *_, bare_info = bare.step(action)
            new_ant, new_ball = bare.data.qpos[:2], bare.data.qpos[15:17]
            nearer_goal = np.hypot(*(ball - goal)) - np.hypot(*(new_ball - goal))
            nearer_ball = np.hypot(*(ant - ball)) - np.hypot(*(new_ant - new_ball))
            assert reward == pytest.approx(10 * (2.5 * nearer_goal + nearer_ball), abs=1e-5)
            assert reward == pytest.approx(bare_reward, abs=1e-5)
            assert info["success"] == bare_info["success"]
    ours.close()


def test_ball_starts():
    """Ant, ball and goal are drawn uniformly from squares of their own."""
    simulation = make(newt_bench.get_task("og-antball"))
    starts = []
    for seed in range(400):
        obs = simulation.reset(seed)
        ant, ball = simulation._robot.data.qpos[:2], simulation._robot.data.qpos[15:17]
        starts.append([*ant, *ball, *(ball + obs[40:])])
    for values, half in zip(np.transpose(starts), (1, 1, 2, 2, 3, 3), strict=True):
        assert stats.kstest(values, stats.uniform(-half, 2 * half).cdf).pvalue > 0.005
    assert abs(stats.spearmanr(starts).statistic[~np.eye(6, dtype=bool)]).max() < 0.2
    simulation.close()


@pytest.mark.parametrize(
    ("name", "episodes"),
    [
        ("bottleneck", 312),
        ("var2", 312),
        ("circle", 300),
        ("var1", 300),
        ("spiral", 204),
        ("arena", 48),
        ("medium", 10),
    ],
)
def test_number_of_episodes(name, episodes):
    assert len(MAPS[name].episodes) == len(set(MAPS[name].episodes)) == episodes


def reachable(walls, start):
    """Cells of the map that a walk from `start` reaches without leaving it."""
    found, queue = {start}, deque([start])
    while queue:
        i, j = queue.popleft()
        for di, dj in NEIGHBOURS:
            cell = (i + di, j + dj)
            if cell not in found and 0 <= cell[0] < 8 and 0 <= cell[1] < 8 and walls[cell[0]][cell[1]] == "0":
                found.add(cell)
                queue.append(cell)
    return found


@every_map
def test_starts_are_free_and_goals_reachable(name):
    maze = MAPS[name]
    assert [len(row) for row in maze.walls] == [8] * 8
    assert set("".join(maze.walls)) == {"0", "1"}
    for start, goal in maze.episodes:
        assert maze.walls[start[0]][start[1]] == "0"
        assert goal != start
        assert goal in reachable(maze.walls, start)


@every_map
def test_only_the_held_out_maps_have_gaps_in_the_border(name):
    walls = MAPS[name].walls
    border = walls[0] + walls[-1] + "".join(row[0] + row[-1] for row in walls)
    assert ("0" in border) == (name in ("var1", "var2"))


def test_stock_maps_are_ogbenchs():
    from ogbench.locomaze.maze import make_maze_env

    for name in ("arena", "medium"):
        stock = make_maze_env("point", "maze", maze_type=name).maze_map
        assert tuple("".join(map(str, row)) for row in stock) == MAPS[name].walls


def test_cells_lie_where_ogbench_has_them():
    bare = bare_maze(MAZES[0])
    for i in range(8):
        for j in range(8):
            assert centre((i, j)) == bare.ij_to_xy((i, j)) == (4 * j - 4, 4 * i - 4)


@pytest.mark.parametrize("name", ["og-point-maze", "og-ant-maze"])
def test_maze_starts(name):
    """Every episode is as likely as the others; start and goal are uniform around their cells' centres."""
    env = gymnasium.make(f"newt/{name}-v0")
    goal = slice(4, 6) if env.unwrapped.task.action_dim == 2 else slice(31, 33)
    counts, offsets = Counter(), []
    for seed in range(600):
        xys = [20 * env.reset(seed=seed)[0][where].astype(float) for where in (slice(0, 2), goal)]
        cells = [tuple(int(k) for k in np.rint(xy / 4 + 1)[::-1]) for xy in xys]
        offsets.append(np.hstack([xy - centre(cell) for xy, cell in zip(xys, cells, strict=True)]))
        counts[tuple(cells)] += 1
    assert set(counts) == set(MAPS["medium"].episodes)
    assert stats.chisquare(list(counts.values())).pvalue > 0.01
    for values in np.transpose(offsets):
        assert stats.kstest(values, stats.uniform(-1, 2).cdf).pvalue > 0.005
    assert abs(stats.spearmanr(offsets).statistic[~np.eye(4, dtype=bool)]).max() < 0.15
    env.close()


def test_point_success_is_of_the_moment_and_within_one_metre():
    env = gymnasium.make("newt/og-point-arena-v0")
    obs, _ = env.reset(seed=0)
    seen = []
    for step in range(60):
        action = -25 * obs[6:8] if step < 40 else [1.0, 1.0]  # to the goal, and away again
        obs, reward, _, _, info = env.step(action)
        distance = 20 * obs[8]
        assert info["success"] == (distance <= 1.0)
        assert (reward > 0) == (info["success"] == 1)
        seen.append(info["success"])
    assert [before != after for before, after in itertools.pairwise(seen)].count(True) == 2
    assert (seen[0], max(seen), seen[-1]) == (0, 1, 0)
    env.close()


@pytest.mark.parametrize(("name", "reach"), [("og-ant-circle", 0.5), ("og-point-circle", 1.0)])
def test_reach(name, reach):
    simulation = make(newt_bench.get_task(name))
    obs = simulation.reset(0)
    goal = 20 * obs[-5:-3]
    for distance in (0.0, reach - 1e-6, reach + 1e-6):
        simulation._robot.set_xy(goal + np.array([0, distance]))
        _, success = simulation._rules.judge()
        assert success == (distance <= reach)
    simulation.close()


def test_ball_reach():
    simulation = make(newt_bench.get_task("og-antball"))
    obs = simulation.reset(0)
    data = simulation._robot.data
    goal = data.qpos[15:17] + obs[40:]
    for distance in (0.0, 0.5 - 1e-6, 0.5 + 1e-6):
        data.qpos[15:17] = goal + np.array([distance, 0])
        data.qpos[:2] = goal  # where the ant is does not matter
        _, success = simulation._rules.judge()
        assert success == (distance <= 0.5)
    simulation.close()


def push_point(simulation, angle, steps=100):
    """Final position of a point that is pushed in one direction as hard as possible."""
    action = np.array([np.cos(angle), np.sin(angle)], np.float32)
    action /= abs(action).max()
    for _ in range(steps):
        obs, *_ = simulation.step(action)
    return 20 * obs[:2]


@pytest.mark.parametrize("task", [t for t in MAZES if t.action_dim == 2 and t.split == "core"], ids=lambda t: t.name)
def test_closed_mazes_keep_the_point_in(task):
    simulation = make(task)
    for seed in range(8):
        simulation.reset(seed)
        x, y = push_point(simulation, seed * np.pi / 4 + 0.1)
        assert -2 < x < 22
        assert -2 < y < 22
    simulation.close()


@pytest.mark.parametrize(("name", "gap", "angle"), [("var1", (2, 7), 0.0), ("var2", (0, 1), -np.pi / 2)])
def test_the_point_can_leave_through_a_gap(name, gap, angle):
    simulation = make(newt_bench.get_task(f"og-point-{name}"))
    simulation.reset(0)
    simulation._robot.set_xy(centre(gap))
    assert abs(push_point(simulation, angle, steps=20) - 10).max() > 20  # metres from the middle of the map
    simulation.close()


@pytest.mark.parametrize("name", ["og-point-spiral", "og-ant-spiral", "og-point-var1"])
def test_maze_frames_equal_ogbenchs(name):
    task = newt_bench.get_task(name)
    ours, bare = gymnasium.make(task.id, render_mode="rgb_array"), bare_maze(task)
    ours.reset(seed=1)
    bare_reset(bare, 1)
    with gymnasium_viewer(bare, **free_view(bare.custom_camera)) as viewer:
        expected = viewer.render("rgb_array")
    np.testing.assert_array_equal(ours.render(), expected)
    assert (bare.custom_camera.lookat, bare.custom_camera.distance) == (pytest.approx([10, 10, 0]), 30)
    ours.close()


def test_ant_is_seen_by_the_models_camera():
    from ogbench.online_locomotion.ant import AntEnv

    ours, bare = gymnasium.make("newt/og-ant-v0", render_mode="rgb_array"), AntEnv()
    ours.reset(seed=1)
    bare.reset(seed=1)
    for action in random_actions(ours.unwrapped.task, 20):
        ours.step(action)
        bare.step(action)
    with gymnasium_viewer(bare) as viewer:
        expected = viewer.render("rgb_array", camera_id=bare.model.camera("track").id)
    np.testing.assert_array_equal(ours.render(), expected)
    ours.close()


def test_ball_is_seen_from_eight_metres_above():
    ours, bare = gymnasium.make("newt/og-antball-v0", render_mode="rgb_array"), bare_ball()
    obs, _ = ours.reset(seed=1)
    bare_reset(bare, 1)
    bare.set_goal(bare.data.qpos[15:17] + obs[40:])
    bare.set_state(bare.data.qpos.copy(), bare.data.qvel.copy())  # puts the goal's disc in its place
    view = {"lookat": [0, 0, 0.7], "distance": 8, "azimuth": 90, "elevation": -90}
    with gymnasium_viewer(bare, **view) as viewer:
        expected = viewer.render("rgb_array")
    np.testing.assert_array_equal(ours.render(), expected)
    ours.close()


ALL_TASKS = """
import gymnasium, numpy as np, newt_bench
def play(task, **arguments):
    env = gymnasium.make(task.id, **arguments)
    env.reset(seed=0)
    env.step(np.zeros(task.action_dim))
    env.close()
TASKS = newt_bench.tasks(domain="ogbench")
"""


def test_states_need_no_graphics_library(run_python):
    """Bare OGBench does for og-antball."""
    code = f"import sys; sys.modules['OpenGL'] = None\n{ALL_TASKS}for task in TASKS: play(task)"
    run_python(code, MUJOCO_GL=None, NEWT_BENCH_GL=None, DISPLAY=None, WAYLAND_DISPLAY=None)


def test_nothing_is_printed(run_python):
    code = f"{ALL_TASKS}for task in TASKS: play(task, obs_type='state_rgb', render_size=32)"
    child = run_python(code, PYTHONWARNINGS="default")
    assert child.stdout == child.stderr == ""


def test_no_files_are_left_behind(tmp_path):
    for task in TASKS:
        gymnasium.make(task.id).close()
    assert list(tmp_path.iterdir()) == []
