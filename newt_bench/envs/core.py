"""`TaskEnv`: the Gymnasium environment of every task.

It owns what all tasks share: spaces, seeding, action checks, the fixed horizon, score and success, the
three observation types. A domain's simulation owns the physics.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import EzPickle
from numpy.typing import ArrayLike, NDArray

from newt_bench.catalogue import get_task
from newt_bench.envs.domains import make_simulation
from newt_bench.envs.simulation import Rebuildable
from newt_bench.envs.window import Window, can_open_windows
from newt_bench.errors import InputError

__all__ = ["OBS_TYPES", "ObsType", "TaskEnv"]

ObsType = Literal["state", "rgb", "state_rgb"]
OBS_TYPES: tuple[ObsType, ...] = ("state", "rgb", "state_rgb")

_MAX_SEED = 2**31
_ONE = np.float32(1)


class _Undefined(np.float64):
    """A NaN that equals itself: `check_env` compares infos with `==`, where a plain NaN never passes."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Undefined)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = np.float64.__hash__


_UNDEFINED = _Undefined("nan")


class TaskEnv(gymnasium.Env[Any, NDArray[np.float32]], EzPickle):
    """One task of the catalogue as a Gymnasium environment.

    Actions are `Box(-1, 1, (task.action_dim,), float32)`; they are clipped to the box, and NaN is refused.
    An episode always lasts `task.max_episode_steps` steps: `terminated` is always False, and `truncated`
    is True at the last step and only there. `info` holds at every step, reset included:

    - `success`: 0.0 or 1.0 at this step, NaN where the task defines no success;
    - `score`: the task's score so far, in [0, 1] at the end of the episode.

    `reset(seed=s)` makes the whole episode a function of `s` and the actions. `reset()` without a seed
    continues the sequence that the last seed began. No global random state is read or changed.

    The environment pickles as its constructor arguments: unpickling builds it afresh, not yet reset.

    Args:
        task: Task name, such as `walker-run`.
        obs_type: `state` for a float32 vector of shape (task.obs_dim,), `rgb` for a uint8 image of shape
            (render_size, render_size, 3), `state_rgb` for a dictionary of both, keys `state` and `rgb`.
        render_mode: None, `rgb_array`, or `human`, which shows every state in a window at the task's own pace.
        render_size: Height and width of images in pixels, in [16, 2048].
        **options: Options of the task's domain; most domains have none.

    Attributes:
        task: The catalogue's record of the task.

    Raises:
        UnknownTaskError: No such task.
        InputError: Another argument is not valid.
        MissingExtraError: The task's simulator is not installed; the message names the command.
    """

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 25}  # noqa: RUF012 (Gymnasium's form)

    def __init__(
        self,
        task: str,
        obs_type: ObsType = "state",
        render_mode: str | None = None,
        render_size: int = 224,
        **options: Any,
    ) -> None:
        EzPickle.__init__(self, task, obs_type, render_mode, render_size, **options)
        if obs_type not in OBS_TYPES:
            raise InputError(f"obs_type must be one of {', '.join(OBS_TYPES)}, not {obs_type!r}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise InputError(f"render_mode must be None, 'rgb_array' or 'human', not {render_mode!r}")
        if not 16 <= render_size <= 2048:
            raise InputError(f"render_size must lie in [16, 2048] pixels, not {render_size!r}")
        self.task = get_task(task)
        self.render_mode = render_mode
        self._obs_type = obs_type
        self._render_size = int(render_size)
        self._simulation = make_simulation(self.task, options)
        self.metadata = {
            "render_modes": [mode for mode in self.metadata["render_modes"] if mode != "human" or can_open_windows()],
            "render_fps": round(1 / self._simulation.step_seconds),
        }
        self._action_shape = (self.task.action_dim,)
        self.action_space = spaces.Box(-1.0, 1.0, self._action_shape, np.float32)
        self.observation_space = self._make_observation_space()
        self._steps_left: int | None = None  # None: needs a reset
        self._return = 0.0
        self._frame: NDArray[np.uint8] | None = None
        self._window: Window | None = None
        self._closed = False

    def _make_observation_space(self) -> spaces.Space[Any]:
        state = spaces.Box(-np.inf, np.inf, (self.task.obs_dim,), np.float32)
        rgb = spaces.Box(0, 255, (self._render_size, self._render_size, 3), np.uint8)
        if self._obs_type == "state":
            return state
        return rgb if self._obs_type == "rgb" else spaces.Dict({"state": state, "rgb": rgb})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: Integer in [0, 2**31) that fixes the episode and all later unseeded ones; None continues.
            options: None or empty; no task has reset options.

        Returns:
            The first observation, and `info`.

        Raises:
            InputError: The seed is out of range, or options were given.
        """
        if options:
            raise InputError(f"{self.task.id} has no reset options, got {sorted(options)}")
        if seed is not None and not 0 <= seed < _MAX_SEED:
            raise InputError(f"seed must lie in [0, 2**31), not {seed}")
        super().reset(seed=seed)
        if seed is not None and isinstance(self._simulation, Rebuildable):
            self._simulation.rebuild_at_next_reset()
        episode_seed = int(self.np_random.integers(_MAX_SEED)) if seed is None else int(seed)
        state = self._simulation.reset(episode_seed)
        self._steps_left = self.task.max_episode_steps
        self._return = 0.0
        self._frame = None
        if self.render_mode == "human":
            self._show()
        return self._observation(state), self._info(0.0)

    def step(self, action: ArrayLike) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Plays one agent step.

        Args:
            action: Array of shape (task.action_dim,); clipped to [-1, 1].

        Returns:
            Observation, reward, terminated (always False), truncated, info.

        Raises:
            InputError: The action has the wrong shape or holds NaN.
            gymnasium.error.ResetNeeded: There is no episode, or it is over.
        """
        if not self._steps_left:
            when = "before the first reset" if self._steps_left is None else "after the end of the episode"
            raise gymnasium.error.ResetNeeded(f"{self.task.id}: step() {when}; call reset() first")
        state, reward, success = self._simulation.step(self._checked(action))
        self._steps_left -= 1
        self._return += reward
        self._frame = None
        if self.render_mode == "human":
            self._show()
        return self._observation(state), reward, False, self._steps_left == 0, self._info(success)

    def _checked(self, action: ArrayLike) -> NDArray[np.float32]:
        values = np.asarray(action, dtype=np.float32)
        if values.shape != self._action_shape:
            raise InputError(f"{self.task.id}: the action must have shape {self._action_shape}, not {values.shape}")
        # minimum and maximum propagate NaN, and so does the dot product: the cheapest check there is.
        clipped: NDArray[np.float32] = np.maximum(np.minimum(values, _ONE), -_ONE)
        if math.isnan(clipped.dot(clipped)):
            raise InputError(f"{self.task.id}: the action holds NaN: {values}")
        return clipped

    def _info(self, success: float) -> dict[str, Any]:
        if not self.task.has_success:
            success = _UNDEFINED
        return {"success": success, "score": self.task.score(self._return, success)}

    def _observation(self, state: NDArray[np.floating]) -> Any:
        vector = state.astype(np.float32, copy=False)
        if self._obs_type == "state":
            return vector
        frame = self._draw()
        return frame if self._obs_type == "rgb" else {"state": vector, "rgb": frame}

    def _draw(self) -> NDArray[np.uint8]:
        """Draws each state at most once; callers get their own copy."""
        if self._frame is None:
            self._frame = self._simulation.render(self._render_size)
        frame: NDArray[np.uint8] = self._frame.copy()
        return frame

    def render(self) -> NDArray[np.uint8] | None:
        """Draws the current state.

        Returns:
            RGB image of shape (render_size, render_size, 3) in the mode `rgb_array`. None in the mode `human`, where
            `reset` and `step` have shown the state already, and without a mode.

        Raises:
            gymnasium.error.ResetNeeded: Called before the first reset.
        """
        if self.render_mode is None:
            gymnasium.logger.warn(f"{self.task.id}: pass render_mode='rgb_array' to gymnasium.make to render")
            return None
        if self._steps_left is None:
            raise gymnasium.error.ResetNeeded(f"{self.task.id}: render() before the first reset")
        return self._draw() if self.render_mode == "rgb_array" else None

    def _show(self) -> None:
        """Shows the current state in the window, which the first one opens."""
        if self._window is None:
            self._window = Window(self.task.name, self._render_size, self.metadata["render_fps"])
        self._window.show(self._draw())

    @property
    def controls(self) -> Mapping[str, tuple[int, float]] | None:
        """How a person can play with the keyboard, see `newt_bench.playing`; None where nobody said."""
        controls: Mapping[str, tuple[int, float]] | None = getattr(self._simulation, "controls", None)
        return controls

    @property
    def renderer(self) -> str | None:
        """What draws the frames; None before the first.

        Such as `egl: llvmpipe (LLVM 15.0.6, 256 bits)`.
        """
        return self._simulation.renderer

    @property
    def rebuilds_for_seeds(self) -> bool:
        """Whether a reset with a seed builds the simulation anew, which takes time; see `Rebuildable`."""
        return isinstance(self._simulation, Rebuildable)

    def close(self) -> None:
        """Frees the simulator. Later calls do nothing."""
        if not self._closed:
            self._closed = True
            self._steps_left = None
            if self._window is not None:
                self._window.close()
            self._simulation.close()
