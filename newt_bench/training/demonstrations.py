"""Demonstrations in the form that agents take them in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from newt_bench.catalogue import Task
from newt_bench.demos import load_demos
from newt_bench.errors import DemosError
from newt_bench.replay import Episode

__all__ = ["HUB", "demonstration_episodes"]

#: What `demonstrations` is set to for the published ones.
HUB = "hub"

#: Episodes taken of each task of a domain, where there are more: as the published agent was trained.
_FIRST_EPISODES = {"maniskill": 20}


def demonstration_episodes(
    source: str, tasks: Sequence[Task], mine: Sequence[int], *, features: bool
) -> Iterator[Episode]:
    """Reads demonstrations.

    Args:
        source: A folder, or `hub`.
        tasks: The agent's tasks.
        mine: Indices of the tasks that are wanted.
        features: Whether image features are wanted, behind the states.

    Yields:
        Episodes, task by task; their `task` is the index into `tasks`.

    Raises:
        DemosError: A task has none in the folder, or image features are wanted and missing.
        DownloadError: They cannot be had from the Hub.
    """
    wanted = [tasks[index] for index in mine]
    demos = load_demos(wanted, root=None if source == HUB else source)
    for index in mine:
        task = tasks[index]
        for episode in itertools.islice(demos[task.name], _FIRST_EPISODES.get(task.domain)):
            seen = episode.observation
            if features:
                if episode.feature is None:
                    raise DemosError(f"The demonstrations of {task.name} hold no image features, which pixels need")
                seen = np.concatenate((seen, episode.feature), 1)
            yield Episode(index, seen, episode.action, episode.reward)
