"""Gradient steps, and the moments that a resumed run needs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from newt_bench.agents.shared.distributed import average_gradients
from newt_bench.errors import AgentError

__all__ = ["descend", "load_moments", "moments"]

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, max_grad_norm: float | None = None) -> Tensor:
    """One step of an optimiser down the gradient of a loss, averaged over all processes.

    Gradients of all of the optimiser's parameters are dropped afterwards; others' are not touched.

    Args:
        optimizer: The optimiser.
        loss: A scalar.
        max_grad_norm: Where the gradient's global norm is clipped, if at all.

    Returns:
        The gradient's norm before clipping.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    loss.backward()
    average_gradients(parameters)
    norm = nn.utils.clip_grad_norm_(parameters, torch.inf if max_grad_norm is None else max_grad_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm


def moments(optimizer: torch.optim.Optimizer, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Steps and moments of Adam or AdamW, as tensors by name; none of parameters that were not stepped yet.

    Args:
        optimizer: The optimiser.
        parameters: Its parameters by name.
    """
    return {
        f"{name}.{key}": value
        for name, parameter in parameters.items()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def load_moments(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> None:
    """Goes on from what `moments` told.

    Raises:
        AgentError: Something is missing or of another shape; the message names all that is.
    """
    problems = []
    for name, parameter in parameters.items():
        found = {key: state.get(f"{name}.{key}") for key in _MOMENTS}
        if all(value is None for value in found.values()):
            continue  # not stepped yet
        problems += [
            f"{name}.{key}"
            for key, value in found.items()
            if value is None or (key != "step" and value.shape != parameter.shape)
        ]
        optimizer.state[parameter] = {
            key: value.clone() if key == "step" else value.to(parameter.device, copy=True)
            for key, value in found.items()
            if value is not None
        }
    if problems:
        raise AgentError(f"The training state lacks, or has in another shape: {', '.join(problems)}")
