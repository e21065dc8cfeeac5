"""Keeps ManiSkill and the program that uses it out of each other's way."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import torch

__all__ = ["quiet", "rare_garbage_collection", "usual_torch"]

_SCENES_PER_COLLECTION = 4

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


class _RareCollector:
    """Stands in for the module `gc`: collects garbage at every fourth request."""

    def __init__(self) -> None:
        self._requests = 0

    def collect(self) -> None:
        self._requests += 1
        if self._requests % _SCENES_PER_COLLECTION == 0:
            gc.collect()


_RARE_COLLECTOR = _RareCollector()


@contextlib.contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """Has ManiSkill search the process for garbage at every fourth scene that it drops, not at every one.

    Searching takes several times as long as building the next scene. Up to three dropped scenes, of 30 MB at
    most, wait for the next search or for an environment to be closed.
    """
    module: Any = sys.modules["mani_skill.envs.sapien_env"]
    before = module.gc
    module.gc = _RARE_COLLECTOR
    try:
        yield
    finally:
        module.gc = before
