"""Plain multilayer perceptrons, with initial weights from a generator of one's own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import nn

__all__ = ["linear", "perceptron"]

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"mish": nn.Mish, "relu": nn.ReLU, "tanh": nn.Tanh}


def linear(
    inputs: int, outputs: int, generator: torch.Generator | None = None, *, orthogonal_gain: float | None = None
) -> nn.Linear:
    """A linear layer.

    Args:
        inputs: Width of the input.
        outputs: Width of the output.
        generator: Source of the initial weights.
        orthogonal_gain: Start with an orthogonal matrix times this, and biases 0. None draws both uniformly from
            +-1/sqrt(inputs), which is what PyTorch does by default.
    """
    layer: nn.Linear = nn.utils.skip_init(
        nn.Linear, inputs, outputs
    )  # PyTorch's own draws are from the global generator
    with torch.no_grad():
        if orthogonal_gain is None:
            bound = 1 / math.sqrt(inputs)
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.uniform_(-bound, bound, generator=generator)
        else:
            nn.init.orthogonal_(layer.weight, orthogonal_gain, generator=generator)
            layer.bias.zero_()
    return layer


def perceptron(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    generator: torch.Generator | None = None,
    *,
    activation: Literal["mish", "relu", "tanh"] = "relu",
    norm: bool = False,
    orthogonal_gains: tuple[float, float] | None = None,
) -> nn.Sequential:
    """Hidden layers (linear, LayerNorm if `norm`, activation) and a linear output layer.

    Args:
        inputs: Width of the input.
        hidden: Widths of the hidden layers.
        outputs: Width of the output.
        generator: Source of the initial weights.
        activation: Activation of the hidden layers.
        norm: Whether LayerNorm goes before it.
        orthogonal_gains: Gains of orthogonal initial weights, of the hidden layers and of the last; see `linear`.
    """
    widths = [inputs, *hidden]
    gain, last_gain = orthogonal_gains or (None, None)
    layers: list[nn.Module] = []
    for width, following in itertools.pairwise(widths):
        layers.append(linear(width, following, generator, orthogonal_gain=gain))
        if norm:
            layers.append(nn.LayerNorm(following))
        layers.append(_ACTIVATIONS[activation]())
    layers.append(linear(widths[-1], outputs, generator, orthogonal_gain=last_gain))
    return nn.Sequential(*layers)
