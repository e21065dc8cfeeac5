"""Finds out what works on this machine, and the command that mends what does not."""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Literal

import gymnasium
from packaging.specifiers import SpecifierSet

from newt_bench import assets
from newt_bench.catalogue import DOMAIN_NAMES, Domain, load_domain, tasks
from newt_bench.errors import InputError, NewtBenchError, RenderingError
from newt_bench.extras import extra_requirements, install_command, installed_version
from newt_bench.version import __version__

__all__ = ["DomainReport", "PackageReport", "Report", "examine", "probe"]

_PROBE_SECONDS = 300


@dataclasses.dataclass(frozen=True)
class PackageReport:
    """One simulator package: the version that scores need, and the one that is there."""

    name: str
    expected: str
    found: str | None

    @property
    def matches(self) -> bool:
        """Whether the expected version is installed."""
        return self.found is not None and SpecifierSet(self.expected).contains(self.found, prereleases=True)


@dataclasses.dataclass(frozen=True)
class DomainReport:
    """What works of one domain. `doctor-1.json` describes the fields."""

    name: str
    requested: bool
    status: Literal["ok", "broken", "not installed"]
    packages: tuple[PackageReport, ...]
    state: bool | None = None
    render: bool | None = None
    renderer: str | None = None
    assets: Literal["not needed", "missing", "there"] | None = None
    problem: str | None = None
    remedy: str | None = None


@dataclasses.dataclass(frozen=True)
class Report:
    """What works on this machine."""

    domains: tuple[DomainReport, ...]

    @property
    def ok(self) -> bool:
        """Whether everything asked for works, and nothing that is installed is broken."""
        return all(d.status == "ok" if d.requested else d.status != "broken" for d in self.domains)

    def to_json(self) -> dict[str, Any]:
        """The report as `newt_bench/schemas/doctor-1.json` defines it."""
        return {
            "newt_bench": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "ok": self.ok,
            "domains": [
                {**dataclasses.asdict(d), "packages": [dataclasses.asdict(p) for p in d.packages]} for d in self.domains
            ],
        }


def examine(domains: Sequence[str] = (), render: bool = True) -> Report:
    """Tries every domain: packages, a reset and some steps, a frame.

    Each simulator runs in a child process, so that one which crashes is a finding and not the end.

    Args:
        domains: Domains that must work; empty examines all and asks only that nothing installed is broken.
        render: Whether frames must work too.

    Raises:
        InputError: A domain is not known.
    """
    for name in domains:
        if name not in DOMAIN_NAMES:
            raise InputError(f"There is no domain '{name}'. Known: {', '.join(DOMAIN_NAMES)}.")
    return Report(tuple(_examine(name, bool(domains), render) for name in domains or DOMAIN_NAMES))


def _examine(name: str, requested: bool, render: bool) -> DomainReport:
    domain = load_domain(name)
    packages = tuple(
        PackageReport(package, expected, installed_version(package))
        for package, expected in extra_requirements(domain.extra).items()
    )
    missing = [package.name for package in packages if package.found is None]
    if missing:
        return DomainReport(
            name,
            requested,
            "not installed",
            packages,
            problem=f"not installed: {', '.join(missing)}",
            remedy=install_command(domain.extra),
        )
    wrong = [f"{p.name} {p.found} (expected {p.expected})" for p in packages if not p.matches]
    if wrong:
        return DomainReport(
            name,
            requested,
            "broken",
            packages,
            problem=f"other versions than those that scores are defined on: {', '.join(wrong)}",
            remedy=install_command(domain.extra),
        )
    return _with_probe(domain, DomainReport(name, requested, "ok", packages), render)


def _with_probe(domain: Domain, report: DomainReport, render: bool) -> DomainReport:
    """Runs `probe` in a child process and adds what it found."""
    report = dataclasses.replace(report, assets=_assets(domain))
    code = f"from newt_bench.doctor import probe; probe({domain.name!r}, {render})"
    try:
        child = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        problem = f"the simulator hung for {_PROBE_SECONDS} seconds"
        return dataclasses.replace(report, status="broken", state=False, problem=problem, remedy=_reinstall(domain))
    # A crash leaves the lines printed before it, so what worked until then is known.
    found: dict[str, Any] = {}
    for line in child.stdout.splitlines():
        if line.startswith("{"):
            found.update(json.loads(line))
    if child.returncode != 0 and "problem" not in found:
        last = (child.stderr.strip().splitlines() or ["no message"])[-1]
        found["problem"] = f"the simulator's process ended with code {child.returncode} ({last})"
    if found.get("problem"):
        found.setdefault("remedy", _reinstall(domain))
        found["status"] = "broken"
    found.setdefault("state", False)
    return dataclasses.replace(report, **found)


def _assets(domain: Domain) -> Literal["not needed", "missing", "there"]:
    """Whether what any of the domain's tasks needs to download is there."""
    names = {name for task in tasks(domain=domain.name) for name in task.assets}
    if not names:
        return "not needed"
    return "missing" if assets.missing(names) else "there"


def _reinstall(domain: Domain) -> str:
    return f"{install_command(domain.extra)} --force-reinstall"


def probe(domain: str, render: bool) -> None:
    """Resets, steps and draws one task of a domain, printing a JSON line after each stage.

    `examine` runs this in a child process.
    """
    task = next(t for t in sorted(tasks(domain=domain), key=lambda t: t.lite is None) if not t.assets)
    try:
        env = gymnasium.make(task.id, render_mode="rgb_array")
        env.reset(seed=0)
        for _ in range(3):
            env.step(env.action_space.sample())
        print(json.dumps({"state": True}), flush=True)  # noqa: T201
        if render:
            env.render()
            print(json.dumps({"render": True, "renderer": env.unwrapped.renderer}), flush=True)  # type: ignore[attr-defined] # noqa: T201
        env.close()
    except NewtBenchError as error:
        problem, _, remedy = str(error).partition(". ")
        found: dict[str, Any] = {"problem": problem, **({"remedy": remedy} if remedy else {})}
        if isinstance(error, RenderingError):
            found["render"] = False
        print(json.dumps(found), flush=True)  # noqa: T201
