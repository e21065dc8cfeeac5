"""The box2d domain: terrains, rewards past falls and crashes, colours that do not disturb the physics."""

from __future__ import annotations

import math
import pickle

import gymnasium
import numpy as np
import pytest

import newt_bench
from newt_bench.envs.box2d.lunar_lander import SIDE, LunarLanderWorld
from newt_bench.envs.box2d.terrain import BASE_HEIGHT, LENGTH, SPACING, TERRAINS, Terrain
from newt_bench.errors import InputError

TASKS = newt_bench.tasks(domain="box2d")
WALKERS = [task for task in TASKS if task.name.startswith("bipedal")]
LANDERS = [task for task in TASKS if task.name.startswith("lunar")]
every_walker = pytest.mark.parametrize("task", WALKERS, ids=lambda task: task.name)
STANDING = 18 / 30  # height of a standing lander's centre above the pad


def terrain(name: str, seed: int) -> Terrain:
    return TERRAINS[name](np.random.default_rng(seed))


# Terrains


@pytest.mark.parametrize("name", TERRAINS)
def test_terrains_have_their_length_and_bounds(name):
    for seed in range(20):
        heights = terrain(name, seed).heights
        assert len(heights) == LENGTH
        assert min(heights) >= (1.0 if name != "obstacles" else 1.5 - 3 * SPACING)
        assert max(heights) <= 5.5


def test_flat_is_flat():
    assert set(terrain("flat", 0).heights) == {BASE_HEIGHT}


@pytest.mark.parametrize("name", ["uneven", "rugged"])
def test_rough_ground_begins_with_an_even_pad_and_varies(name):
    grounds = [terrain(name, seed).heights for seed in range(5)]
    for heights in grounds:
        assert set(heights[:21]) == {BASE_HEIGHT}
        assert heights[21] != BASE_HEIGHT
    assert len({tuple(heights) for heights in grounds}) == 5


def test_rugged_is_rougher_than_uneven():
    def roughness(name: str) -> float:
        return float(np.mean([np.abs(np.diff(terrain(name, seed).heights[25:])).mean() for seed in range(20)]))

    assert roughness("rugged") > 1.5 * roughness("uneven") > 0


@pytest.mark.parametrize(
    ("name", "damping", "pull", "noise"), [("uneven", 0.8, 0.011, 1), ("rugged", 0.75, 0.015, 2.25)]
)
def test_slopes_follow_their_random_walk(name, damping, pull, noise):
    heights = np.array(terrain(name, 3).heights)
    slopes = np.diff(heights)
    inside = (heights[1:-1] > 1.0) & (heights[1:-1] < 5.5) & (heights[2:] > 1.0) & (heights[2:] < 5.5)
    drawn = slopes[1:] - damping * slopes[:-1] - pull * np.sign(BASE_HEIGHT - heights[1:-1])
    drawn = drawn[inside][25:] * 15 / noise
    assert np.abs(drawn).max() <= 1 + 1e-9
    assert np.abs(drawn).max() > 0.9  # the whole range is used


def test_hills_are_one_sine_wave():
    waves = set()
    for seed in range(10):
        heights = np.array(terrain("hills", seed).heights)
        middle, amplitude = (heights.max() + heights.min()) / 2, (heights.max() - heights.min()) / 2
        assert -1.01 <= middle - BASE_HEIGHT <= -0.79
        assert 0.38 <= amplitude <= 0.81
        rises = np.flatnonzero((heights[:-1] < middle) & (heights[1:] >= middle))
        assert 7 - SPACING <= np.diff(rises).mean() * SPACING <= 14 + SPACING
        waves.add((middle, amplitude))
    assert len(waves) == 10


