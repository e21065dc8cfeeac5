"""Optional packages: what this distribution asks for, and clear errors when something is missing."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from collections.abc import Collection
from types import ModuleType

from newt_bench.errors import MissingExtraError, SimulatorError

__all__ = ["DISTRIBUTION", "extra_requirements", "import_optional", "install_command", "installed_version"]

DISTRIBUTION = "newt-bench"

# How the dynamic linker says that a library is missing, and where Debian has those that simulators need.
_SHARED_LIBRARY = re.compile(r"(lib\S+\.so[.\d]*): cannot open shared object file")
_DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libvulkan.so.1": "libvulkan1",
}


def install_command(extra: str) -> str:
    """The command that installs one extra."""
    return f'pip install "{DISTRIBUTION}[{extra}]"'


def import_optional(module: str, *, extra: str, packages: Collection[str], wanted_by: str) -> ModuleType:
    """Imports a module that needs optional packages.

    Args:
        module: Full name of the module to import.
        extra: The extra that installs the packages.
        packages: Import names of the packages that the extra supplies.
        wanted_by: What needs it, for the message, such as a task id.

    Returns:
        The imported module.

    Raises:
        MissingExtraError: One of `packages` is not installed. The original error is chained.
        SimulatorError: A package is installed but broken, or lacks a library of the system. The original error is
            chained.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and missing in packages:
            raise MissingExtraError(
                f"{wanted_by} needs the package '{missing}', which is not installed. "
                f"Install it with: {install_command(extra)}"
            ) from error
        library = _SHARED_LIBRARY.match(str(error))
        if library:
            package = _DEBIAN_PACKAGES.get(library[1])
            raise SimulatorError(
                f"{wanted_by} needs the system library {library[1]}, which is not on this machine. "
                + (
                    f"On Debian or Ubuntu: apt-get install {package}"
                    if package
                    else "Install it with the system's tools"
                )
            ) from error
        raise SimulatorError(
            f"{wanted_by}: {' or '.join(packages)} is installed but fails to import ({error}). "
            f"Reinstall with: {install_command(extra)} --force-reinstall"
        ) from error


def installed_version(distribution: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def extra_requirements(extra: str) -> dict[str, str]:
    """What an extra requires, read from this distribution's own metadata.

    Returns:
        Maps distribution names to version specifiers, such as `{"mujoco": "==3.3.6"}`.
    """
    from packaging.requirements import Requirement

    found: dict[str, str] = {}
    for line in importlib.metadata.requires(DISTRIBUTION) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
            found[requirement.name] = str(requirement.specifier)
    return found
