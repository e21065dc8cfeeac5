"""What works where: a table of platforms and domains, from reports that `newt-bench doctor --json` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from newt_bench.catalogue import DOMAIN_NAMES, load_domain
from newt_bench.schemas import validate
from site_pages.writing import Writer, table

__all__ = ["write"]

#: Platforms that continuous integration reports on: name of the file, title.
PLATFORMS = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}
_SIGNS = {"ok": "yes", "broken": "**no**", "not installed": "not installed"}


def write(writer: Writer, docs: Path) -> None:
    """Writes `platforms.md` from the reports in `docs/platforms/`."""
    reports = {name: _read(docs / "platforms" / f"{name}.json") for name in PLATFORMS}
    there = {name: report for name, report in reports.items() if report is not None}
    text = "# What works where\n\n"
    text += (
        "Made from reports of `newt-bench doctor --json`, which steps and draws a task of every domain: continuous "
        "integration runs it on each platform, with all extras that can be installed there "
        "([the job](../../.github/workflows/site.yml)), and nothing here is written by hand.\n\n"
    )
    absent = [PLATFORMS[name] for name, report in reports.items() if report is None]
    if absent:
        text += (
            f"There is **no report from {' and '.join(absent)} yet**: continuous integration has not delivered one to "
            "this build, and nothing is known about what works there.\n\n"
        )
    rows = [
        [f"[{load_domain(domain).title}](../tasks/{domain}.md)", *(_cell(reports[name], domain) for name in PLATFORMS)]
        for domain in DOMAIN_NAMES
    ]
    text += table(("domain", *PLATFORMS.values()), rows)
    for name, report in there.items():
        text += f"\n## {PLATFORMS[name]}\n\n{_machine(report)}\n\n" + _details(report)
    writer.write("platforms.md", text)


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    validate(report, "doctor-1")
    return report


def _machine(report: dict[str, Any]) -> str:
    return f"newt-bench {report['newt_bench']}, Python {report['python']}, `{report['platform']}`"


def _cell(report: dict[str, Any] | None, name: str) -> str:
    if report is None:
        return "no report"
    domain = next((item for item in report["domains"] if item["name"] == name), None)
    if domain is None:
        return "no report"
    if domain["status"] == "ok" and domain["render"] is None:
        return "yes; frames not tried"
    return _SIGNS[domain["status"]]


def _details(report: dict[str, Any]) -> str:
    rows = []
    for domain in report["domains"]:
        packages = ", ".join(f"{package['name']} {package['found'] or '-'}" for package in domain["packages"])
        rows.append(
            (
                domain["name"],
                domain["status"],
                packages,
                _flag(domain["state"]),
                domain["renderer"] or _flag(domain["render"]),
                domain["assets"] or "-",
                (domain["problem"] or "").replace("|", "\\|").replace("\n", " "),
            )
        )
    return table(("domain", "status", "packages", "steps", "draws", "downloads", "problem"), rows)


def _flag(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "-"}[value]
