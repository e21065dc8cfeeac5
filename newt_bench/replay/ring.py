"""The ring: whole episodes in consecutive rows, and subsequences drawn from them without loops.

An episode of L steps takes L + 1 consecutive rows: row t holds the observation after t steps, and the action and
reward that led to it; row 0 has no action and a reward of 0. No episode is split over the ring's end.
"""

from __future__ import annotations

import dataclasses
import itertools
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from newt_bench.errors import InputError

__all__ = ["Episode", "Replay", "Sampling", "Sequences", "Transitions", "available_memory"]

Sampling = Literal["episode", "transition", "task"]

#: Part of the available memory, or disk, that a buffer may take.
_USABLE = 0.9
#: Rows that are copied at a time.
_BLOCK = 2048


@dataclasses.dataclass(frozen=True)
class Episode:
    """One whole episode.

    Attributes:
        task: Task index.
        obs: Observations, shape (L + 1, up to the buffer's width).
        action: Actions in [-1, 1], shape (L, up to the buffer's width).
        reward: Rewards, shape (L,).
    """

    task: int
    obs: NDArray[np.float32]
    action: NDArray[np.float32]
    reward: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.reward)


@dataclasses.dataclass(frozen=True)
class Sequences:
    """Subsequences of episodes, time first. The arrays are views of one that has them side by side.

    Attributes:
        obs: Shape (H + 1, batch, width).
        action: Shape (H, batch, width).
        reward: Shape (H, batch).
        task: Shape (batch,).
    """

    obs: NDArray[np.float32]
    action: NDArray[np.float32]
    reward: NDArray[np.float32]
    task: NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Transitions:
    """Transitions over up to n steps.

    Attributes:
        obs: Observations, shape (batch, width).
        action: The first step's actions, shape (batch, width).
        reward: Discounted sums of the steps' rewards, shape (batch,).
        next_obs: Observations after the last step, shape (batch, width); at an episode's end its final ones.
        steps: Number of rewards in the sum, and hence the exponent of the discount to bootstrap with, shape (batch,).
        task: Task indices, shape (batch,).
    """

    obs: NDArray[np.float32]
    action: NDArray[np.float32]
    reward: NDArray[np.float32]
    next_obs: NDArray[np.float32]
    steps: NDArray[np.int64]
    task: NDArray[np.int64]


