"""Keeps ManiSkill and the program that uses it out of each other's way."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

import torch

__all__ = ["quiet", "usual_torch"]

_LOGGER = logging.getLogger("mani_skill ")  # the name that ManiSkill gives it, blank included


@contextlib.contextmanager
def usual_torch() -> Iterator[None]:
    """Has torch behave as it does by default: float32 on the CPU, outside of inference mode.

    ManiSkill's physics passes through torch tensors. An agent may have chosen other settings for itself;
    episodes must not depend on them, and tensors that were made in inference mode could not be changed
    outside of it. Everything is put back afterwards.
    """
    dtype = torch.get_default_dtype()
    on_cpu = torch.empty(0).device.type == "cpu"
    torch.set_default_dtype(torch.float32)
    try:
        with torch.inference_mode(False), contextlib.nullcontext() if on_cpu else torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences what ManiSkill says of its own environments while it builds their scenes.

    It warns that initial poses are missing in them, through a deprecated method of Python's loggers; of the
    precision of spaces that nothing here uses; and on machines with several GPUs, of copying the generators
    of all.
    """
    level = _LOGGER.level
    _LOGGER.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _LOGGER.setLevel(level)
