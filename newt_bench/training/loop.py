"""The training loop: an agent, a vector environment, and what happens between steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from newt_bench.agents import Agent
from newt_bench.agents.team import Team
from newt_bench.errors import NewtBenchError
from newt_bench.evaluation.batched import evaluate_batched
from newt_bench.results import EpisodeRecord
from newt_bench.training.episodes import OpenEpisodes, rows_of
from newt_bench.training.reporting import Reporter
from newt_bench.training.run_folder import LoopState, RunFolder
from newt_bench.training.settings import TrainingSettings
from newt_bench.vector import TaskVectorEnv

__all__ = ["Trainer"]


class Trainer:
    """Trains an agent from a state of the loop to its end, or until it is asked to stop.

    A run is the same however often it is interrupted: checkpoints hold the agent with its random streams and
    buffers, and the actions that lead back into the middle of every slot's episode.

    Args:
        agent: The agent; in a team, the same in every process.
        mine: Indices of the agent's tasks that this process plays.
        settings: How to train.
        folder: Where checkpoints go.
        reporter: Where news go.
        state: Where to go on.
        team: The processes that train together.
        stop: Whether to stop.
    """

    def __init__(
        self,
        agent: Agent,
        mine: Sequence[int],
        settings: TrainingSettings,
        folder: RunFolder,
        reporter: Reporter,
        state: LoopState,
        team: Team,
        stop: Callable[[], bool],
    ) -> None:
        self._agent, self._mine, self._settings = agent, list(mine), settings
        self._folder, self._reporter, self._team = folder, reporter, team
        self._asked = stop
        self._state = state
        self.steps, self._pretrained, self._next_evaluation = state.steps, state.pretrained, state.next_evaluation
        self._since = time.monotonic() - state.seconds
        self._saved = time.monotonic()
        self._slots = sum(team.gather(len(self._mine))) * settings.num_envs_per_task

    def run(self) -> list[EpisodeRecord] | None:
        """Pretrains, trains, and evaluates.

        Returns:
            The episodes of the last evaluation, of all processes; None if asked to stop before.
        """
        if not self._pretrained and not self._pretrain():
            return None
        envs = self._make_envs() if self.steps < self._settings.steps else None
        try:
            return self._train(envs)
        finally:
            if envs is not None:
                envs.close()

    @property
    def seconds(self) -> float:
        """Time spent, interruptions left out."""
        return time.monotonic() - self._since

    def _stopping(self) -> bool:
        return self._team.any(self._asked())

    # Before the first step

    def _pretrain(self) -> bool:
        """Learns from demonstrations. Returns False if asked to stop."""
        updates = 0
        while metrics := self._agent.pretrain_step():
            updates += 1
            self._reporter.pretraining(updates, metrics)
            if self._stopping():
                self._save({})
                return False
            self._save_if_due(dict)
        self._pretrained = True
        return True

    def _make_envs(self) -> TaskVectorEnv:
        settings = self._settings
        return TaskVectorEnv(
            [self._agent.tasks[index] for index in self._mine],
            settings.num_envs_per_task,
            settings.num_workers,
            settings.obs_type,
            seed=settings.seed,
            exact_resets=settings.exact_resets,
            env_options=settings.env_options,
            restart=settings.restart_workers,
        )

    # The loop

    def _train(self, envs: TaskVectorEnv | None) -> list[EpisodeRecord] | None:
        slots = _Slots(envs, np.array(self._mine), self._settings.seed, self._state) if envs is not None else None
        arrays = slots.state if slots is not None else lambda: dict(self._state.arrays)
        while True:
            if self.steps >= min(self._next_evaluation, self._settings.steps):
                try:
                    records = self._evaluate()
                except NewtBenchError:
                    self._save(arrays())  # an environment failed, and the agent can go on from here
                    raise
                if records is None:
                    self._save(arrays())
                    return None
                if self.steps >= self._settings.steps:
                    self._save(arrays())
                    return records
            assert slots is not None
            self._step(slots)
            if self._stopping():
                self._save(arrays())
                return None
            self._save_if_due(arrays)

    def _step(self, slots: _Slots) -> None:
        """One step of every slot, and what the agent learns from it."""
        transition = slots.step(self._agent)
        self._agent.observe(*transition)
        metrics = self._agent.update()
        self.steps += self._slots
        self._reporter.training(self.steps, self.seconds, slots.ended, metrics)

    def _evaluate(self) -> list[EpisodeRecord] | None:
        settings = self._settings
        last = self.steps >= settings.steps
        episodes = settings.final_episodes if last else settings.eval_episodes
        self._reporter.busy(self.steps, "evaluating")
        mine = evaluate_batched(
            self._agent,
            self._mine,
            episodes,
            settings.seed,
            obs_type=settings.obs_type,
            env_options=settings.env_options,
            num_workers=settings.num_workers,
            stop=self._asked,  # not together: each process plays as many steps as its tasks need
        )
        parts = self._team.gather(mine)
        records: list[EpisodeRecord] = []
        for part in parts:
            if part is None:
                return None
            records += part
        self._reporter.evaluation(self.steps, self.seconds, records)
        interval = settings.interval(self._slots)
        self._next_evaluation = (self.steps // interval + 1) * interval
        return records

    # Checkpoints

    def _save_if_due(self, arrays: Callable[[], dict[str, NDArray[Any]]]) -> None:
        due = time.monotonic() - self._saved > 60 * self._settings.checkpoint_minutes
        if self._team.any(due):
            self._save(arrays())

    def _save(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._reporter.busy(self.steps, "writing a checkpoint")
        state = LoopState(
            self.steps, self._pretrained, self._next_evaluation, self.seconds, self._reporter.log_size, arrays
        )
        self._folder.save(state, self._agent.save)
        self._saved = time.monotonic()


class _Slots:
    """The slots of this process, and the agent's view of them.

    Args:
        envs: The vector environment.
        mine: Index into the agent's tasks of each of its tasks.
        seed: Seed of the run.
        state: Where to go on.

    Attributes:
        ended: Returns of the episodes that ended in the last step: pairs of task name and return.
    """

    def __init__(self, envs: TaskVectorEnv, mine: NDArray[np.int64], seed: int, state: LoopState) -> None:
        self._envs = envs
        self._task = mine[envs.task]
        longest = max(task.max_episode_steps for task in envs.tasks)
        self._episodes = OpenEpisodes(envs.num_envs, longest, envs.action_mask.shape[1])
        self._first = np.ones(envs.num_envs, np.bool_)
        self._returns = np.zeros(envs.num_envs)
        self.ended: list[tuple[str, float]] = []
        if state.arrays:
            self._resume(state.arrays, seed)
        else:
            self._obs, _ = envs.reset(seed=seed)

    def _resume(self, arrays: Any, seed: int) -> None:
        self._obs = self._episodes.restore(self._envs, _part(arrays, "open"), seed, arrays["episode"])
        self._first, self._returns = arrays["first"].copy(), arrays["returns"].copy()
        self._first |= self._episodes.check(self._obs, _part(arrays, "obs"))

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that `_resume` needs, as arrays by name."""
        return {
            "episode": self._envs.episode,
            "first": self._first,
            "returns": self._returns,
            **{f"open/{name}": rows for name, rows in self._episodes.state().items()},
            **{f"obs/{name}": rows for name, rows in rows_of(self._obs).items()},
        }

    def step(self, agent: Agent) -> tuple[Any, ...]:
        """Plays one step. Returns the arguments of `Agent.observe`."""
        obs, envs = self._obs, self._envs
        chosen = agent.act(obs, self._task, self._first, "train")
        action = np.clip(chosen, -1, 1) * envs.action_mask
        self._obs, reward, _, truncated, info = envs.step(action)
        lost = info["restarted"] if "restarted" in info else np.zeros_like(truncated)
        following = _with_final(self._obs, info, truncated)
        self._episodes.record(action, truncated)
        self._returns += reward
        ended = truncated & ~lost
        self.ended = [(envs.tasks[envs.task[k]].name, float(self._returns[k])) for k in np.flatnonzero(ended)]
        self._returns[truncated] = 0.0
        self._first = truncated
        # An episode that was lost with its worker is dropped: the agent hears of a new one, and of no end.
        return obs, self._task, action, reward.astype(np.float32), following, ended


def _with_final(obs: Any, info: dict[str, Any], truncated: NDArray[np.bool_]) -> Any:
    """Observations after the step: the last one of an episode where one ended, and not the first of the next."""
    if not truncated.any():
        return obs
    rows = {name: values.copy() for name, values in rows_of(obs).items()}
    for slot in np.flatnonzero(truncated):
        for name, values in rows_of(info["final_obs"][slot]).items():
            rows[name][slot] = values
    return rows if isinstance(obs, dict) else rows["obs"]


def _part(arrays: Any, name: str) -> dict[str, NDArray[Any]]:
    start = f"{name}/"
    return {key.removeprefix(start): values for key, values in arrays.items() if key.startswith(start)}
