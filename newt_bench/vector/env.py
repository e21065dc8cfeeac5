"""`TaskVectorEnv`: many tasks at once, in a few worker processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from newt_bench.catalogue import Task
from newt_bench.envs.core import OBS_TYPES, ObsType
from newt_bench.errors import InputError
from newt_bench.vector.buffers import allocate
from newt_bench.vector.layout import assign_to_workers, episode_seed, make_layout
from newt_bench.vector.pool import Pool, Timeouts
from newt_bench.vector.preloading import modules_of_several
from newt_bench.vector.process import StartMethod, available_cores, run_fork_server, start_context
from newt_bench.vector.worker import RESET, STEP, STEP_EACH, WorkerPlan

__all__ = ["Batch", "Received", "TaskVectorEnv"]

_LIMIT = 2**31  # of an environment's seeds, and by far of any count of episodes

#: Observation, reward, terminated, truncated and info of a step, each with one row per slot.
Batch = tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]
#: The slots that the rows belong to, and the rest of a `Batch`.
Received = tuple[NDArray[np.int64], Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


class TaskVectorEnv(VectorEnv[Any, NDArray[np.float32], NDArray[Any]]):
    """Plays many tasks at once, in a few worker processes that host many environments each.

    It is a Gymnasium vector environment with one slot per task and copy. Each row of a batch is what the task's
    own environment gives, padded with zeros on the right. `terminated` is always False, as fixed horizons have it.

    Where an episode ends, the slot is reset in the same step (`AutoresetMode.SAME_STEP`): `truncated` is True, the
    observation is the first of the next episode, and `info` holds the last one in `final_obs` (an array of objects,
    None for other slots) and the last info in `final_info`, with masks `_final_obs` and `_final_info`. `info` always
    holds `success` and `score` as arrays, see `TaskEnv`.

    Episode k of a slot is reset with a seed that is a function of the run's seed, the task's name, the index of the
    copy and k: it depends neither on other slots nor on how many workers there are. A simulation that a seeded reset
    builds anew (ManiSkill's) gets only the seed of the episode that `reset` begins a run with (0, unless it is told
    another), and later episodes follow from it and from the actions in the slot; `exact_resets` seeds them all.

    `step` waits for every slot. To go on with some slots while others are still at work, use `send` and `recv`.

    Args:
        tasks: Task names or records; repetitions are dropped.
        num_envs_per_task: Slots per task.
        num_workers: Worker processes; None for as many as there are cores for this process. Never more than slots.
        obs_type: `state`, `rgb` or `state_rgb` (a dictionary of both), as in `TaskEnv`.
        pad: Whether states have 128 and actions 16 entries, whatever the tasks. Without, all tasks must be of one size,
            and batches have it.
        seed: Seed of the run, used by the first reset if that is given none.
        render_size: Height and width of images.
        exact_resets: Whether every episode is reset with its own seed, see above.
        env_options: Keyword arguments of all the environments, such as Atari's `joystick`.
        context: How processes start, `forkserver` or `spawn`; None for the first on Linux, the second elsewhere.
        timeout: Seconds that one step or reset of one slot may take before its worker counts as hung.
        start_timeout: Seconds that importing a simulator and building one environment may take.
        restart: What happens when an environment raises, or its worker dies or hangs. False: a `WorkerError` that
            names task and slot. True: a warning, and a new worker in its place. Its slots get `truncated`, a reward of
            0, the last observation and info before as final ones, `info["restarted"]` True, and their next episode.
            A worker that fails again before it has finished anything is not restarted.

    Attributes:
        tasks: The distinct tasks.
        task: Index into `tasks` of each slot's task, shape (slots,).
        obs_dim: Used entries of each slot's state, shape (slots,).
        action_dim: Used entries of each slot's action, shape (slots,).
        action_mask: True where an action entry is used, shape (slots, 16).
        workers: Slots of each worker.

    Raises:
        InputError: An argument cannot be used.
        UnknownTaskError: No such task.
        MissingExtraError: A task's simulator is not installed.
        WorkerError: A worker failed while it started.
    """

    def __init__(
        self,
        tasks: str | Task | Iterable[str | Task],
        num_envs_per_task: int = 1,
        num_workers: int | None = None,
        obs_type: ObsType = "state",
        pad: bool = True,
        seed: int = 0,
        *,
        render_size: int = 224,
        exact_resets: bool = False,
        env_options: Mapping[str, Any] | None = None,
        context: StartMethod | None = None,
        timeout: float = 60.0,
        start_timeout: float = 300.0,
        restart: bool = False,
    ) -> None:
        if obs_type not in OBS_TYPES:
            raise InputError(f"obs_type must be one of {', '.join(OBS_TYPES)}, not {obs_type!r}")
        if num_workers is not None and num_workers < 1:
            raise InputError(f"num_workers must be at least 1, not {num_workers}")
        if min(timeout, start_timeout) <= 0:
            raise InputError(f"timeouts must be positive, not {timeout} and {start_timeout}")
        self._check_seed(seed)
        self._layout = layout = make_layout(tasks, num_envs_per_task, pad)
        self._seed = seed
        self._obs_type = obs_type
        self.num_envs = len(layout.slots)
        self.tasks = layout.tasks
        self.task = layout.task_index
        self.obs_dim = layout.obs_dim
        self.action_dim = layout.action_dim
        self.action_mask = layout.action_mask
        self.metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space = self._make_observation_space(render_size)
        self.single_action_space = spaces.Box(-1.0, 1.0, (layout.action_size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.workers = assign_to_workers(layout.slots, num_workers or available_cores())
        method = start_context(context)
        run_fork_server(method, modules_of_several([[layout.slots[i].task.domain for i in w] for w in self.workers]))
        frame_size = 0 if obs_type == "state" else render_size
        memory = allocate(method, self.num_envs, len(self.workers), layout.obs_size, layout.action_size, frame_size)
        self._buffers = memory.view()
        self._buffers.episode[:] = self._buffers.next_seed[:] = -1
        self._everything = np.arange(self.num_envs)
        self._started = False
        self._previous = self._gather(self._everything) if restart else None
        options = dict(env_options or {})
        plans = [
            WorkerPlan(
                index=index,
                slots={slot: (layout.slots[slot].task.name, layout.slots[slot].copy) for slot in slots},
                obs_type=obs_type,
                render_size=render_size,
                exact_resets=exact_resets,
                env_options=options,
            )
            for index, slots in enumerate(self.workers)
        ]
        self._pool = Pool(method, layout, plans, memory, Timeouts(timeout, start_timeout), restart)

    @staticmethod
    def _check_seed(seed: Any) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise InputError(f"seed must be one integer from 0 up, from which those of all slots derive, not {seed!r}")

    def _make_observation_space(self, render_size: int) -> spaces.Space[Any]:
        state = spaces.Box(-np.inf, np.inf, (self._layout.obs_size,), np.float32)
        rgb = spaces.Box(0, 255, (render_size, render_size, 3), np.uint8)
        if self._obs_type == "state":
            return state
        return rgb if self._obs_type == "rgb" else spaces.Dict({"state": state, "rgb": rgb})

    def reset(
        self,
        *,
        seed: int | Sequence[int] | NDArray[np.integer[Any]] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode in every slot; episodes that are being played are given up.

        Args:
            seed: A new seed for the run, from 0 up: every slot begins with its episode 0. Or one integer in [0, 2**31)
                per slot: every slot's episode 0 is reset with exactly that one, and later ones follow the run's seed
                as it was. None goes on to each slot's next episode, or at the first reset begins with the seed that
                the environment was made with.
            options: None, or `{"episode": k}` with one integer in [0, 2**31) per slot: each slot begins with its
                episode k[slot] of the run instead, whatever it played before. It goes with one seed or None.

        Returns:
            The first observations, and info.

        Raises:
            InputError: The seed or options are others than these.
            WorkerError: A worker failed.
        """
        self._check_usable()
        seeds, episodes = self._check_start(seed, options or {})
        self._pool.collect(int(self._pool.pending.sum()))
        if isinstance(seed, int | np.integer):
            self._seed = int(seed)
        if seed is not None or episodes is not None or not self._started:
            self._begin_with(seeds, episodes)
        slots = self._everything
        while len(slots):  # once, unless a worker fails and takes slots with it that were reset already
            self._pool.submit(RESET, slots)
            self._pool.collect(len(slots))
            slots = np.flatnonzero(self._pool.lost)
        self._pool.replaced[:] = False  # episodes that were lost are given up like all others
        self._started = True
        _, obs, _, _, _, info = self._deliver(self._everything)
        return obs, info

    def _check_start(
        self, seed: Any, options: Mapping[str, Any]
    ) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
        """Checks the arguments of `reset`, and gives the seeds and episodes by slot that they hold."""
        unknown = sorted(set(options) - {"episode"})
        if unknown:
            raise InputError(f"The only reset option is 'episode', got {unknown}")
        seeds = episodes = None
        if isinstance(seed, Sequence | np.ndarray):
            seeds = self._one_per_slot("seed", seed)
        elif seed is not None:
            self._check_seed(seed)
        if "episode" in options:
            if seeds is not None:
                raise InputError("The reset option 'episode' goes with one seed of the run, not with one per slot")
            episodes = self._one_per_slot("episode", options["episode"])
        return seeds, episodes

    def _one_per_slot(self, name: str, values: Any) -> NDArray[np.int64]:
        try:
            given = np.asarray(values)
        except ValueError:  # lists of several lengths
            given = np.empty(0)
        valid = given.shape == (self.num_envs,) and np.issubdtype(given.dtype, np.integer)
        if not valid or not ((given >= 0) & (given < _LIMIT)).all():
            raise InputError(
                f"{name} must be one integer in [0, 2**31) for each of the {self.num_envs} slots, not {values!r}"
            )
        return given.astype(np.int64)

    def _begin_with(self, seeds: NDArray[np.int64] | None, episodes: NDArray[np.int64] | None) -> None:
        """Writes where the next reset begins."""
        if episodes is None:
            episodes = np.zeros(self.num_envs, np.int64)
        if seeds is None:
            slots = zip(self._layout.slots, episodes.tolist(), strict=True)
            seeds = np.array([episode_seed(self._seed, slot.task.name, slot.copy, k) for slot, k in slots])
        self._buffers.run_seed[0] = self._seed
        self._buffers.episode[:] = episodes - 1
        self._buffers.next_seed[:] = seeds

    def step(self, actions: ArrayLike) -> Batch:
        """Plays one step in every slot.

        Args:
            actions: Shape (slots, 16), clipped to [-1, 1]; entries past a task's `action_dim` are ignored.

        Returns:
            Observations, rewards, terminated, truncated, info.

        Raises:
            InputError: The actions have the wrong shape or hold NaN, or slots are pending after `send`.
            gymnasium.error.ResetNeeded: There was no reset yet.
            WorkerError: A worker failed.
        """
        self._submit(STEP, actions, self._everything)
        return self._deliver(self._pool.collect(self.num_envs))[1:]

    def send(self, actions: ArrayLike, slots: ArrayLike | None = None) -> None:
        """Has some slots begin a step, without waiting for it. Each worker plays its slots in the order of arrival.

        Args:
            actions: One row for each of these slots, as in `step`.
            slots: Indices of slots that are not pending, or a mask of shape (slots,); None for all.

        Raises:
            InputError: The actions or slots cannot be used.
            gymnasium.error.ResetNeeded: There was no reset yet.
            WorkerError: A worker failed before.
        """
        self._submit(STEP_EACH, actions, self._everything if slots is None else self._indices(slots))

    def recv(self, min_slots: int = 1) -> Received:
        """Waits until slots have finished their steps.

        Args:
            min_slots: How many to wait for, of those that are pending. More may be ready.

        Returns:
            The slots that are ready, in ascending order, and what `step` returns with one row for each of them.

        Raises:
            InputError: Fewer slots are pending.
            WorkerError: A worker failed.
        """
        self._check_usable()
        pending = int(self._pool.pending.sum())
        if not 1 <= min_slots <= pending:
            raise InputError(f"min_slots must lie in 1..{pending}, the number of pending slots, not {min_slots}")
        return self._deliver(self._pool.collect(min_slots))

    @property
    def pending(self) -> NDArray[np.bool_]:
        """True for slots that were sent an action and not received yet, shape (slots,)."""
        pending: NDArray[np.bool_] = self._pool.pending.copy()
        return pending

    @property
    def episode(self) -> NDArray[np.int64]:
        """Index of the episode that each slot plays, shape (slots,); -1 before the first reset.

        A slot that is pending may or may not have gone on to its next one.
        """
        episode: NDArray[np.int64] = self._buffers.episode.copy()
        return episode

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the workers, for looking at their memory and time; empty once they have ended."""
        return self._pool.pids

    def _indices(self, slots: ArrayLike) -> NDArray[np.int64]:
        chosen = np.asarray(slots)
        if chosen.dtype == np.bool_ and chosen.shape == (self.num_envs,):
            return np.flatnonzero(chosen)
        if chosen.ndim != 1 or (chosen.size and not np.issubdtype(chosen.dtype, np.integer)):
            raise InputError(f"slots must be indices or a mask of shape ({self.num_envs},), not {slots!r}")
        valid = (chosen >= 0) & (chosen < self.num_envs)
        if not valid.all() or len(np.unique(chosen)) < len(chosen):
            raise InputError(f"slots must be distinct and lie in 0..{self.num_envs - 1}, not {chosen.tolist()}")
        return chosen.astype(np.int64)

    def _submit(self, command: bytes, actions: ArrayLike, slots: NDArray[np.int64]) -> None:
        """Checks everything before anything is written, so that a refused call changes nothing."""
        self._check_usable()
        if not self._started:
            raise gymnasium.error.ResetNeeded("step or send before the first reset")
        if self._pool.pending[slots].any():
            busy = slots[self._pool.pending[slots]].tolist()
            raise InputError(f"slots {busy[:8]} are still pending; receive them first, or reset")
        values = np.asarray(actions, np.float32)
        shape = (len(slots), self._layout.action_size)
        if values.shape != shape:
            raise InputError(f"actions must have shape {shape}, not {values.shape}")
        undefined = np.isnan(values) & self.action_mask[slots]
        if undefined.any():
            slot = int(slots[undefined.any(axis=1).argmax()])
            raise InputError(f"{self._layout.slots[slot].task.id} in slot {slot}: the action holds NaN")
        self._buffers.action[slots] = values
        self._pool.submit(command, slots)

    def _deliver(self, slots: NDArray[np.int64]) -> Received:
        """Copies what the slots have produced out of shared memory."""
        buffers = self._buffers
        restarted = self._pool.replaced[slots]
        if restarted.any():
            self._complete_lost(slots[restarted])
        info: dict[str, Any] = {}
        truncated = buffers.truncated[slots]
        if truncated.any():
            info["final_obs"], info["_final_obs"] = self._final_observations(slots, truncated), truncated.copy()
            final = _masked({"success": buffers.final_success[slots], "score": buffers.final_score[slots]}, truncated)
            info["final_info"], info["_final_info"] = final, truncated.copy()
        everywhere = np.ones(len(slots), np.bool_)
        info.update(_masked({"success": buffers.success[slots], "score": buffers.score[slots]}, everywhere))
        if restarted.any():
            info["restarted"], info["_restarted"] = restarted.copy(), everywhere.copy()
            self._pool.replaced[slots] = False
        if self._previous is not None:
            self._remember(slots)
        terminated = np.zeros(len(slots), np.bool_)
        return slots, self._observations(slots), buffers.reward[slots], terminated, truncated, info

    def _observations(self, slots: NDArray[np.int64]) -> Any:
        if self._obs_type == "state":
            return self._buffers.state[slots]
        frames = self._buffers.frame[slots]
        return frames if self._obs_type == "rgb" else {"state": self._buffers.state[slots], "rgb": frames}

    def _final_observations(self, slots: NDArray[np.int64], truncated: NDArray[np.bool_]) -> NDArray[np.object_]:
        found = np.full(len(slots), None, dtype=object)
        for row in np.flatnonzero(truncated):
            state = self._buffers.final_state[slots[row]]
            if self._obs_type == "state":
                found[row] = state.copy()
            else:
                frame = self._buffers.final_frame[slots[row]].copy()
                found[row] = frame if self._obs_type == "rgb" else {"state": state.copy(), "rgb": frame}
        return found

    def _gather(self, slots: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        return {name: getattr(self._buffers, name)[slots] for name in self._remembered()}

    def _remembered(self) -> tuple[str, ...]:
        kinds = {"state": ("state",), "rgb": ("frame",), "state_rgb": ("state", "frame")}
        return (*kinds[self._obs_type], "success", "score")

    def _remember(self, slots: NDArray[np.int64]) -> None:
        """Keeps what was delivered last, for slots whose worker may fail before the next step is done."""
        assert self._previous is not None
        for name, values in self._gather(slots).items():
            self._previous[name][slots] = values

    def _complete_lost(self, slots: NDArray[np.int64]) -> None:
        """Writes how an episode that was lost with its worker ended, into rows that only this process touches now."""
        assert self._previous is not None
        self._buffers.reward[slots] = 0.0
        self._buffers.truncated[slots] = True
        for name in self._remembered():
            getattr(self._buffers, f"final_{name}")[slots] = self._previous[name][slots]

    def _check_usable(self) -> None:
        if self.closed:
            raise gymnasium.error.ClosedEnvironmentError("the vector environment is closed")
        self._pool.check()

    def close_extras(self, **kwargs: Any) -> None:
        """Ends the workers. Called by `close`."""
        if hasattr(self, "_pool"):
            self._pool.close()

    def __repr__(self) -> str:
        return f"TaskVectorEnv(tasks={len(self.tasks)}, num_envs={self.num_envs}, workers={len(self.workers)})"


def _masked(arrays: dict[str, NDArray[Any]], mask: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Info arrays, zero outside of the mask, each beside a copy of the mask: Gymnasium's form."""
    found: dict[str, NDArray[Any]] = {}
    for name, values in arrays.items():
        found[name] = np.where(mask, values, 0.0)
        found[f"_{name}"] = mask.copy()
    return found
