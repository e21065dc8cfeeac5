"""Where and how a result was made."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from newt_bench.extras import installed_version
from newt_bench.version import __version__

__all__ = ["collect_provenance", "package_versions"]


def collect_provenance(distributions: Iterable[str]) -> dict[str, Any]:
    """Describes this run, for the `provenance` field of a results file.

    Args:
        distributions: The simulators' distribution names.

    Returns:
        A JSON-compatible dictionary as `results-1.json` defines it, with `wall_seconds` still 0
        and `renderers` empty.
    """
    return {
        "newt_bench": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": package_versions(["numpy", "gymnasium", *distributions]),
        "git_revision": _git_revision(),
        "hardware": _hardware(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "wall_seconds": 0.0,
        "renderers": {},
    }


def package_versions(distributions: Iterable[str]) -> dict[str, str]:
    """Installed versions of distributions; those not installed are left out."""
    found = {name: installed_version(name) for name in distributions}
    return {name: version for name, version in found.items() if version is not None}


def _git_revision() -> str | None:
    try:
        revision = _git("rev-parse", "HEAD")
        return revision + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _hardware() -> dict[str, Any]:
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count() or 1,
        "memory_gb": _memory_gb(),
        "accelerator": _accelerator(),
    }


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (AttributeError, ValueError, OSError):  # not POSIX
        return None


def _accelerator() -> str | None:
    """The GPU that a loaded torch sees; torch is not imported for it."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return None