def test_obstacles_are_stumps_and_pits_in_the_published_sizes():
    stumps = pits = 0
    for seed in range(20):
        ground = terrain("obstacles", seed)
        walls = []
        for box in ground.boxes:
            xs, ys = [x for x, _ in box], [y for _, y in box]
            width, height = max(xs) - min(xs), max(ys) - min(ys)
            index = round(min(xs) / SPACING)
            if box[0][1] == max(ys):  # drawn from its upper edge down: the wall of a pit
                assert (width, height) == (pytest.approx(SPACING), pytest.approx(3 * SPACING))
                walls.append((index, max(ys)))
            else:
                stumps += 1
                assert round(width / SPACING) in (2, 3)
                assert height == pytest.approx(0.75 * width)
                assert min(ys) == ground.heights[index]
        for (left, rim), (right, _) in zip(walls[::2], walls[1::2], strict=True):
            pits += 1
            assert right - left in (2, 3)
            assert ground.heights[left] == rim
            bottom = ground.heights[left + 1 : min(right + 1, LENGTH)]
            assert bottom == pytest.approx([rim - 3 * SPACING] * len(bottom))
            if right + 1 < LENGTH:
                assert ground.heights[right + 1] == rim
    assert stumps > 50
    assert pits > 50


# Walker


@every_walker
def test_the_world_holds_the_terrain(task):
    env = gymnasium.make(task.id)
    env.reset(seed=4)
    environment = env.unwrapped._simulation._world.environment
    edges = [b.fixtures[0].shape.vertices for b in environment.terrain if len(b.fixtures[0].shape.vertices) == 2]
    assert len(edges) == LENGTH - 1
    assert len(environment.terrain) == LENGTH - 1 + len(environment.boxes)
    by_x = sorted(edges)
    np.testing.assert_allclose([y for (_, y), _ in by_x], environment.terrain_y[:-1], rtol=1e-6)
    assert {body.fixtures[0].friction for body in environment.terrain} == {2.5}
    env.close()


@every_walker
def test_walking_pays_progress_twice_and_velocities_are_rescaled(task):
    env = gymnasium.make(task.id)
    obs, _ = env.reset(seed=1)
    world = env.unwrapped._simulation._world
    environment = world.environment

    def potential() -> float:
        return 130 * environment.hull.position[0] / 15 - 5 * abs(environment.hull.angle)

    rng = np.random.default_rng(0)
    before = potential()
    for _ in range(20):  # single simulator steps
        action = rng.uniform(-1, 1, 4).astype(np.float32)
        obs, reward = world.step(action)
        assert not environment.game_over
        assert reward == pytest.approx(potential() - before - 0.028 * np.abs(action).sum(), abs=1e-5)
        np.testing.assert_allclose(obs[2:4], 0.0896 * np.array(environment.hull.linearVelocity), rtol=1e-6)
        before = potential()
    env.close()


@every_walker
def test_a_fallen_walker_pays_until_the_end(task):
    env = gymnasium.make(task.id)
    env.reset(seed=0)
    environment = env.unwrapped._simulation._world.environment
    rewards, fallen = [], []
    for _ in range(task.max_episode_steps):
        rewards.append(env.step([-1.0, 1.0, -1.0, 1.0])[1])
        fallen.append(environment.game_over)
    first = fallen.index(True)
    assert set(rewards[first + 1 :]) == {-2.0}
    assert min(rewards[:first]) > -2.0
    env.close()


def test_walking_off_to_the_left_costs_like_a_fall():
    env = gymnasium.make("newt/bipedal-walker-flat-v0")
    env.reset(seed=0)
    world = env.unwrapped._simulation._world
    environment = world.environment
    for body in (environment.hull, *environment.legs):
        body.position = (body.position[0] - 10, body.position[1] + 3)
    assert env.step(np.zeros(4))[1] == -2.0
    assert not environment.game_over


def test_steps_forward_are_clipped_above():
    env = gymnasium.make("newt/bipedal-walker-flat-v0")
    env.reset(seed=0)
    environment = env.unwrapped._simulation._world.environment
    for body in (environment.hull, *environment.legs):
        body.position = (body.position[0] + 30, body.position[1] + 3)
    # The first simulator step sees the whole jump, the second only the usual progress.
    assert 9 < env.step(np.zeros(4))[1] < 11


# Lander


