"""Demonstrations in the form that agents take them in."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from newt_bench.agents.scripted import scripted_tasks
from newt_bench.catalogue import Task
from newt_bench.collection import collect
from newt_bench.demos import load_demos
from newt_bench.errors import DemosError, InputError
from newt_bench.replay import Episode

__all__ = ["HUB", "SCRIPTED", "collect_scripted", "demonstration_episodes"]

logger = logging.getLogger(__name__)

#: What `demonstrations` is set to for the published ones.
HUB = "hub"
#: What `demonstrations` is set to for those that scripted experts play when the run begins.
SCRIPTED = "scripted"

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
    if not wanted:  # none of this process's tasks has an expert
        return
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


def collect_scripted(
    folder: Path, tasks: Sequence[Task], mine: Sequence[int], episodes: int, progress: bool
) -> list[int]:
    """Lets the scripted experts play, see `newt_bench.collection.collect`.

    The demonstrations do not depend on the run's seed: as with published ones, all seeds learn from the same.

    Args:
        folder: Where the files go; those that are there are kept.
        tasks: The agent's tasks.
        mine: Indices of the tasks that are wanted.
        episodes: Accepted episodes per task.
        progress: Whether to show a progress bar.

    Returns:
        Indices of those that have an expert, and hence demonstrations now.

    Raises:
        InputError: None of the agent's tasks has an expert.
    """
    experts = set(scripted_tasks())
    if not experts.intersection(tasks):
        raise InputError("None of the tasks has a scripted expert; name a folder of demonstrations, or hub")
    played = [index for index in mine if tasks[index] in experts]
    lacking = [tasks[index].name for index in mine if tasks[index] not in experts]
    if lacking:
        logger.warning("there is no scripted expert, and hence no demonstration, of %s", ", ".join(lacking))
    if played:
        collect([tasks[index] for index in played], folder, episodes=episodes, progress=progress)
    return played