class Replay:
    """A ring of episodes; the oldest make room for new ones.

    Rows are as wide as the widest task in the buffer needs, not as the padded inputs of networks. Memory is
    claimed at once, and used as it fills.

    Args:
        capacity: Rows, that is steps and one more per episode.
        obs_width: Entries per observation.
        action_width: Entries per action.
        horizon: Steps of a subsequence. Episodes must have as many.
        sampling: What is drawn uniformly: an `episode` and then a position in it; a `transition`, that is
            any position of any episode; or a `task`, and then any position of any of its episodes.
        folder: Keep the rows in a file there instead of in memory; made if missing, and emptied.

    Raises:
        InputError: The rows do not fit in memory, or on the disk; the message tells both figures.
    """

    def __init__(
        self,
        capacity: int,
        obs_width: int,
        action_width: int,
        *,
        horizon: int = 3,
        sampling: Sampling = "episode",
        folder: Path | None = None,
    ) -> None:
        if capacity < 1 or horizon < 1:
            raise InputError(f"A replay buffer needs capacity and horizon of 1 or more, not {capacity} and {horizon}")
        self.capacity, self.horizon, self.sampling = capacity, horizon, sampling
        self.obs_width, self.action_width = obs_width, action_width
        _check_room(self.bytes, capacity, folder)
        # Observation, action and reward of a row lie side by side: one gather fetches all of a subsequence.
        self._rows = _make_rows(folder, (capacity, obs_width + action_width + 1))
        self._obs, self._action, self._reward = self._split(self._rows)
        # Episodes from oldest to newest: first row, length in steps, task.
        self._episodes = np.zeros((0, 3), np.int64)
        self._next = 0
        self._indices: dict[int, _Index] = {}

    @property
    def bytes(self) -> int:
        """Size of the rows in bytes, once full."""
        return 4 * self.capacity * (self.obs_width + self.action_width + 1)

    @property
    def num_episodes(self) -> int:
        """Episodes held."""
        return len(self._episodes)

    @property
    def num_steps(self) -> int:
        """Steps held."""
        return int(self._episodes[:, 1].sum())

    def add(self, episode: Episode) -> None:
        """Takes in an episode, in place of as many of the oldest as it needs.

        Raises:
            InputError: It is shorter than a subsequence, longer than the buffer, or wider.
        """
        self.extend(episode.task, episode.obs, episode.action, episode.reward, np.array([len(episode)]))

    def extend(
        self,
        task: int,
        obs: NDArray[np.float32],
        action: NDArray[np.float32],
        reward: NDArray[np.float32],
        lengths: NDArray[np.integer],
    ) -> None:
        """Takes in episodes of one task that follow each other in flat arrays, as `add` would one by one.

        Args:
            task: Task index.
            obs: Observations, shape (sum of lengths + number of episodes, up to the buffer's width).
            action: Actions in [-1, 1], shape (sum of lengths, up to the buffer's width).
            reward: Rewards, shape (sum of lengths,).
            lengths: Steps of every episode, shape (episodes,).

        Raises:
            InputError: An episode is shorter than a subsequence or longer than the buffer, the arrays are wider, or
                they do not fit the lengths. The buffer is as it was.
        """
        self._check(obs, action, reward, lengths)
        ends = np.cumsum(lengths + 1)
        done, taken = 0, 0  # episodes, rows
        while done < len(lengths):
            start = self._next if self._next + lengths[done] + 1 <= self.capacity else 0
            until = int(np.searchsorted(ends, taken + self.capacity - start, side="right"))
            rows, steps = slice(taken, int(ends[until - 1])), slice(taken - done, int(ends[until - 1]) - until)
            self._put(start, task, obs[rows], action[steps], reward[steps], lengths[done:until])
            done, taken = until, rows.stop

    def sample(self, batch: int, rng: np.random.Generator) -> Sequences:
        """Draws subsequences.

        Args:
            batch: How many.
            rng: Source of the draws.

        Raises:
            InputError: There is no episode yet.
        """
        episode, offset = self._draw(batch, self.horizon, rng)
        first, _, task = self._episodes[episode].T
        rows = first + offset + np.arange(self.horizon + 1)[:, None]
        obs, action, reward = self._split(self._rows.take(rows, axis=0, mode="clip"))  # "clip" skips a check of bounds
        return Sequences(obs, action[1:], reward[1:], task)

    def sample_transitions(
        self, batch: int, rng: np.random.Generator, *, discount: NDArray[np.float64], steps: int = 1
    ) -> Transitions:
        """Draws transitions over several steps, or over as many as their episode still has. Any step may be the first.

        Args:
            batch: How many.
            rng: Source of the draws.
            discount: Discount of each task, by task index.
            steps: Steps of a transition.

        Raises:
            InputError: There is no episode yet, or `steps` is below 1.
        """
        if steps < 1:
            raise InputError(f"A transition needs 1 step or more, not {steps}")
        episode, offset = self._draw(batch, 1, rng)
        first, length, task = self._episodes[episode].T
        start, count = first + offset, np.minimum(steps, length - offset)
        ahead = np.arange(steps)[:, None]
        # Steps beyond the episode's end weigh nothing; their row is that of the end, so that none is out of range.
        rewards = self._reward[start + 1 + np.minimum(ahead, count - 1)]
        weights = np.where(ahead < count, discount[task] ** ahead, 0)
        reward = (weights * rewards).sum(0).astype(np.float32)
        return Transitions(self._obs[start], self._action[start + 1], reward, self._obs[start + count], count, task)

    def state(self) -> dict[str, NDArray[Any]]:
        """What the buffer holds, as arrays by name: the rows of its episodes, one after another."""
        rows = self._held_rows()
        return {
            "episodes": self._episodes,
            "next": np.array(self._next),
            "obs": self._obs[rows],
            "action": self._action[rows],
            "reward": self._reward[rows],
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Goes on from what `state` told, to the same draws.

        Raises:
            InputError: It does not fit this buffer.
        """
        episodes = np.asarray(state["episodes"], np.int64)
        widths = (state["obs"].shape[1], state["action"].shape[1])
        reach = int((episodes[:, 0] + episodes[:, 1] + 1).max(initial=0))
        if widths != (self.obs_width, self.action_width) or reach > self.capacity:
            raise InputError(
                f"The saved replay buffer has rows of {widths} up to row {reach}; this one has rows of "
                f"{(self.obs_width, self.action_width)} and {self.capacity} of them"
            )
        self._episodes, self._next = episodes.copy(), int(state["next"])
        self._indices.clear()
        rows = self._held_rows()
        self._obs[rows], self._action[rows], self._reward[rows] = state["obs"], state["action"], state["reward"]

    def _put(
        self,
        start: int,
        task: int,
        obs: NDArray[np.float32],
        action: NDArray[np.float32],
        reward: NDArray[np.float32],
        lengths: NDArray[np.integer],
    ) -> None:
        """Writes episodes to consecutive rows, over what was there."""
        ends = start + np.cumsum(lengths + 1)
        starts, end = ends - lengths - 1, int(ends[-1])
        first, held = self._episodes[:, 0], self._episodes[:, 1]
        overlaps = (first < end) & (first + held + 1 > start)
        if start != self._next:  # gone round: what lies beyond is the oldest
            overlaps |= first >= self._next
        new = np.stack((starts, lengths, np.full(len(lengths), task)), 1)
        self._episodes = np.concatenate((self._episodes[~overlaps], new))
        for a, b in _blocks(lengths):
            rows, steps = (
                slice(starts[a] - start, ends[b - 1] - start),
                slice(starts[a] - start - a, ends[b - 1] - start - b),
            )
            shape = (b - a, int(lengths[a]), -1)
            block = self._rows[starts[a] : ends[b - 1]]
            block[:, : obs.shape[1]] = obs[rows]
            block[:, obs.shape[1] : self.obs_width] = 0
            _, actions, rewards = self._split(block.reshape(b - a, int(lengths[a]) + 1, -1))
            actions[:, 0], rewards[:, 0] = 0, 0
            actions[:, 1:, : action.shape[1]] = action[steps].reshape(shape)
            actions[:, 1:, action.shape[1] :] = 0
            rewards[:, 1:] = reward[steps].reshape(shape[:2])
        self._next = end
        self._indices.clear()

    def _split(self, rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Views of the observations, actions and rewards of rows."""
        return rows[..., : self.obs_width], rows[..., self.obs_width : -1], rows[..., -1]

    def _draw(self, batch: int, horizon: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Episodes, and positions in them that `horizon` steps follow."""
        if not len(self._episodes):
            raise InputError("The replay buffer is empty")
        if horizon not in self._indices:
            self._indices[horizon] = _Index(self._episodes, horizon)
        return self._indices[horizon].draw(batch, self.sampling, rng)

    def _held_rows(self) -> NDArray[np.int64]:
        """Indices of all rows in use."""
        counts = self._episodes[:, 1] + 1
        ends = counts.cumsum()
        return np.arange(ends[-1] if len(ends) else 0) + np.repeat(self._episodes[:, 0] - (ends - counts), counts)

    def _check(
        self,
        obs: NDArray[np.float32],
        action: NDArray[np.float32],
        reward: NDArray[np.float32],
        lengths: NDArray[np.integer],
    ) -> None:
        for length in lengths[(lengths < self.horizon) | (lengths >= self.capacity)][:1]:
            raise InputError(
                f"An episode of {length} steps does not fit a replay buffer of {self.capacity} rows that draws "
                f"subsequences of {self.horizon}"
            )
        if obs.shape[1] > self.obs_width or action.shape[1] > self.action_width:
            raise InputError(
                f"Observations and actions of {obs.shape[1]} and {action.shape[1]} entries do not fit "
                f"rows of {self.obs_width} and {self.action_width}"
            )
        steps = int(lengths.sum())
        if (len(obs), len(action), len(reward)) != (steps + len(lengths), steps, steps):
            raise InputError(
                f"{len(obs)} observations, {len(action)} actions and {len(reward)} rewards do not make "
                f"{len(lengths)} episodes of {steps} steps"
            )


class _Index:
    """What drawing needs to know of a set of episodes."""

    def __init__(self, episodes: NDArray[np.int64], horizon: int) -> None:
        # In the order of tasks, so that the positions of one task are consecutive.
        self.order = np.argsort(episodes[:, 2], kind="stable")
        self.positions = episodes[:, 1] - horizon + 1
        self.ends = self.positions[self.order].cumsum()
        last = np.flatnonzero(np.diff(episodes[self.order, 2], append=-1))
        self.task_ends = self.ends[last]
        self.task_starts = np.concatenate((np.zeros(1, np.int64), self.task_ends[:-1]))

    def draw(
        self, batch: int, sampling: Sampling, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Episodes, and positions in them."""
        if sampling == "episode":
            episode = rng.integers(len(self.positions), size=batch)
            return episode, rng.integers(self.positions[episode])
        if sampling == "task":
            task = rng.integers(len(self.task_ends), size=batch)
            position = rng.integers(self.task_starts[task], self.task_ends[task])
        else:
            position = rng.integers(self.ends[-1], size=batch)
        place = np.searchsorted(self.ends, position, side="right")
        episode = self.order[place]
        return episode, np.asarray(position - (self.ends[place] - self.positions[episode]), np.int64)


def _blocks(lengths: NDArray[np.integer]) -> Iterator[tuple[int, int]]:
    """Runs of episodes of the same length, short enough to stay in the processor's cache while they are copied."""
    for first, last in itertools.pairwise([0, *(np.flatnonzero(np.diff(lengths)) + 1), len(lengths)]):
        size = max(1, _BLOCK // int(lengths[first] + 1))
        yield from ((k, min(k + size, last)) for k in range(first, last, size))


def available_memory() -> int | None:
    """Bytes of memory that can be had without swapping, as far as this system tells."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux
    return None


def _check_room(needed: int, capacity: int, folder: Path | None) -> None:
    if folder is None:
        room, where, remedy = available_memory(), "memory", "Keep it on disk (`replay_folder`), or lower"
    else:
        folder.mkdir(parents=True, exist_ok=True)
        room, where, remedy = shutil.disk_usage(folder).free, f"{folder}", "Choose another folder, or lower"
    if room is not None and needed > _USABLE * room:
        raise InputError(
            f"A replay buffer of {capacity:,} steps takes {needed / 1e9:.2f} GB; {where} has {room / 1e9:.2f} GB free. "
            f"{remedy} `replay_capacity` to {int(capacity * _USABLE * room / needed):,}"
        )


def _make_rows(folder: Path | None, shape: tuple[int, int]) -> NDArray[np.float32]:
    if folder is None:
        return np.zeros(shape, np.float32)  # pages are claimed when written to
    rows: NDArray[np.float32] = np.lib.format.open_memmap(folder / "rows.npy", mode="w+", dtype=np.float32, shape=shape)
    return rows.view(np.ndarray)
