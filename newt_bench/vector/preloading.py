"""Which simulators the fork server imports for the workers of a vector environment."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence

from newt_bench.envs.domains import DOMAIN_MODULES

__all__ = ["modules_of_several"]

# Domains that do without MuJoCo. It is imported with all others, and loads the OpenGL back end that `MUJOCO_GL` names:
# EGL opens a display at once, which must not be forked.
_WITHOUT_MUJOCO = {"box2d", "miniarcade", "atari"}
_WITHOUT_GRAPHICS = {"", "glfw", "disable", "disabled", "off", "false", "0"}  # values of it that load no library


def modules_of_several(domains: Iterable[Sequence[str]]) -> list[str]:
    """The modules of the domains that several workers host, as far as they can be imported before a fork.

    Args:
        domains: Domains that each worker hosts.
    """
    hosts = Counter(domain for hosted in domains for domain in set(hosted))
    graphics = os.environ.get("MUJOCO_GL", "").lower().strip() not in _WITHOUT_GRAPHICS
    return [
        module
        for domain, module in DOMAIN_MODULES.items()
        if hosts[domain] > 1 and not (graphics and domain not in _WITHOUT_MUJOCO)
    ]
