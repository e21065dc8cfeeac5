"""Newt: one language-conditioned world model for many tasks (arXiv 2511.19584)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from newt_bench.agents.base import Agent, Mode, Observation
from newt_bench.agents.newt import checkpoint
from newt_bench.agents.newt.actor import Actor
from newt_bench.agents.newt.config import NewtConfig
from newt_bench.agents.newt.learner import Learner
from newt_bench.agents.newt.losses import Batch
from newt_bench.agents.newt.model import WorldModel
from newt_bench.agents.newt.perception import Perception
from newt_bench.agents.shared.agent_files import Found, read_agent, write_agent, write_training
from newt_bench.agents.shared.conditioning import TaskTexts
from newt_bench.agents.shared.distributed import TorchTeam, rank_and_world, total
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.agents.team import Team
from newt_bench.atomic import atomic_folder
from newt_bench.catalogue import Task
from newt_bench.language import TextEncoder
from newt_bench.replay import Episode, Recorder, Replay

__all__ = ["NewtAgent"]

# Independent streams of random numbers, by what they are for.
_LEARNING, _TRAINING, _EVALUATION = range(3)


class NewtAgent(Agent):
    """The reference agent: a TD-MPC2-style world model with planning, for one task or many.

    Args:
        tasks: Any tasks.
        seed: Seed of initial weights, exploration and replay.
        config: Hyper-parameters.
        checkpoint: Folder of a checkpoint to act from or to train on from; `tasks` may be some of its tasks.
            Weights, tasks and settings are its; the replay buffers and optimisers are not. See `load`.
        encoder: Embeds the tasks' texts; by default CLIP, or a stand-in where it cannot be had.
        device: Where to compute; by default the GPU if there is one.
        replay_folder: Keep the replay buffers in files there instead of in memory.
        options: Single hyper-parameters by name, on top of `config` or of the checkpoint's.

    Attributes:
        config: Hyper-parameters, all resolved.
        model: The networks.
        learner: The optimisers.
        steps: Environment steps observed, summed over slots.
        pretrained: Whether the policy prior has learned something before the first step.
        texts: What makes the embeddings; its `name` is None if there are none.
    """

    #: Format of its checkpoints.
    FORMAT: ClassVar[str] = "newt-bench/newt-1"
    #: Its hyper-parameters.
    CONFIG: ClassVar[type[NewtConfig]] = NewtConfig

    def __init__(
        self,
        tasks: Sequence[Task],
        seed: int = 0,
        *,
        config: NewtConfig | None = None,
        checkpoint: str | Path | None = None,
        encoder: TextEncoder | None = None,
        device: str | torch.device | None = None,
        replay_folder: str | Path | None = None,
        **options: Any,
    ) -> None:
        super().__init__(tasks, seed)
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.texts = TaskTexts(encoder)
        self._replay_folder = Path(replay_folder) if replay_folder else None
        self.steps, self.pretrained = 0, False
        if checkpoint is not None:
            self._restore(Path(checkpoint), options)
        else:
            given = (config or self.CONFIG()).to_dict() | options
            self.config = self.CONFIG.from_options(given).resolved(len(self.tasks))
            self._build(self._embed(self.tasks))
        self._start()

    # What the agent is made of

    def _restore(self, folder: Path, options: Mapping[str, Any]) -> None:
        found = read_agent(folder, self.FORMAT, self.tasks)
        self.config = self.CONFIG.from_options({**found.config, **options})
        self.steps, self.pretrained, self.texts.name = found.steps, True, found.text_encoder
        self._build(_embeddings(found))
        self.model.load_state_dict(found.fitted(self.model.state_dict(), WorldModel.task_rows))
        if self.config.paraphrase != found.config.get("paraphrase", 0):
            self.model.embeddings.copy_(self._embed(self.tasks))

    def _embed(self, tasks: Sequence[Task]) -> Tensor:
        """Embeddings of the tasks: (tasks, width)."""
        if self.config.conditioning == "none":
            return torch.zeros(len(tasks), 0)
        if self.config.conditioning == "one-hot":
            return torch.eye(len(tasks))
        config = self.config
        return self.texts.embed(tasks, normalize=config.normalize_language, paraphrase=config.paraphrase)

    def _build(self, embeddings: Tensor) -> None:
        self.model = WorldModel(
            self.config,
            embeddings,
            [task.action_dim for task in self.tasks],
            [task.discount for task in self.tasks],
            torch.Generator().manual_seed(self.seed),
        ).to(self._device)
        if self.config.compile:
            self.model.compile_networks(self.config.compile)

    def _start(self) -> None:
        """Everything around the model, as new."""
        self.learner = Learner(self.model, self._randomness(_LEARNING))
        self._actors = {
            "train": Actor(self.model, self._randomness(_TRAINING), explore=True),
            "eval": Actor(self.model, self._randomness(_EVALUATION), explore=False),
        }
        self._perception = Perception(self.tasks, self._device, pixels=self.config.pixels)
        self._replay: Replay | None = None
        self._demonstrations: Replay | None = None
        self._recorder: Recorder | None = None
        self._slot_steps = np.zeros(0, np.int64)
        self._total_slots = 0  # of all processes
        self._owed = 0.0
        self._waiting = False  # for the end of the first episodes

    def _randomness(self, purpose: int) -> Randomness:
        return Randomness((self.seed, rank_and_world()[0], purpose), self._device)

    # Acting

    def act(
        self, obs: Observation, task: NDArray[np.int64], first: NDArray[np.bool_], mode: Mode
    ) -> NDArray[np.float32]:
        """See `Agent.act`.

        In training, each slot's first steps are played without planning. In evaluation, the policy prior acts
        alone before the first step of training.
        """
        actor = self._actors[mode]
        seen = self._perception.tensor(obs)
        index, begins = torch.from_numpy(task).to(self._device), torch.from_numpy(first).to(self._device)
        if mode == "eval":
            planning = self.config.planning and self.steps > 0
            return _numpy(actor.act(seen, index, begins, step=self.steps, planning=planning))
        if self._recorder is not None and len(self._recorder) == len(task):
            self._recorder.restart(first)
        seeding = torch.from_numpy(self._seeding(task)).to(self._device)
        early = actor.prior(seen, index) if self.pretrained else actor.uniform(index)
        if bool(seeding.all()):
            actor.begin(begins)
            return _numpy(early)
        late = actor.act(seen, index, begins, step=self.steps, planning=self.config.planning)
        return _numpy(torch.where(seeding[:, None], early, late))

    def reset(self, seed: int) -> None:
        """Forgets the slots of evaluation and seeds its randomness; training goes on undisturbed."""
        randomness = Randomness((seed, _EVALUATION), self._device)
        self._actors["eval"] = Actor(self.model, randomness, explore=False)

    def _seeding(self, task: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each slot is in its first episodes."""
        if len(self._slot_steps) != len(task):
            self._slot_steps = np.zeros(len(task), np.int64)
        lengths = np.array([t.max_episode_steps for t in self.tasks])
        seeding: NDArray[np.bool_] = self._slot_steps < np.maximum(
            self.config.seed_episodes * lengths[task], self.config.seed_steps
        )
        return seeding

    # Learning

    def observe(
        self,
        obs: Observation,
        task: NDArray[np.int64],
        action: NDArray[np.float32],
        reward: NDArray[np.float32],
        next_obs: Observation,
        last: NDArray[np.bool_],
    ) -> None:
        """See `Agent.observe`."""
        seen = self._perception
        if self._recorder is None or len(self._recorder) != len(task):
            longest = max(t.max_episode_steps for t in self.tasks)
            self._recorder = Recorder(len(task), longest, seen.width, seen.action_width)
            self._total_slots = int(total(len(task)))
        rows, following = seen.rows(obs), seen.rows(next_obs)
        played = action[:, : seen.action_width]
        for episode in self._recorder.record(rows, played, reward, following, last, task):
            if len(episode) >= self.config.horizon:  # shorter ones are pieces, left by a fault
                self.replay.add(episode)
        # Where several processes train together, all of them must do the same updates.
        self._waiting = total(float(self._seeding(task).any())) > 0
        if not self._waiting or self.config.learn_seed_steps:
            self._owed += self.config.updates_per_step * self._total_slots
        self._slot_steps += 1
        self.steps += self._total_slots

    def update(self) -> dict[str, float]:
        """Does the updates that the steps observed since have earned: `updates_per_step` for each.

        Nothing is learned while slots are in their first episodes.
        """
        metrics: dict[str, Tensor] = {}
        while self._owed >= 1 and not self._waiting and self._can_learn():
            self._owed -= 1
            metrics = self.learner.update(self._batch())
        return {name: float(value) for name, value in metrics.items()}

    def _can_learn(self) -> bool:
        """Whether there is an episode to learn from, in every process."""
        return total(float(self._replay is None or not self._replay.num_episodes)) == 0

    @classmethod
    def team(cls) -> Team:
        """See `Agent.team`."""
        return TorchTeam()

    def add_demonstrations(self, demonstrations: Iterable[Episode]) -> None:
        """See `Agent.add_demonstrations`. From then on, they are part of every batch."""
        for episode in demonstrations:
            if self._demonstrations is None:
                self._demonstrations = self._buffer("demonstrations")
            self._demonstrations.add(self._perception.fitted(episode))
        if self._demonstrations is not None and not self.learner.updates and not self.pretrained:
            self.learner.warmup = True

    def pretrain_step(self) -> dict[str, float]:
        """See `Agent.pretrain_step`. There are `pretrain_updates` of them, and none without demonstrations."""
        if self._demonstrations is None or self.learner.updates >= self.config.pretrain_updates:
            return {}
        self.pretrained = True
        batch = self._to_batch([(self._demonstrations, self.config.batch_size)])
        return {name: float(value) for name, value in self.learner.pretrain(batch).items()}

    def adapt(self, task: Task) -> None:
        """Goes on with one new task: its text is embedded, and buffers, optimisers and counts start anew.

        Raises:
            AgentError: The text encoder that the agent was trained with cannot be had.
        """
        self.config = dataclasses.replace(self.config, constrained_planning=False)
        width = self.model.embeddings.shape[1]
        # A one-hot vector says nothing of a task that it has no place for.
        embeddings = self._embed([task]) if self.config.conditioning == "language" else torch.zeros(1, width)
        self.tasks = (task,)
        weights = {k: v for k, v in self.model.state_dict().items() if k not in WorldModel.task_rows}
        self._build(embeddings)
        self.model.load_state_dict(weights, strict=False)
        self.steps, self.pretrained = 0, True
        self._start()

    def provenance(self) -> dict[str, Any]:
        """See `Agent.provenance`: what embedded texts and images, and how much was learned."""
        facts: dict[str, Any] = {"steps": self.steps, "updates": self.learner.updates}
        if self.texts.name is not None:
            facts["text_encoder"] = self.texts.name
        if self.config.pixels:
            facts["image_encoder"] = self._perception.encoder.name
        return facts

    @property
    def replay(self) -> Replay:
        """The buffer of online episodes; made when first used."""
        if self._replay is None:
            self._replay = self._buffer("online")
        return self._replay

    def _buffer(self, name: str) -> Replay:
        config = self.config
        return Replay(
            config.replay_capacity,
            self._perception.width,
            self._perception.action_width,
            horizon=config.horizon,
            sampling=config.replay_sampling,
            folder=self._replay_folder / name if self._replay_folder else None,
        )

    def _batch(self) -> Batch:
        size = self.config.batch_size
        demos = round(self.config.demo_fraction * size) if self._demonstrations is not None else 0
        parts = [(self.replay, size - demos)]
        if self._demonstrations is not None and demos:
            parts.append((self._demonstrations, demos))
        return self._to_batch(parts)

    def _to_batch(self, parts: Sequence[tuple[Replay, int]]) -> Batch:
        drawn = [buffer.sample(count, self.learner.randomness.host) for buffer, count in parts if count]
        return self._perception.batch(drawn)

    # Checkpoints

    def save(self, folder: Path, *, resumable: bool = True) -> None:
        """See `Agent.save`."""
        with atomic_folder(Path(folder)) as path:
            write_agent(
                path,
                self.FORMAT,
                config=self.config.to_dict(),
                tasks=self.tasks,
                steps=self.steps,
                text_encoder=self.texts.name,
                tensors=self.model.state_dict(),
            )
            if resumable:
                write_training(path, checkpoint.training_state(self))

    @classmethod
    def load(cls, folder: Path, tasks: Sequence[Task], seed: int = 0, **options: Any) -> NewtAgent:
        """See `Agent.load`.

        Raises:
            AgentError: The checkpoint does not fit; the message lists everything in which it does not.
        """
        agent = cls(tasks, seed, checkpoint=folder, **options)
        checkpoint.load_training(Path(folder), agent)
        return agent


def _embeddings(found: Found) -> Tensor:
    """Task embeddings of a checkpoint, for the tasks asked for; none if it has none."""
    table = found.tensors.get("embeddings")
    return torch.zeros(len(found.rows), 0) if table is None else table[list(found.rows)]


def _numpy(actions: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = actions.float().cpu().numpy()
    return array