@pytest.mark.parametrize("task", LANDERS, ids=lambda task: task.name)
def test_starts_and_goals(task):
    mode = task.simulator_id.partition("/")[2]
    pads = set()
    for seed in range(30):
        env = gymnasium.make(task.id)
        obs, _ = env.reset(seed=seed)
        world = env.unwrapped._simulation._world
        pads.add(round((world.pad[1] - world.pad[0]) / SIDE, 3))
        assert np.mean(world.pad) == pytest.approx(SIDE / 2)
        flat = [y for x, y in world.ground if world.pad[0] <= x <= world.pad[1]]
        assert flat == pytest.approx([0.99 * SIDE / 4] * 3)
        if mode == "takeoff":
            assert world.pad[0] < world.lander.position[0] < world.pad[1]
            assert abs(obs[1]) < 0.1
            assert 0.2 * SIDE <= world.goal[0] <= 0.8 * SIDE
            assert 0.6 * SIDE <= world.goal[1] <= 0.8 * SIDE
        else:
            assert abs(obs[0]) < 0.1
            assert 0.75 < obs[1] < 1.1
        if mode == "hover":
            assert np.abs(np.subtract(world.goal, (SIDE / 2, SIDE / 2))).max() <= 1
        if mode == "land":
            assert world.goal is None
        else:
            np.testing.assert_allclose(obs[8:] * SIDE / 2, np.subtract(world.goal, world.lander.position), rtol=1e-4)
        env.close()
    assert pads == {round(2 / 6, 3), round(2 / 8, 3)}


def trajectory(actions: list[list[float]]) -> bytes:
    env = gymnasium.make("newt/lunarlander-hover-v0")
    env.reset(seed=0)
    return b"".join(env.step(action)[0].tobytes() for action in actions)


def test_engines_have_thresholds():
    idle = trajectory([[0.0, 0.0]] * 5)
    assert trajectory([[-1.0, 0.0]] * 5) == idle
    assert trajectory([[0.0, 0.5]] * 5) == idle
    assert trajectory([[0.01, 0.0]] * 5) != idle
    assert trajectory([[0.0, 0.51]] * 5) != idle
    assert trajectory([[0.0, -0.51]] * 5) != trajectory([[0.0, 0.51]] * 5)


def test_engines_push_where_they_should():
    def velocity(action: list[float]) -> np.ndarray:
        world = LunarLanderWorld("hover")
        world.reset(0)
        before = np.array(world.lander.linearVelocity)
        world.step(np.array(action, np.float32))
        return np.array(world.lander.linearVelocity) - before

    idle = velocity([0.0, 0.0])
    assert idle == pytest.approx([0, -10 / 50], abs=0.02)
    assert velocity([1.0, 0.0])[1] > idle[1] + 0.2
    assert velocity([1.0, 0.0])[1] - idle[1] > 1.5 * (velocity([0.1, 0.0])[1] - idle[1])
    assert velocity([0.0, 1.0])[0] > idle[0] + 0.01
    assert velocity([0.0, -1.0])[0] < idle[0] - 0.01


@pytest.mark.parametrize("mode", ["hover", "takeoff"])
def test_hovering_is_paid_by_distance_to_the_goal(mode):
    world = LunarLanderWorld(mode)
    world.reset(0)
    rng = np.random.default_rng(0)
    low = high = 0
    for _ in range(150):
        action = np.array([1.0, rng.uniform(-1, 1)], np.float32)
        obs, reward = world.step(action)
        side = abs(action[1]) if abs(action[1]) > 0.5 else 0.0
        distance = math.hypot(*obs[8:]) * SIDE / 2
        expected = min(max(1 - distance / 6 - 0.03 - 0.003 * side, 0), 1) if obs[1] >= 0 else 0.0
        if abs(obs[1]) > 1e-6:
            assert reward == pytest.approx(expected, abs=1e-5)
            low, high = low + (obs[1] < 0), high + (reward > 0)
    assert high > 20
    assert mode == "hover" or low > 0


def test_landing_is_paid_by_the_change_of_a_potential():
    world = LunarLanderWorld("land")

    def potential(obs: np.ndarray) -> float:
        x, y, vx, vy, angle, _, left, right = (float(value) for value in obs)
        return -100 * (math.hypot(x, y) + math.hypot(vx, vy) + abs(angle)) + 10 * (left + right)

    before = potential(world.reset(2))
    for main, side in [(0.0, 0.0), (0.6, 0.0), (-1.0, 0.8), (1.0, -0.7), (0.2, 0.3)]:
        obs, reward = world.step(np.array([main, side], np.float32))
        fuel = 0.3 * ((main + 1) / 2 if main > 0 else 0) + 0.03 * (abs(side) if abs(side) > 0.5 else 0)
        assert reward == pytest.approx(potential(obs) - before - fuel, abs=1e-3)
        before = potential(obs)


