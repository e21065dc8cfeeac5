"""What agents with networks have in common: settings, devices, random streams, checkpoints, new tasks."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from newt_bench.agents.base import Agent, Observation
from newt_bench.agents.shared.agent_files import (
    TrainingState,
    read_agent,
    read_training,
    write_agent,
    write_training,
)
from newt_bench.agents.shared.conditioning import Conditioning, ConditioningBlock, TaskTexts
from newt_bench.agents.shared.optimizers import load_moments, moments
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.agents.shared.settings import Settings
from newt_bench.agents.shared.tasks import action_masks, task_row_names
from newt_bench.atomic import atomic_folder
from newt_bench.catalogue import Task
from newt_bench.errors import AgentError
from newt_bench.language import TextEncoder

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LearnedAgent", "LearnedSettings"]

# Independent streams of random numbers, by what they are for.
_STREAMS = ("learning", "training", "evaluation")


@dataclasses.dataclass(frozen=True)
class LearnedSettings(Settings):
    """Settings of every agent with networks.

    Attributes:
        conditioning: What tells tasks apart: the `language` embedding of their texts, a learned vector per task
            (`one-hot`), or `none`. None means `none` for one task and `language` for several.
        conditioning_width: Entries of what the networks are told of the task.
    """

    conditioning: Conditioning | None = None
    conditioning_width: int = 64

    def resolved(self, num_tasks: int) -> Self:
        """See `Settings.resolved`."""
        default: Conditioning = "language" if num_tasks > 1 else "none"
        return dataclasses.replace(self, conditioning=self.conditioning or default)


S = TypeVar("S", bound=LearnedSettings)
M = TypeVar("M", bound=nn.Module)


class LearnedAgent(Agent, Generic[S, M]):
    """Base of agents with networks, on states.

    A subclass names its `FORMAT` and `SETTINGS`, makes its networks in `make_model`, and everything around them
    (optimisers, buffers, counts) in `start`. In return it can be saved, loaded for some of its tasks, stopped and
    resumed, and adapted to a new task.

    Args:
        tasks: Any tasks.
        seed: Seed of initial weights, exploration and what is learned from.
        checkpoint: Folder of a checkpoint to act from or to train on from; `tasks` may be some of its tasks. Weights
            and settings are its; the training state is not. See `load`.
        encoder: Embeds the tasks' texts; by default CLIP, or a stand-in where it cannot be had.
        device: Where to compute; by default the GPU if there is one.
        options: Settings by name, on top of the checkpoint's.

    Attributes:
        config: Settings, all resolved.
        model: The networks, with all that is saved as weights.
        optimizers: Optimisers (Adam or AdamW) of the model's parameters, by name. `start` fills it.
        streams: Random numbers for `learning`, for acting in `training`, and for acting in `evaluation`.
        masks: Which action entries each task has, shape (tasks, 16).
        discounts: Discount of each task, shape (tasks,).
        device: Where it computes.
        texts: What makes the embeddings of texts; its `name` is None if there are none.
        steps: Environment steps observed, summed over slots.
        updates: Gradient updates done.
    """

    #: Format of its checkpoints, such as `newt-bench/bc-1`.
    FORMAT: ClassVar[str]
    #: Its settings.
    SETTINGS: ClassVar[type[LearnedSettings]]
    #: Names of its replay buffers, where its training state has some.
    BUFFERS: ClassVar[tuple[str, ...]] = ()

    config: S
    model: M

    def __init__(
        self,
        tasks: Sequence[Task],
        seed: int = 0,
        *,
        checkpoint: str | Path | None = None,
        encoder: TextEncoder | None = None,
        device: str | torch.device | None = None,
        **options: Any,
    ) -> None:
        super().__init__(tasks, seed)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.steps = 0
        found = None if checkpoint is None else read_agent(Path(checkpoint), self.FORMAT, self.tasks)
        given = options if found is None else {**found.config, **options}
        self.config = cast(S, self.SETTINGS.from_options(given).resolved(len(self.tasks)))
        self.texts = TaskTexts(encoder, None if found is None else found.text_encoder)
        self._build(embed=found is None)
        if found is not None:
            self.steps = found.steps
            self.model.load_state_dict(found.fitted(self.model.state_dict(), task_row_names(self.model)))
        self._start()

    @abc.abstractmethod
    def make_model(self, conditioning: ConditioningBlock, generator: torch.Generator) -> M:
        """Makes the networks for `tasks`, with `config` resolved.

        Args:
            conditioning: What tells them the task; to be a module of the model.
            generator: Source of the initial weights.
        """

    @abc.abstractmethod
    def start(self) -> None:
        """Makes everything around the model as new: optimisers, buffers, counts."""

    # For subclasses to use

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """An array as a tensor on the device."""
        return torch.from_numpy(array).to(self.device)

    def states(self, obs: Observation) -> NDArray[np.float32]:
        """The states of observations, shape (slots, 128).

        Raises:
            AgentError: There are none among them.
        """
        state = obs["state"] if isinstance(obs, Mapping) else obs
        if state.dtype != np.float32 or state.ndim != 2:
            raise AgentError(
                f"{type(self).__name__} sees states (obs_type='state'); got {state.dtype} of shape {state.shape}"
            )
        return cast(NDArray[np.float32], state)

    # Randomness, new tasks, checkpoints

    def reset(self, seed: int) -> None:
        """Seeds the randomness of evaluation; training goes on undisturbed."""
        self.streams["evaluation"] = Randomness((seed, _STREAMS.index("evaluation")), self.device)

    def adapt(self, task: Task) -> None:
        """Goes on with one new task: weights are kept, everything around them starts anew.

        What was learned for each task apart begins as the mean over the known tasks.

        Raises:
            AgentError: The text encoder that the agent was trained with cannot be had.
        """
        old, tasks = self.model, self.tasks
        self.tasks = (task,)
        try:
            self._build(embed=True)
        except AgentError:
            self.tasks = tasks
            raise
        rows, learned = set(task_row_names(old)), dict(old.named_parameters())
        kept = {name: tensor for name, tensor in old.state_dict().items() if name not in rows}
        kept |= {name: learned[name].detach().mean(0, keepdim=True) for name in rows & set(learned)}
        self.model.load_state_dict(self.model.state_dict() | kept)
        self.steps = 0
        self._start()

    def provenance(self) -> dict[str, Any]:
        """See `Agent.provenance`: how much was learned, and what embedded texts."""
        facts: dict[str, Any] = {"steps": self.steps, "updates": self.updates}
        return facts | ({} if self.texts.name is None else {"text_encoder": self.texts.name})

    def training_state(self) -> TrainingState:
        """What training needs to go on as if it had not stopped. Subclasses add to it."""
        values = {
            "seed": self.seed,
            "updates": self.updates,
            "streams": {name: stream.state() for name, stream in self.streams.items()},
        }
        named = {name: moments(optimizer, self._parameters(optimizer)) for name, optimizer in self.optimizers.items()}
        return TrainingState(values, named)

    def load_training_state(self, state: TrainingState) -> None:
        """Goes on from what `training_state` told. Subclasses add to it.

        Raises:
            AgentError: The state does not fit.
        """
        self.seed, self.updates = state.values["seed"], state.values["updates"]
        for name, stream in self.streams.items():
            stream.load_state(state.values["streams"][name])
        for name, optimizer in self.optimizers.items():
            load_moments(optimizer, self._parameters(optimizer), state.tensors.get(name, {}))

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
                write_training(path, self.training_state())

    @classmethod
    def load(cls, folder: Path, tasks: Sequence[Task], seed: int = 0, **options: Any) -> Self:
        """See `Agent.load`.

        Raises:
            AgentError: The checkpoint does not fit; the message lists everything in which it does not.
        """
        agent = cls(tasks, seed, checkpoint=folder, **options)
        state = read_training(Path(folder), cls.FORMAT, agent.tasks, cls.BUFFERS)
        if state is not None:
            agent.load_training_state(state)
        return agent

    def _build(self, *, embed: bool) -> None:
        """Makes the networks for `tasks`. Without `embed`, embeddings of texts are left to be loaded."""
        generator = torch.Generator().manual_seed(self.seed)
        block = ConditioningBlock.of(
            self.config.conditioning or "none",
            self.tasks,
            self.texts if embed else None,
            width=self.config.conditioning_width,
            generator=generator,
        )
        self.model = self.make_model(block, generator).to(self.device)
        self.masks = action_masks([task.action_dim for task in self.tasks]).to(self.device)
        self.discounts = torch.tensor([task.discount for task in self.tasks], device=self.device)

    def _start(self) -> None:
        self.updates = 0
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.streams = {name: Randomness((self.seed, purpose), self.device) for purpose, name in enumerate(_STREAMS)}
        self.start()

    def _parameters(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """An optimiser's parameters by their names in the model."""
        stepped = {id(p) for group in optimizer.param_groups for p in group["params"]}
        return {name: p for name, p in self.model.named_parameters() if id(p) in stepped}
