"""`newt-bench doctor`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from newt_bench.cli.options import JsonOption, console, print_json
from newt_bench.doctor import DomainReport, examine

_STYLES = {"ok": "green", "broken": "red", "not installed": "yellow"}


def examine_machine(
    domains: Annotated[list[str] | None, typer.Argument(help="Domains that must work. Default: report on all.")] = None,
    render: Annotated[bool, typer.Option("--render/--no-render", help="Whether frames must work too.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Find out what works on this machine, and how to mend what does not.

    Exit code 1 if a domain that was named does not work, or one that is installed is broken.
    """
    report = examine(domains or (), render)
    if as_json:
        print_json(report.to_json())
    else:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for heading in ("domain", "status", "packages", "steps", "renders", "downloads"):
            table.add_column(heading, no_wrap=heading != "packages")
        for domain in report.domains:
            style = _STYLES[domain.status]
            status = f"[{style}]{domain.status}[/{style}]"
            table.add_row(
                domain.name, status, _packages(domain), _yes(domain.state), _rendering(domain), domain.assets or "-"
            )
        console().print(table)
        for domain in report.domains:
            if domain.problem:
                typer.echo(f"{domain.name}: {domain.problem}" + (f"\n  fix: {domain.remedy}" if domain.remedy else ""))
            if domain.assets == "missing":
                typer.echo(f"{domain.name}: some tasks need downloads: newt-bench assets download")
    raise typer.Exit(0 if report.ok else 1)


def _packages(domain: DomainReport) -> str:
    return ", ".join(f"{package.name} {package.found or '-'}" for package in domain.packages)


def _yes(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "-"}[value]


def _rendering(domain: DomainReport) -> str:
    return domain.renderer or _yes(domain.render)
