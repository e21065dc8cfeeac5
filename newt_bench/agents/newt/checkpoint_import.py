"""Converts checkpoints of the published release (`nicklashansen/newt` on the Hugging Face Hub) to this project's.

A release file is a pickle of tensors: it is read by PyTorch's restricted unpickler, which runs no code. What differs
is the layout: the release keeps one matrix per first layer where we keep the task's columns apart, one entry per
critic where we stack them, and it puts the members of a SimNorm group side by side where we spread them.
"""

from __future__ import annotations

import dataclasses
import pickle
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from newt_bench.agents.newt.agent import NewtAgent
from newt_bench.agents.newt.config import SIZES, NetworkSize, NewtConfig
from newt_bench.agents.newt.model import WorldModel
from newt_bench.agents.shared.agent_files import write_agent
from newt_bench.atomic import atomic_folder
from newt_bench.catalogue import PADDED_ACTION_DIM, PADDED_OBS_DIM, Task
from newt_bench.errors import AgentError
from newt_bench.language import CLIP_MODEL, TEXT_FEATURES
from newt_bench.vision import IMAGE_FEATURES

__all__ = ["import_checkpoint"]

# Our networks, and what the release calls theirs.
_NETWORKS = {"encoder": "_encoder.state", "dynamics": "_dynamics", "reward_head": "_reward", "policy": "_pi"}
_CRITICS = {"critics": "_Qs.online._Qs", "target_critics": "_Qs.target._Qs"}
_PARAMETERS = {"weight": "weight", "bias": "bias", "norm_weight": "ln.weight", "norm_bias": "ln.bias"}
_LOG_STD = ("log_std_min", "log_std_dif")


def import_checkpoint(file: Path, folder: Path, tasks: Sequence[Task], steps: int = 100_000_000) -> None:
    """Converts a file of the release to a checkpoint folder.

    Args:
        file: The release's file.
        folder: Where the checkpoint goes; replaced if it exists.
        tasks: The tasks of the file's task embeddings, in their order. For a single-task file, the one task.
        steps: Environment steps behind the weights; planning depends on it a little.

    Raises:
        AgentError: The file is no such checkpoint; the message lists every missing, unknown or misshapen entry.
    """
    released = _read(Path(file))
    config = _config(released, len(tasks), Path(file))
    width = _task_width(released, config)
    embeddings = released.get("_task_emb.weight", torch.zeros(len(tasks), 0)) if width else torch.zeros(len(tasks), 0)
    model = WorldModel(
        config, torch.zeros(len(tasks), width), [t.action_dim for t in tasks], [t.discount for t in tasks]
    )
    problems = _mismatches(model, released, tasks, width)
    if problems:
        raise AgentError(f"{file} does not have the layout of a published checkpoint: {'; '.join(problems)}")
    tensors = dict(model.state_dict())
    for ours, parts in _layers(model, width):
        tensors[ours] = parts.convert(released)
    tensors["embeddings"] = embeddings
    with atomic_folder(Path(folder)) as path:
        write_agent(
            path,
            NewtAgent.FORMAT,
            config=config.to_dict(),
            tasks=tasks,
            steps=steps,
            text_encoder=CLIP_MODEL if width else None,
            tensors=tensors,
        )


@dataclasses.dataclass(frozen=True)
class _Parts:
    """Where one of our tensors comes from.

    Attributes:
        names: The release's entries: one, or one per critic.
        shape: Their shape.
        columns: Which columns of theirs to take, in our order; None for all or for vectors.
        rows: Which rows of theirs to take, in our order; None for all.
        stacked: Whether ours has a leading axis of critics.
    """

    names: tuple[str, ...]
    shape: tuple[int, ...]
    columns: Tensor | None
    rows: Tensor | None
    stacked: bool

    def convert(self, released: Mapping[str, Tensor]) -> Tensor:
        """Our tensor."""
        found = []
        for name in self.names:
            tensor = released[name]
            tensor = tensor if self.rows is None else tensor[self.rows]
            found.append(tensor if self.columns is None else tensor[:, self.columns])
        return torch.stack(found) if self.stacked else found[0]


