"""Several networks of the same shape on the same input, evaluated together: one batched product per layer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from newt_bench.agents.shared.activations import LAYER_NORM_EPS
from newt_bench.agents.shared.conditioning import ConditioningBlock

__all__ = ["Critics", "StackedLayerNorm", "StackedLinear", "StackedMLP", "polyak_"]


class StackedLinear(nn.Module):
    """One linear layer of each of several networks.

    Args:
        heads: Number of networks.
        inputs: Width of the input.
        outputs: Width of the output.
        generator: Source of the initial weights.
        orthogonal_gain: Start with orthogonal matrices times this, and biases 0. None draws both uniformly from
            +-1/sqrt(inputs), as PyTorch's linear layer does.
    """

    def __init__(
        self,
        heads: int,
        inputs: int,
        outputs: int,
        generator: torch.Generator | None = None,
        *,
        orthogonal_gain: float | None = None,
    ) -> None:
        super().__init__()
        weight, bias = torch.empty(heads, inputs, outputs), torch.zeros(heads, 1, outputs)
        if orthogonal_gain is None:
            bound = 1 / math.sqrt(inputs)
            weight.uniform_(-bound, bound, generator=generator)
            bias.uniform_(-bound, bound, generator=generator)
        else:
            for head in weight:
                nn.init.orthogonal_(head, orthogonal_gain, generator=generator)
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, x: Tensor, *, fixed: bool = False) -> Tensor:
        """Maps (heads, batch, inputs) to (heads, batch, outputs); if `fixed`, without a gradient for the parameters."""
        if fixed:
            return torch.baddbmm(self.bias.detach(), x, self.weight.detach())
        return torch.baddbmm(self.bias, x, self.weight)


class StackedLayerNorm(nn.Module):
    """LayerNorm over the last dimension, with scale and shift for each of several networks.

    Args:
        heads: Number of networks.
        width: Width of in- and output.
    """

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(heads, 1, width))
        self.bias = nn.Parameter(torch.zeros(heads, 1, width))

    def forward(self, x: Tensor, *, fixed: bool = False) -> Tensor:
        """Maps (heads, batch, width) to the same shape; if `fixed`, without a gradient for the parameters."""
        weight, bias = (self.weight.detach(), self.bias.detach()) if fixed else (self.weight, self.bias)
        return torch.addcmul(bias, functional.layer_norm(x, x.shape[-1:], eps=LAYER_NORM_EPS), weight)


class StackedMLP(nn.Module):
    """Multilayer perceptrons with ReLU.

    Args:
        heads: Number of networks.
        inputs: Width of the input.
        hidden: Widths of the hidden layers.
        outputs: Width of the output.
        norm: Whether LayerNorm comes before each ReLU.
        generator: Source of the initial weights.
    """

    def __init__(
        self,
        heads: int,
        inputs: int,
        hidden: Sequence[int],
        outputs: int,
        *,
        norm: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        widths = [inputs, *hidden, outputs]
        self.heads = heads
        self.layers = nn.ModuleList(StackedLinear(heads, *pair, generator) for pair in itertools.pairwise(widths))
        self.norms = nn.ModuleList(StackedLayerNorm(heads, width) for width in hidden if norm)

    def forward(self, x: Tensor, *, fixed: bool = False) -> Tensor:
        """Computes the outputs of all networks.

        Args:
            x: Shape (batch, inputs).
            fixed: Whether the parameters are held fixed, so that only the input gets a gradient.

        Returns:
            Shape (heads, batch, outputs).
        """
        y = x.expand(self.heads, *x.shape)
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            y = layer(y, fixed=fixed)
            if i < last:
                y = functional.relu(self.norms[i](y, fixed=fixed) if len(self.norms) else y)
        return y


class Critics(nn.Module):
    """Several critics of observation, task and action, and the task vectors that belong to them.

    Args:
        networks: Maps (batch, observation, task vector, action) to (heads, batch, outputs); takes `fixed`.
        conditioning: Makes the task vectors.
        unit_norm: Whether task vectors are scaled to norm 1.
    """

    def __init__(self, networks: nn.Module, conditioning: ConditioningBlock, *, unit_norm: bool = False) -> None:
        super().__init__()
        self.networks, self.conditioning, self._unit_norm = networks, conditioning, unit_norm

    def told(self, task: Tensor) -> Tensor:
        """Task vectors of tasks given by index: shape (batch, width)."""
        vectors: Tensor = self.conditioning(task)
        return functional.normalize(vectors, dim=-1) if self._unit_norm else vectors

    def forward(self, obs: Tensor, task: Tensor, action: Tensor, *, fixed: bool = False) -> Tensor:
        """Computes the outputs of all critics.

        Args:
            obs: Observations, shape (batch, width).
            task: Task indices, shape (batch,).
            action: Actions, shape (batch, width).
            fixed: Whether the parameters are held fixed, so that only observations and actions get a gradient.

        Returns:
            Shape (heads, batch, outputs).
        """
        told = self.told(task)
        joined = torch.cat((obs, told.detach() if fixed else told, action), -1)
        outputs: Tensor = self.networks(joined, fixed=fixed)
        return outputs


@torch.no_grad()
def polyak_(target: nn.Module, online: nn.Module, rate: float) -> None:
    """Moves a target network's parameters towards the online ones' by a part of the way."""
    torch._foreach_lerp_(list(target.parameters()), list(online.parameters()), rate)
