"""Chooses what ManiSkill draws with. It needs a Vulkan device to build any scene, even if nothing is drawn.

The device stays open for the life of the process. The library would close it with the last scene, and then
prepare its shaders and lighting tables anew for the next: many seconds on a processor, before the first frame.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import re

import sapien
import sapien.render
import torch

from newt_bench.errors import RenderingError

__all__ = ["Device", "choose_device"]


@dataclasses.dataclass(frozen=True)
class Device:
    """What draws.

    Attributes:
        backend: ManiSkill's name for it, `gpu` or `cpu`.
        name: The driver's own name, such as `llvmpipe (LLVM 15.0.6, 256 bits)`.
        system: An empty scene on the device, which keeps it open.
        process: The process that opened it.
    """

    backend: str
    name: str
    system: sapien.render.RenderSystem
    process: int

    def check_process(self) -> None:
        """Refuses to draw where drawing would wait forever for threads that are not there.

        Raises:
            RenderingError: This process was forked from the one that opened the device.
        """
        if os.getpid() != self.process:
            raise RenderingError(
                "ManiSkill cannot draw in a process that was forked from one that has used it. Start the process "
                "another way: AsyncVectorEnv and multiprocessing take context='spawn' or 'forkserver'"
            )


@functools.cache
def choose_device() -> Device:
    """Finds the GPU if torch can use one (frames pass through torch), else a driver for the processor.

    Raises:
        RenderingError: There is no working Vulkan driver.
    """
    if torch.cuda.is_available():
        with contextlib.suppress(RuntimeError):  # a GPU without its Vulkan driver, as in many containers
            return _open("gpu", "cuda")
    try:
        return _open("cpu", "cpu")
    except RuntimeError as error:
        raise RenderingError(
            f"There is no Vulkan device ({error}), and ManiSkill needs one even for states. Install a driver; for the "
            "processor, Mesa 24.3 or later: on Debian 12 with bookworm-backports among the apt sources, apt-get "
            "install -t bookworm-backports mesa-vulkan-drivers libvulkan1; elsewhere, mesa-vulkan-drivers"
        ) from error


def _open(backend: str, device: str) -> Device:
    # Otherwise the library prints what it tries and misses before it raises.
    sapien.render.set_log_level("off")
    try:
        system = sapien.render.RenderSystem(sapien.Device(device))
    finally:
        sapien.render.set_log_level("warn")  # as ManiSkill has it
    return Device(backend, _name(on_gpu=backend == "gpu"), system, os.getpid())


def _name(on_gpu: bool) -> str:
    """Name of the first device of that sort in the library's own list, which has one block per device."""
    pattern = r"^GPU: (.*)$(?:\n.+)*?\n\s*cudaId:\s+" + (r"\d+" if on_gpu else r"-1")
    found = re.search(pattern, sapien.render.get_device_summary(), re.MULTILINE)
    return found.group(1) if found else "unknown device"
