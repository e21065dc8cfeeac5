"""The multilayer perceptrons that Newt is made of.

Two things make them fast without changing a number that matters. The task's embedding is often half of a first
layer's input, and is the same for all time steps and all candidates of a plan: its product with the first
layer's weights, the *context*, is computed once per task and then added. And of the critics, only those heads are
evaluated that are wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from newt_bench.agents.shared.activations import LAYER_NORM_EPS, layer_norm_mish, sim_norm

__all__ = ["MLP", "Critics", "Layer"]

_INIT_STD = 0.02


class _Tensors(NamedTuple):
    """What one layer computes with: weight (out, in), bias (out,), scale and shift of its LayerNorm or None."""

    weight: Any
    bias: Any
    norm_weight: Tensor | None
    norm_bias: Tensor | None


class Layer(nn.Module):
    """Parameters of a linear layer, with LayerNorm if `norm`; for several heads stacked along a leading axis.

    Args:
        inputs: Width of the input, without the task embedding.
        outputs: Width of the output.
        norm: Whether LayerNorm follows.
        task_dim: Width of the task embedding, which has weights of its own; 0 for none.
        heads: Number of heads, or None for one without the leading axis.
        zero: Whether weights start at 0 instead of at random.
        generator: Source of the initial weights.
    """

    norm_weight: nn.Parameter | None
    norm_bias: nn.Parameter | None
    task_weight: nn.Parameter | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        norm: bool,
        task_dim: int = 0,
        heads: int | None = None,
        zero: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        stack = () if heads is None else (heads,)

        def weight(columns: int) -> nn.Parameter:
            values = torch.zeros(*stack, outputs, columns)
            if not zero:
                nn.init.trunc_normal_(values, std=_INIT_STD, generator=generator)
            return nn.Parameter(values)

        self.weight = weight(inputs)
        self.bias = nn.Parameter(torch.zeros(*stack, outputs))
        self.register_parameter("task_weight", weight(task_dim) if task_dim else None)
        self.register_parameter("norm_weight", nn.Parameter(torch.ones(*stack, outputs)) if norm else None)
        self.register_parameter("norm_bias", nn.Parameter(torch.zeros(*stack, outputs)) if norm else None)

    def context(self, table: Tensor, task: Tensor) -> Tensor:
        """Bias plus the task embedding's part of the output.

        Args:
            table: Task embeddings, shape (tasks, task_dim).
            task: Task indices, shape (batch,).

        Returns:
            Shape (batch, outputs), with heads (heads, batch, outputs). Without task embedding it is the bias
            alone, without batch axis, hence still broadcastable.
        """
        if self.task_weight is None:
            return self.bias if self.bias.dim() == 1 else self.bias.unsqueeze(1)
        weight = self.task_weight.flatten(0, -2)
        if table.shape[0] > task.shape[0]:
            rows = functional.linear(table[task], weight, self.bias.flatten())
        else:  # one product per task, then one row per sample
            rows = functional.embedding(task, functional.linear(table, weight, self.bias.flatten()))
        if self.bias.dim() == 1:
            return rows
        stacked: Tensor = rows.unflatten(-1, self.bias.shape).movedim(-2, 0)
        return stacked

    def tensors(self) -> _Tensors:
        """The parameters that the layer computes with, apart from `task_weight`."""
        return _Tensors(self.weight, self.bias, self.norm_weight, self.norm_bias)

    def heads(self) -> list[_Tensors]:
        """The parameters of each head. Gradients of all heads come back as one stacked tensor."""
        columns = [[None] * len(self.weight) if t is None else t.unbind(0) for t in self.tensors()]
        return [_Tensors(*row) for row in zip(*columns, strict=True)]

    def some_heads(self, heads: Sequence[int]) -> list[_Tensors]:
        """The parameters of some heads, held fixed."""
        return [_Tensors(*(None if t is None else t[h].detach() for t in self.tensors())) for h in heads]


class MLP(nn.Module):
    """Hidden layers (linear, LayerNorm, Mish) and an output layer, linear or in the end (LayerNorm, SimNorm).

    Args:
        inputs: Width of the input, without the task embedding.
        hidden: Widths of the hidden layers.
        outputs: Width of the output.
        task_dim: Width of the task embedding, or 0.
        sim_norm_group: Group size of the SimNorm that ends it, or None for a plain linear end.
        heads: Number of heads, or None.
        zero_last: Whether the output layer's weights start at 0.
        generator: Source of the initial weights.
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        outputs: int,
        *,
        task_dim: int = 0,
        sim_norm_group: int | None = None,
        heads: int | None = None,
        zero_last: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.sim_norm_group = sim_norm_group
        widths = [inputs, *hidden, outputs]
        last = len(widths) - 2
        self.layers = nn.ModuleList(
            Layer(
                widths[i],
                widths[i + 1],
                norm=i < last or sim_norm_group is not None,
                task_dim=task_dim if i == 0 else 0,
                heads=heads,
                zero=zero_last and i == last,
                generator=generator,
            )
            for i in range(last + 1)
        )

    def context(self, table: Tensor, task: Tensor) -> Tensor:
        """The part of the first layer that depends on the task alone, see `Layer.context`."""
        first: Layer = self.layers[0]  # type: ignore[assignment]
        return first.context(table, task)

    def fork(self, x: Tensor, context: Tensor) -> Tensor:
        """Takes the leading part of the input into the context, for inputs that share it.

        Args:
            x: The first columns of the input, shape (batch, some of inputs).
            context: From `context`.

        Returns:
            A context for calling with the rest of the input alone.
        """
        first: Layer = self.layers[0]  # type: ignore[assignment]
        return functional.linear(x, first.weight[:, : x.shape[-1]]) + context

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Computes the output.

        Args:
            x: Shape (..., inputs), or the last columns of it if the context was forked.
            context: From `context` or `fork`, broadcastable to (..., hidden[0]).

        Returns:
            Shape (..., outputs).
        """
        return _run([layer.tensors() for layer in self.layers], x, context, self.sim_norm_group)  # type: ignore[operator]


class Critics(MLP):
    """Several MLPs of the same shape on the same input."""

    def forward(self, x: Tensor, context: Tensor, kept: Tensor | None = None) -> Tensor:
        """Computes the outputs of all heads.

        Args:
            x: Shape (..., inputs).
            context: From `context`, shape (heads, ...).
            kept: Factors of the first linear layer's outputs, shape (heads, ..., hidden[0]), for dropout.

        Returns:
            Shape (heads, ..., outputs).
        """
        if x.device.type == "cpu":
            heads = zip(*(layer.heads() for layer in self.layers), strict=True)  # type: ignore[operator]
            parts = zip(heads, context.unbind(0), _each(kept, len(context)), strict=True)
            return torch.stack([_run(list(layers), x, part, None, k) for layers, part, k in parts])
        return _run_stacked([layer.tensors() for layer in self.layers], x, context, kept)  # type: ignore[operator]

    def some(
        self,
        x: Tensor,
        context: Tensor,
        heads: Sequence[int],
        fixed: Tensor | None = None,
        kept: Tensor | None = None,
    ) -> Tensor:
        """Computes the outputs of some heads, with their parameters held fixed.

        Args:
            x: Shape (..., inputs).
            context: As for `forward`.
            heads: Indices of the heads.
            fixed: Leading columns of the input that want no gradient, of which x is then the rest: their part of
                the backward pass, almost all of the first layer's, is saved.
            kept: As for `forward`, of these heads.

        Returns:
            Shape (len(heads), ..., outputs), with a gradient for x only.
        """
        layers = [layer.some_heads(heads) for layer in self.layers]  # type: ignore[operator]
        contexts = [context[h].detach() for h in heads]
        if fixed is not None:
            weights = [tensors.weight[:, : fixed.shape[-1]] for tensors in layers[0]]
            contexts = [functional.linear(fixed, w).add_(c) for w, c in zip(weights, contexts, strict=True)]
        if x.device.type == "cpu":
            runs = zip(zip(*layers, strict=True), contexts, _each(kept, len(heads)), strict=True)
            return torch.stack([_run(list(head), x, part, None, k) for head, part, k in runs])
        return _run_stacked([_stack(layer) for layer in layers], x, torch.stack(contexts), kept)


def _each(kept: Tensor | None, heads: int) -> Sequence[Tensor | None]:
    """The factors of each head."""
    return [None] * heads if kept is None else list(kept)


def _stack(heads: Sequence[_Tensors]) -> _Tensors:
    """One layer's heads along a leading axis."""
    columns = zip(*heads, strict=True)
    return _Tensors(*(None if column[0] is None else torch.stack(column) for column in columns))


