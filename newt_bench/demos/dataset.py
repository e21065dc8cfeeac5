"""Demonstrations of one or many tasks, as arrays, as episodes, and as windows for PyTorch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.catalogue import PADDED_ACTION_DIM, PADDED_OBS_DIM, Task
from newt_bench.demos.format import Episode, Info
from newt_bench.demos.frames import FrameFile, frames_path
from newt_bench.demos.reading import DemoFile
from newt_bench.errors import DemosError, InputError
from newt_bench.replay import Replay, Sampling

__all__ = ["Demos", "TaskDemos", "Windows"]


class TaskDemos:
    """The demonstrations of one task. Arrays are read, or mapped, when they are first used.

    Steps of all episodes follow each other in `action`, `reward`, `success` and `score`; observations, one more per
    episode, in `observation`. Episode k has the steps `offsets[k]:offsets[k + 1]`, and the observations
    `offsets[k] + k : offsets[k + 1] + k + 1`.

    Args:
        file: The opened file.
        mapped: Map arrays into memory instead of reading them: only what is used takes memory, shared by processes.
    """

    def __init__(self, file: DemoFile, mapped: bool = False) -> None:
        self._file = file
        self._mapped = mapped

    @property
    def task(self) -> Task:
        """The catalogue's record of the task."""
        return self._file.task

    @property
    def info(self) -> Info:
        """Where the demonstrations come from."""
        return self._file.info

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    @property
    def steps(self) -> int:
        """Number of steps, over all episodes."""
        return self._file.steps

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Boundaries of the episodes in steps, shape (episodes + 1,)."""
        return self._file.offsets

    def width(self, name: str) -> int:
        """Entries of a row of `observation`, `action` or `feature`, without reading any."""
        return self._file.shape(name)[1]

    @cached_property
    def observation(self) -> NDArray[np.float32]:
        """Shape (steps + episodes, obs_dim)."""
        return self._array("observation")

    @cached_property
    def action(self) -> NDArray[np.float32]:
        """Shape (steps, action_dim), in [-1, 1]."""
        return self._array("action")

    @cached_property
    def reward(self) -> NDArray[np.float32]:
        """Shape (steps,)."""
        return self._array("reward")

    @cached_property
    def success(self) -> NDArray[np.int8]:
        """Shape (steps,): 0 or 1 after each step, -1 where not defined or not known."""
        return self._array("success")

    @cached_property
    def score(self) -> NDArray[np.float32]:
        """Shape (steps,): score so far, NaN where not known."""
        return self._array("score")

    @cached_property
    def reset_seed(self) -> NDArray[np.int64]:
        """Shape (episodes,): seeds of the resets, -1 where not known."""
        return self._array("reset_seed")

    @cached_property
    def feature(self) -> NDArray[np.float32] | None:
        """Shape (steps + episodes, width): features of images of the observations; None where there are none."""
        return self._array("feature") if "feature" in self._file.columns else None

    @cached_property
    def frame_file(self) -> FrameFile | None:
        """The file of images of the observations beside this one, opened now; None where there is none.

        Raises:
            DemosError: It is damaged, unsafe, or belongs to other demonstrations.
        """
        path = frames_path(self.path)
        if not path.exists():
            return None
        frames = FrameFile(path)
        frames.check_match(self._file)
        return frames

    def frames(self, index: int) -> NDArray[np.uint8]:
        """Images of the observations of one episode, decoded now, shape (L + 1, height, width, 3).

        Raises:
            DemosError: There are none, or they are damaged.
            InputError: There is no such episode.
            MissingExtraError: Pillow is not installed.
        """
        _, observations = self._rows(index)
        if self.frame_file is None:
            raise DemosError(
                f"{self.path} has no frames beside it. Load demonstrations with frames=True where their source has "
                "frames, or draw them with: newt-bench demos collect --frames SIZE"
            )
        return self.frame_file.decoded(observations.start, observations.stop)

    @property
    def returns(self) -> NDArray[np.float64]:
        """Sum of the rewards of every episode, shape (episodes,)."""
        sums: NDArray[np.float64] = np.add.reduceat(self.reward, self.offsets[:-1], dtype=np.float64)
        return sums

    @property
    def final_success(self) -> NDArray[np.int8]:
        """Success at the last step of every episode, shape (episodes,)."""
        return self.success[self.offsets[1:] - 1]

    @property
    def final_score(self) -> NDArray[np.float32]:
        """Score of every episode, shape (episodes,)."""
        return self.score[self.offsets[1:] - 1]

    def episode(self, index: int) -> Episode:
        """One episode; its arrays are views."""
        steps, observations = self._rows(index)
        feature = self.feature
        return Episode(
            observation=self.observation[observations],
            action=self.action[steps],
            reward=self.reward[steps],
            success=self.success[steps],
            score=self.score[steps],
            reset_seed=int(self.reset_seed[index]),
            feature=None if feature is None else feature[observations],
            task=self.info.task,
        )

    def add_to(self, replay: Replay, task: int = 0) -> None:
        """Copies all episodes into a replay buffer, each array once and straight from the file if it was not read yet.

        Args:
            replay: A buffer with rows that are wide enough.
            task: Index by which the buffer knows the task.

        Raises:
            InputError: The buffer's rows are too narrow, or an episode does not fit it.
        """
        observation, action, reward = (self._once(name) for name in ("observation", "action", "reward"))
        replay.extend(task, observation, action, reward, np.diff(self.offsets))

    def __len__(self) -> int:
        """Number of episodes."""
        return self._file.episodes

    def __iter__(self) -> Iterator[Episode]:
        return (self.episode(index) for index in range(len(self)))

    def __repr__(self) -> str:
        return f"TaskDemos({self.info.task}: {len(self)} episodes, {self.steps} steps)"

    def __getstate__(self) -> dict[str, Any]:
        # Arrays stay behind: another process maps or reads its own.
        return {"_file": self._file, "_mapped": self._mapped}

    def _rows(self, index: int) -> tuple[slice, slice]:
        """Steps and observations of an episode."""
        if not 0 <= index < len(self):
            raise InputError(f"{self.info.task} has demonstrations 0..{len(self) - 1}, and not {index}")
        start, end = int(self.offsets[index]), int(self.offsets[index + 1])
        return slice(start, end), slice(start + index, end + index + 1)

    def _array(self, name: str) -> NDArray[Any]:
        return self._file.map(name) if self._mapped else self._file.read(name)

    def _once(self, name: str) -> NDArray[Any]:
        """An array that is used once and not kept."""
        return self.__dict__[name] if name in self.__dict__ else self._file.map(name)


class Demos(Mapping[str, TaskDemos]):
    """Demonstrations by task name, in the order asked for.

    Args:
        tasks: What is known of each task.
    """

    def __init__(self, tasks: Sequence[TaskDemos]) -> None:
        self._tasks = {item.info.task: item for item in tasks}
        if len(self._tasks) < len(tasks):
            raise DemosError("Two files hold demonstrations of the same task")

    def __getitem__(self, task: str) -> TaskDemos:
        if task not in self._tasks:
            raise KeyError(f"there are no demonstrations of {task!r} here")
        return self._tasks[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        """Number of tasks."""
        return len(self._tasks)

    @property
    def steps(self) -> int:
        """Number of steps, over all tasks."""
        return sum(item.steps for item in self.values())

    def episodes(self) -> Iterator[Episode]:
        """All episodes, task by task: what a replay buffer takes in."""
        for item in self.values():
            yield from item

    def to_replay(
        self,
        horizon: int = 3,
        sampling: Sampling = "episode",
        *,
        capacity: int | None = None,
        folder: Path | None = None,
    ) -> Replay:
        """Makes a replay buffer that holds all demonstrations, in one pass over the files.

        Tasks have the indices of their order here. See `TaskDemos.add_to` for a buffer that exists.

        Args:
            horizon: Steps of the subsequences that it draws.
            sampling: What it draws uniformly, see `newt_bench.replay.Replay`.
            capacity: Its rows. None: as many as the demonstrations need, one per observation.
            folder: Keep its rows in a file there instead of in memory.

        Raises:
            InputError: An episode is shorter than `horizon`, or there is no room for the buffer.
        """
        items = list(self.values())
        widths = [[item.width(name) for item in items] for name in ("observation", "action")]
        rows = sum(item.steps + len(item) for item in items) if capacity is None else capacity
        replay = Replay(rows, max(widths[0]), max(widths[1]), horizon=horizon, sampling=sampling, folder=folder)
        for number, item in enumerate(items):
            item.add_to(replay, number)
        return replay

    def windows(self, horizon: int = 1, padded: bool | None = None) -> Windows:
        """A data set for PyTorch of all runs of `horizon` steps, see `Windows`."""
        return Windows(self, horizon, padded)

    def __repr__(self) -> str:
        episodes = sum(len(item) for item in self.values())
        return f"Demos({len(self)} tasks, {episodes} episodes, {self.steps} steps)"


class Windows:
    """All runs of `horizon` consecutive steps within episodes: a map-style data set for `torch.utils.data.DataLoader`.

    An item is a dictionary of arrays, which the loader turns into tensors: `observation` (horizon + 1, obs_dim),
    `action` (horizon, action_dim), `reward` (horizon,), and `task`, the index of the task among the demonstrations.
    It may be sent to worker processes, forked or spawned: it holds no open file, and each of them opens its own.

    Args:
        demos: The demonstrations.
        horizon: Steps in an item.
        padded: Whether observations and actions are padded with zeros to 128 and 16 entries, so that items of
            different tasks can be stacked. None: if there is more than one task.

    Raises:
        InputError: No episode is that long.
    """

    def __init__(self, demos: Demos, horizon: int = 1, padded: bool | None = None) -> None:
        if horizon < 1:
            raise InputError(f"horizon must be at least 1, not {horizon}")
        self._tasks = tuple(demos.values())
        self._horizon = horizon
        self._padded = len(self._tasks) > 1 if padded is None else padded
        # Starts are counted per episode, not listed: the table takes memory by episodes and not by steps.
        lengths = [np.diff(item.offsets) for item in self._tasks]
        counts = np.concatenate([np.maximum(length - horizon + 1, 0) for length in lengths])
        self._ends = np.cumsum(counts)
        self._first = self._ends - counts
        self._step = np.concatenate([item.offsets[:-1] for item in self._tasks])
        self._owner = np.repeat(np.arange(len(self._tasks)), [len(item) for item in self._tasks])
        self._number = np.concatenate([np.arange(len(item)) for item in self._tasks])
        if not len(self):
            raise InputError(f"No episode has {horizon} steps")

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return {name: values[0] for name, values in self.batch(np.array([index])).items()}

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        batch = self.batch(np.asarray(indices))
        return [{name: values[row] for name, values in batch.items()} for row in range(len(indices))]

    def sample(self, size: int, random: np.random.Generator) -> dict[str, NDArray[Any]]:
        """Draws items, each as likely as the others, and stacks them in the order of the data set."""
        return self.batch(np.sort(random.integers(len(self), size=size)))

    def batch(self, indices: NDArray[np.integer]) -> dict[str, NDArray[Any]]:
        """Items stacked along a new first axis.

        Args:
            indices: Indices in [0, len(self)).
        """
        indices = np.asarray(indices)
        order = np.argsort(indices, kind="stable")  # items of a task next to each other
        in_order = bool((order[1:] > order[:-1]).all())
        episode = np.searchsorted(self._ends, indices[order], side="right")
        steps = self._step[episode] + indices[order] - self._first[episode]
        owner, size = self._owner[episode], len(indices)
        obs_dim, action_dim = self._widths(owner)
        batch: dict[str, NDArray[Any]] = {
            "observation": np.zeros((size, self._horizon + 1, obs_dim), np.float32),
            "action": np.zeros((size, self._horizon, action_dim), np.float32),
            "reward": np.empty((size, self._horizon), np.float32),
            "task": np.empty(size, np.int64),
        }
        rows = steps[:, None] + np.arange(self._horizon + 1)
        seen = rows + self._number[episode, None]
        for start, end in itertools.pairwise([0, *(np.flatnonzero(np.diff(owner)) + 1), size]):
            item, part = self._tasks[owner[start]], slice(start, end)
            place = part if in_order else order[part]
            _put(batch["observation"], place, item.observation, seen[part])
            _put(batch["action"], place, item.action, rows[part, :-1])
            batch["reward"][place] = item.reward.take(rows[part, :-1], mode="clip")
            batch["task"][place] = owner[start]
        return batch

    def _widths(self, owner: NDArray[np.integer]) -> tuple[int, int]:
        if self._padded:
            return PADDED_OBS_DIM, PADDED_ACTION_DIM
        shapes = {(self._tasks[k].observation.shape[1], self._tasks[k].action.shape[1]) for k in np.unique(owner)}
        if len(shapes) > 1:
            raise InputError("Tasks of different sizes cannot be stacked unless padded")
        return shapes.pop()


def _put(target: NDArray[Any], place: slice | NDArray[Any], source: NDArray[Any], picked: NDArray[Any]) -> None:
    """Copies picked rows of `source` to items of `target`, which may be wider and is zero."""
    width = source.shape[1]  # "clip" spares a copy, or a check; nothing is out of range
    if isinstance(place, slice) and width == target.shape[2]:
        source.take(picked, axis=0, out=target[place], mode="clip")
    else:
        target[place, :, :width] = source.take(picked, axis=0, mode="clip")