def idle_rewards(seed: int, **options) -> list[float]:
    env = gymnasium.make("newt/lunarlander-land-v0", **options)
    env.reset(seed=seed)
    rewards = [env.step([0.0, 0.0])[1] for _ in range(250)]
    env.close()
    return rewards


def test_a_wreck_at_rest_is_rewarded_unless_the_user_says_otherwise():
    """As published, an idle lander that crashes and comes to rest earns 1 per step from then on."""
    published, strict = idle_rewards(1), idle_rewards(1, reward_wrecks=False)
    assert published[-1] == 1.0
    assert strict[-1] == -0.5  # two clipped simulator steps
    crash = strict.index(-0.5)
    rest = published.index(1.0)
    assert crash < rest
    assert published[: rest - 1] == pytest.approx(strict[: rest - 1])  # it may fall asleep within a step
    assert set(published[rest:]) == {1.0}


def test_doing_nothing_scores_about_a_third():
    scores = [sum(idle_rewards(seed)) / 500 for seed in range(12)]
    assert 0.15 < np.median(scores) < 0.35
    assert max(scores) < 0.5


@pytest.mark.parametrize("reward_wrecks", [True, False])
def test_a_clean_landing_is_rewarded_either_way(reward_wrecks):
    world = LunarLanderWorld("land", reward_wrecks)
    world.reset(0)
    shift = SIDE / 2 - world.lander.position[0], SIDE / 4 + STANDING - world.lander.position[1]
    for body in (world.lander, *world.legs):
        body.position = (body.position[0] + shift[0], body.position[1] + shift[1])
        body.linearVelocity, body.angularVelocity = (0, 0), 0
    for _ in range(250):
        obs, reward = world.step(np.zeros(2, np.float32))
    assert obs[6] == obs[7] == 1.0
    assert not world._contacts.crashed
    assert reward == 100.0


@pytest.mark.parametrize("name", ["lunarlander-hover", "bipedal-walker-flat"])
def test_only_landing_has_wrecks(name):
    with pytest.raises(InputError, match=f"newt/{name}-v0 has no option 'reward_wrecks'"):
        gymnasium.make(f"newt/{name}-v0", reward_wrecks=False)


def test_the_option_survives_pickling():
    env = pickle.loads(pickle.dumps(gymnasium.make("newt/lunarlander-land-v0", reward_wrecks=False)))
    assert env.unwrapped._simulation._world._reward_wrecks is False


# Pictures


@pytest.mark.parametrize("task", TASKS, ids=TASKS.names)
def test_drawing_disturbs_neither_the_physics_nor_later_frames(task):
    plain, drawn, late = (
        gymnasium.make(task.id, render_mode=mode, render_size=96) for mode in (None, "rgb_array", "rgb_array")
    )
    for env in (plain, drawn, late):
        env.reset(seed=5)
    for k in range(25):
        action = np.sin(k + np.arange(task.action_dim))
        states = [env.step(action)[0] for env in (plain, drawn, late)]
        drawn.render()
        np.testing.assert_array_equal(states[0], states[1])
        np.testing.assert_array_equal(states[0], states[2])
    np.testing.assert_array_equal(drawn.render(), late.render())
    for env in (plain, drawn, late):
        env.close()


@pytest.mark.parametrize("name", ["bipedal-walker-flat", "lunarlander-hover"])
def test_colours_are_drawn_per_episode_from_its_seed(name):
    env = gymnasium.make(f"newt/{name}-v0", render_mode="rgb_array")

    def corner(seed: int) -> tuple[int, ...]:
        env.reset(seed=seed)
        return tuple(env.render()[-1, -1])  # ground

    assert corner(1) == corner(1)
    assert len({corner(seed) for seed in range(8)}) > 4
    env.close()


def pixel(frame: np.ndarray, x: float, y: float, left: float, width: float) -> np.ndarray:
    """Pixel at a world position, y up."""
    size = len(frame)
    return frame[round(size - 1 - y / width * size), round((x - left) / width * size)].astype(int)


