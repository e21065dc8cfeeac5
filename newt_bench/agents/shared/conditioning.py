"""What tells tasks apart: the embedding of a task's text, a learned vector of its own, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from newt_bench.catalogue import Task
from newt_bench.errors import AgentError
from newt_bench.language import CLIP_MODEL, TEXT_FEATURES, TextEncoder, text_encoder

__all__ = ["Conditioning", "ConditioningBlock", "TaskTexts"]

Conditioning = Literal["language", "one-hot", "none"]

_INIT_STD = 0.02


class TaskTexts:
    """Embeds the texts of tasks, always by the same encoder.

    Args:
        encoder: The encoder; by default CLIP, or a stand-in where it cannot be had.
        name: Name of the encoder that the agent has learned with, if it has.

    Attributes:
        name: Name of the encoder, or None as long as nothing was embedded.
    """

    def __init__(self, encoder: TextEncoder | None = None, name: str | None = None) -> None:
        self._encoder = encoder
        self.name = name

    def embed(self, tasks: Sequence[Task], *, normalize: bool = False, paraphrase: int = 0) -> Tensor:
        """Embeddings of the tasks' texts, shape (tasks, 512).

        Args:
            tasks: The tasks.
            normalize: Whether to scale each to norm 1; else the norm is about 15.
            paraphrase: Which paraphrase stands for the instruction, 1 to 4; 0 for the instruction itself.

        Raises:
            AgentError: The encoder that can be had is not the one that the agent has learned with.
        """
        texts = [task.text_in_other_words(paraphrase) for task in tasks]
        encoder = self._encoder or text_encoder(texts, self.name or CLIP_MODEL)
        if self.name not in (None, encoder.name):
            raise AgentError(f"The agent knows texts by {self.name}; {encoder.name} does not give the same embeddings")
        self.name = encoder.name
        embeddings = torch.from_numpy(encoder(texts))
        return nn.functional.normalize(embeddings) if normalize else embeddings


class ConditioningBlock(nn.Module):
    """From task indices to what networks are told of the task.

    With `language`, a learned linear map of the frozen text embedding, scaled to a root mean square of 1. With
    `one-hot`, a learned row per task: a linear map of one-hot vectors. With `none`, no entries at all.

    Args:
        kind: Which of these.
        table: With `language` the embeddings, shape (tasks, 512); otherwise only its length counts.
        width: Entries that networks are told.
        generator: Source of the initial weights.

    Attributes:
        kind: As above.
        width: Entries of the output: as above, or 0 with `none`.
    """

    table: Tensor
    task_rows: ClassVar[tuple[str, ...]] = ("table",)

    def __init__(
        self, kind: Conditioning, table: Tensor, *, width: int = 64, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.kind, self.width = kind, 0 if kind == "none" else width
        if kind == "language":
            scale = table.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-6)
            self.register_buffer("table", table / scale)
            # So scaled that the output's entries begin with a root mean square of 1, as those of other inputs have.
            weight = torch.empty(width, table.shape[-1]).normal_(std=table.shape[-1] ** -0.5, generator=generator)
            self.weight = nn.Parameter(weight)
        elif kind == "one-hot":
            rows = torch.empty(len(table), width).normal_(generator=generator)
            self.table = nn.Parameter(rows)
        else:
            self.register_buffer("table", torch.zeros(len(table), 0))

    @classmethod
    def of(
        cls,
        kind: Conditioning,
        tasks: Sequence[Task],
        texts: TaskTexts | None,
        *,
        width: int = 64,
        generator: torch.Generator | None = None,
    ) -> ConditioningBlock:
        """A block for tasks.

        Args:
            kind: See the class.
            tasks: The tasks.
            texts: Embeds their texts. None leaves the embeddings to be loaded from a checkpoint.
            width: See the class.
            generator: See the class.
        """
        table = torch.zeros(len(tasks), TEXT_FEATURES)
        if kind == "language" and texts is not None:
            table = texts.embed(tasks)
        return cls(kind, table, width=width, generator=generator)

    def forward(self, task: Tensor) -> Tensor:
        """What is told of tasks with indices of shape (batch,): shape (batch, width)."""
        rows = nn.functional.embedding(task, self.table)
        return nn.functional.linear(rows, self.weight) if self.kind == "language" else rows
