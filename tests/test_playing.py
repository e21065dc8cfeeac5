"""Windows and keys, on SDL's video driver without a screen (see `no_screen`)."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import newt_bench
from newt_bench.errors import InputError
from newt_bench.playing import describe_controls, play

# Keys that a person presses before the window opens; the game finds them waiting.
PRESS = """
import pygame
pygame.display.init()
def press(key):
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
"""


def make_env(name: str):
    return gymnasium.make(newt_bench.get_task(name).id)


def test_holding_a_key_plays_its_action(run_python):
    child = run_python(
        PRESS
        + """
from newt_bench.playing import play
press(pygame.K_RIGHT), press(pygame.K_DOWN)
print(*play("pygame-point-maze-var1", seed=5, size=64, speed=100))
"""
    )
    env = make_env("pygame-point-maze-var1")
    env.reset(seed=5)
    truncated, total = False, 0.0
    while not truncated:
        _, reward, _, truncated, info = env.step(np.ones(2))
        total += reward
    played_return, score, steps = map(float, child.stdout.split())
    assert steps == 200
    assert played_return == pytest.approx(total)
    assert score == info["score"]


@pytest.mark.parametrize("leaving", ["press(pygame.K_ESCAPE)", "pygame.event.post(pygame.event.Event(pygame.QUIT))"])
def test_leaving_early(run_python, leaving):
    child = run_python(
        PRESS
        + f"""
from newt_bench.playing import play
press(pygame.K_UP), {leaving}
print(play("pygame-pong", size=64, speed=100).steps)
"""
    )
    assert int(child.stdout) == 0


def test_released_keys_do_nothing(run_python):
    child = run_python(
        PRESS
        + """
from newt_bench.playing import play
press(pygame.K_RIGHT)
pygame.event.post(pygame.event.Event(pygame.KEYUP, key=pygame.K_RIGHT))
print(play("pygame-cartpole-balance", seed=1, size=64, speed=100).episode_return)
"""
    )
    env = make_env("pygame-cartpole-balance")
    env.reset(seed=1)
    rewards = [env.step(np.zeros(1))[1] for _ in range(500)]
    assert float(child.stdout) == pytest.approx(sum(rewards))


def test_the_window_shows_the_frames(run_python):
    run_python("""
import gymnasium, newt_bench, numpy as np, pygame
shown = gymnasium.make("newt/pygame-pong-v0", render_mode="human", render_size=64)
drawn = gymnasium.make("newt/pygame-pong-v0", render_mode="rgb_array", render_size=64)
for env in (shown, drawn):
    env.reset(seed=0)
    env.step(np.ones(1))
surface = shown.unwrapped._window._surface
np.testing.assert_array_equal(pygame.surfarray.array3d(surface).transpose(1, 0, 2), drawn.render())
assert shown.render() is None
shown.close()
""")


def test_no_screen_names_the_remedy(run_python):
    child = run_python(
        """
import gymnasium, newt_bench
gymnasium.make("newt/pygame-pong-v0", render_mode="human").reset()
""",
        check=False,
        SDL_VIDEODRIVER="x11",
        DISPLAY=":77",
    )
    assert "RenderingError: No window can be opened here" in child.stderr
    assert "SDL_VIDEODRIVER=dummy" in child.stderr


def test_without_pygame_there_is_no_human_mode(run_python):
    child = run_python(
        """
import sys
sys.modules["pygame"] = None
import gymnasium, newt_bench
print(gymnasium.make("newt/pygame-pong-v0").metadata["render_modes"])
gymnasium.make("newt/pygame-pong-v0", render_mode="human").reset()
""",
        check=False,
    )
    assert child.stdout.strip() == "['rgb_array']"
    assert 'pip install "newt-bench[arcade]"' in child.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("walker-run",), "cannot be played with keys"), (("pygame-pang",), "Did you mean 'pygame-pong'")],
)
def test_bad_tasks(arguments, message):
    with pytest.raises(InputError, match=message):
        play(*arguments)


def test_bad_speed():
    with pytest.raises(InputError, match="speed must lie in"):
        play("pygame-pong", speed=0)


@pytest.mark.parametrize("task", newt_bench.tasks(domain="miniarcade"), ids=lambda task: task.name)
def test_every_game_has_keys_for_every_action(task):
    controls = make_env(task.name).unwrapped.controls
    assert {index for index, _ in controls.values()} == set(range(task.action_dim))
    assert set(controls) <= {"left", "right", "up", "down", "space"}
    assert describe_controls(task.name) == ", ".join(controls)