def _run(
    layers: Sequence[_Tensors], x: Tensor, context: Tensor, sim_norm_group: int | None, kept: Tensor | None = None
) -> Tensor:
    """Evaluates one MLP; `kept` multiplies the first linear layer's outputs."""
    for i, (weight, bias, norm_weight, norm_bias) in enumerate(layers):
        if i > 0:
            x = functional.linear(x, weight, bias)
        elif context.dim() == 1 or context.shape[0] == 1:
            x = functional.linear(x, weight[:, -x.shape[-1] :], context.flatten())
        else:
            x = functional.linear(x, weight[:, -x.shape[-1] :]).add_(context)
        if i == 0 and kept is not None:
            x = x * kept
        if norm_weight is None or norm_bias is None:
            return x
        if i < len(layers) - 1:
            x = layer_norm_mish(x, norm_weight, norm_bias)
        else:
            x = functional.layer_norm(x, norm_weight.shape, norm_weight, norm_bias, LAYER_NORM_EPS)
    return x if sim_norm_group is None else sim_norm(x, sim_norm_group)


def _run_stacked(layers: Sequence[_Tensors], x: Tensor, context: Tensor, kept: Tensor | None = None) -> Tensor:
    """Evaluates several MLPs at once, by batched products: fewer, larger kernels, for GPUs."""
    batch = x.shape[:-1]
    y = x.reshape(-1, x.shape[-1]).expand(layers[0].weight.shape[0], -1, -1)
    for i, (weight, bias, norm_weight, norm_bias) in enumerate(layers):
        if i > 0:
            y = torch.baddbmm(bias.unsqueeze(1), y, weight.transpose(1, 2))
        else:
            y = torch.bmm(y, weight[..., -y.shape[-1] :].transpose(1, 2)).unflatten(1, batch)
            axes = y.dim() - context.dim()  # leading time or candidate axes that the context is shared over
            y = y + context.unflatten(0, (-1, *[1] * axes))
            y = (y if kept is None else y * kept).flatten(1, -2)
        if norm_weight is not None and norm_bias is not None:
            y = functional.layer_norm(y, y.shape[-1:], eps=LAYER_NORM_EPS)
            y = functional.mish(torch.addcmul(norm_bias.unsqueeze(1), y, norm_weight.unsqueeze(1)))
    out: Tensor = y.unflatten(1, batch)
    return out