def test_the_walker_stands_a_fifth_into_the_picture_on_its_ground():
    env = gymnasium.make("newt/bipedal-walker-flat-v0", render_mode="rgb_array")
    env.reset(seed=0)
    frame = env.render()
    x, y = env.unwrapped._simulation._world.environment.hull.position
    width = 224 / 15
    left = x - width / 5
    assert pixel(frame, x, y, left, width) == pytest.approx([127, 51, 229], abs=2)  # the hull
    sky = pixel(frame, x + 6, BASE_HEIGHT + 1, left, width)
    assert sky == pytest.approx([215, 215, 252], abs=15)
    ground = pixel(frame, x + 6, BASE_HEIGHT - 1, left, width)
    assert np.abs(ground - sky).max() > 30
    env.close()


@pytest.mark.parametrize("name", ["lunarlander-hover", "lunarlander-takeoff"])
def test_goal_and_lander_are_where_they_should_be(name):
    env = gymnasium.make(f"newt/{name}-v0", render_mode="rgb_array")
    for seed in range(4):
        env.reset(seed=seed)
        frame = env.render()
        world = env.unwrapped._simulation._world
        red, green, blue = pixel(frame, *world.goal, 0, SIDE)
        assert min(red, green) - blue > 40  # yellow over the dark sky
        assert pixel(frame, *world.lander.position, 0, SIDE) == pytest.approx([128, 102, 230], abs=16)
    env.close()


def test_the_pad_is_marked_for_landing():
    env = gymnasium.make("newt/lunarlander-land-v0", render_mode="rgb_array", render_size=400)
    env.reset(seed=0)
    frame = env.render()
    for x in env.unwrapped._simulation._world.pad:
        pennant = pixel(frame, x + 0.2, SIDE / 4 + 45 / 30, 0, SIDE)
        assert pennant == pytest.approx([204, 204, 0], abs=21)
    env.close()


def test_firing_engines_throw_sparks():
    env = gymnasium.make("newt/lunarlander-hover-v0", render_mode="rgb_array", render_size=400)

    def red_pixels(action: list[float]) -> int:
        env.reset(seed=0)
        for _ in range(4):
            env.step(action)
        frame = env.render().astype(int)
        return int(((frame[..., 0] > 100) & (frame[..., 0] - frame[..., 2] > 40) & (frame[..., 1] < 160)).sum())

    assert red_pixels([1.0, 0.0]) > red_pixels([-1.0, 0.0]) + 30
    env.close()


@pytest.mark.parametrize("name", ["bipedal-walker-obstacles", "lunarlander-land"])
@pytest.mark.parametrize("size", [64, 500])
def test_other_sizes_show_the_same_scene(name, size):
    frames = []
    for render_size in (size, 224):
        env = gymnasium.make(f"newt/{name}-v0", render_mode="rgb_array", render_size=render_size)
        env.reset(seed=3)
        frames.append(env.render().astype(float).mean(axis=(0, 1)))
        env.close()
    np.testing.assert_allclose(*frames, atol=3)


def test_frames_need_no_display(run_python):
    code = """
import gymnasium, newt_bench, pygame
for name in ("bipedal-walker-flat", "lunarlander-land"):
    env = gymnasium.make(f"newt/{name}-v0", render_mode="rgb_array")
    env.reset(seed=0)
    env.render()
    print(pygame.get_init(), pygame.display.get_init())
"""
    child = run_python(code, SDL_VIDEODRIVER="x11", DISPLAY=None)
    assert child.stdout.splitlines() == ["False False"] * 2


@pytest.mark.parametrize("package", ["Box2D", "pygame"])
def test_missing_packages_name_the_extra(run_python, package):
    code = f"""
import sys; sys.modules['{package}'] = None
import gymnasium, newt_bench
env = gymnasium.make("newt/lunarlander-land-v0", render_mode="rgb_array")
env.reset(seed=0)
env.render()
"""
    child = run_python(code, check=False)
    assert f"MissingExtraError: newt/lunarlander-land-v0 needs the package '{package}'" in child.stderr
    assert 'pip install "newt-bench[box2d]"' in child.stderr
