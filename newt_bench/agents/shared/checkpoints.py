"""Checkpoints: a folder with `config.json` and safetensors files. Nothing in it can run code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from newt_bench.atomic import recover_folder
from newt_bench.errors import AgentError

__all__ = ["CONFIG", "WEIGHTS", "read_config", "read_tensors", "tensor_mismatches", "write_tensors"]

CONFIG = "config.json"
WEIGHTS = "weights.safetensors"

_PICKLED = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt")


def read_config(folder: Path, kind: str) -> dict[str, Any]:
    """Reads the configuration of a checkpoint.

    Args:
        folder: The checkpoint.
        kind: What its `format` must be.

    Raises:
        AgentError: It is not such a checkpoint.
    """
    recover_folder(folder)
    path = folder / CONFIG
    if not path.is_file():
        pickles = [p.name for p in folder.iterdir() if p.suffix in _PICKLED] if folder.is_dir() else []
        hint = f"; {', '.join(pickles)} there is not read, as it may hold code" if pickles else ""
        raise AgentError(f"{folder} is not a checkpoint: it has no {CONFIG}{hint}")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AgentError(f"{path} is not JSON: {error}") from error
    found = config.get("format") if isinstance(config, dict) else None
    if found != kind:
        raise AgentError(f"{folder} is a checkpoint of another kind: its format is {found!r}, not {kind!r}")
    return dict(config)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Reads a safetensors file; whatever else the file may be is refused unread.

    Raises:
        AgentError: The file is missing or not in the safetensors format.
    """
    if not path.is_file():
        raise AgentError(f"{path} is missing")
    try:
        tensors: dict[str, Tensor] = load_file(path)
        return tensors
    except (SafetensorError, ValueError) as error:
        raise AgentError(f"{path} is not a safetensors file and was not read: {error}") from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes a safetensors file, from any device."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)


def tensor_mismatches(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """Everything in which tensors differ from the expected ones by name, shape or type, in words."""
    problems = [f"{name} is missing" for name in expected if name not in found]
    problems += [f"{name} is not known" for name in found if name not in expected]
    for name, tensor in expected.items():
        other = found.get(name)
        if other is not None and (tensor.shape != other.shape or tensor.dtype != other.dtype):
            problems.append(f"{name} is {_kind(other)}, not {_kind(tensor)}")
    return problems


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"