def _layers(model: WorldModel, width: int) -> Iterator[tuple[str, _Parts]]:
    """Every tensor of our networks, and where it comes from."""
    config = model.config
    latent, group = config.dims.latent_dim, config.group
    spread = torch.arange(latent).view(-1, group).T.flatten()  # our latent entry i is the release's spread[i]
    for name in (*_NETWORKS, *_CRITICS):
        net = getattr(model, name)
        first = PADDED_OBS_DIM if name == "encoder" else latent
        main = torch.arange(first) if name == "encoder" else spread
        heads = range(config.dims.num_q) if name in _CRITICS else None
        prefixes = [f"{_CRITICS[name]}.{h}" for h in heads] if heads is not None else [_NETWORKS[name]]
        for i, layer in enumerate(net.layers):
            last_of_latent = name in ("encoder", "dynamics") and i == len(net.layers) - 1
            outputs, inputs = layer.weight.shape[-2:]
            total = inputs + width if i == 0 else inputs
            for ours, _ in layer.named_parameters():
                theirs = "weight" if ours == "task_weight" else _PARAMETERS[ours]
                columns = None
                if i == 0 and ours == "weight":
                    columns = torch.cat((main, torch.arange(first + width, total)))
                elif ours == "task_weight":
                    columns = torch.arange(first, first + width)
                shape = (outputs, total) if theirs == "weight" else (outputs,)
                names = tuple(f"{prefix}.{i}.{theirs}" for prefix in prefixes)
                rows = spread if last_of_latent else None
                yield f"{name}.layers.{i}.{ours}", _Parts(names, shape, columns, rows, heads is not None)


def _read(file: Path) -> dict[str, Tensor]:
    """The model's tensors by name, without prefix."""
    if not file.is_file():
        raise AgentError(f"{file} is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about pickles of other kinds, refused below
            content = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise AgentError(
            f"{file} is not a PyTorch file of tensors alone and was not read: {str(error).splitlines()[0]}"
        ) from error
    model = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(model, dict):
        raise AgentError(f"{file} holds no dictionary of tensors")
    return {str(name).removeprefix("module."): value for name, value in model.items() if isinstance(value, Tensor)}


def _config(released: Mapping[str, Tensor], num_tasks: int, file: Path) -> NewtConfig:
    """Hyper-parameters as far as the shapes tell them."""

    def rows(name: str) -> int | None:
        return len(released[name]) if name in released and released[name].dim() == 2 else None

    heads = {int(m[1]) for name in released if (m := re.match(r"_Qs\.online\._Qs\.(\d+)\.", name))}
    depth = {int(m[1]) for name in released if (m := re.match(r"_encoder\.state\.(\d+)\.", name))}
    found = (rows("_encoder.state.0.weight"), rows("_dynamics.0.weight"), rows("_dynamics.2.weight"))
    if None in found or not heads or not depth:
        raise AgentError(
            f"{file} does not have the layout of a published checkpoint: it lacks _encoder.state.*, _dynamics.* or "
            "_Qs.online._Qs.*"
        )
    enc_dim, mlp_dim, latent_dim = (value or 0 for value in found)
    network = NetworkSize(enc_dim, mlp_dim, latent_dim, len(depth), len(heads))
    size: Any = next((name for name, known in SIZES.items() if known == network), None)
    columns = released["_encoder.state.0.weight"].shape[1]
    pixels = columns >= PADDED_OBS_DIM + IMAGE_FEATURES
    low, reach = (
        float(released.get(name, torch.tensor(default))) for name, default in zip(_LOG_STD, (-10.0, 12.0), strict=True)
    )
    conditioned = columns - PADDED_OBS_DIM - IMAGE_FEATURES * pixels > 0
    config = NewtConfig(
        size=size,
        network=network,
        pixels=pixels,
        log_std_min=low,
        log_std_max=low + reach,
        conditioning="language" if conditioned else "none",
    )
    return config.resolved(num_tasks)


def _task_width(released: Mapping[str, Tensor], config: NewtConfig) -> int:
    if config.conditioning == "none":
        return 0
    return released["_task_emb.weight"].shape[1] if "_task_emb.weight" in released else TEXT_FEATURES


def _mismatches(model: WorldModel, released: Mapping[str, Tensor], tasks: Sequence[Task], width: int) -> list[str]:
    """Everything in which a file differs from the layout, in words."""
    expected: dict[str, tuple[int, ...]] = {}
    for _, parts in _layers(model, width):
        expected |= dict.fromkeys(parts.names, parts.shape)
    if width:
        expected["_task_emb.weight"] = (len(tasks), width)
        expected["_action_masks"] = (len(tasks), PADDED_ACTION_DIM)
    optional = {"_task_emb.weight", "_action_masks", *_LOG_STD}
    problems = [f"{name} is missing" for name in expected if name not in released]
    problems += [f"{name} is not known" for name in released if name not in expected and name not in optional]
    for name, shape in expected.items():
        found = released.get(name)
        if found is not None and tuple(found.shape) != shape:
            problems.append(f"{name} has shape {list(found.shape)}, not {list(shape)}")
        elif found is not None and found.dtype != torch.float32 and name != "_action_masks":
            problems.append(f"{name} is {found.dtype}, not torch.float32")
    masks = released.get("_action_masks")
    if masks is not None and masks.shape == model.masks.shape:
        wrong = (masks.float().sum(1) != model.masks.sum(1)).nonzero().flatten().tolist()
        problems += [
            f"_action_masks has {int(masks[k].sum())} actions for {tasks[k].name}, not {tasks[k].action_dim}"
            for k in wrong
        ]
    return problems
