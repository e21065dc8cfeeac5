"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from newt_bench.cli import app
from site_pages.writing import Writer, code, table

__all__ = ["write"]


def write(writer: Writer, docs: Path) -> None:
    """Writes `cli.md`."""
    text = "# Command line\n\n`newt-bench --help`, and `--help` behind every command, say the same.\n"
    for path, command in _commands("newt-bench", typer.main.get_command(app)):
        text += f"\n## {path}\n\n{_sentence(command.help)}\n\n```text\n{_usage(path, command)}\n```\n\n"
        text += table(("argument", "", "default"), [_row(item) for item in command.params]) if command.params else ""
    writer.write("cli.md", text)


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, item in below.items():
        yield from _commands(f"{path} {name}", item)


def _sentence(text: str | None) -> str:
    return (text or "").replace("\n\n", "\n\n").strip()


def _is_option(item: Any) -> bool:
    return bool(item.opts[0].startswith("-"))


def _usage(path: str, command: Any) -> str:
    words = [path]
    for item in command.params:
        if not _is_option(item):
            name = item.opts[0].upper()
            words.append(name if item.required else f"[{name}]")
        elif item.required:
            words.append(f"{item.opts[0]} {item.name.upper()}")
    if any(_is_option(item) and not item.required for item in command.params):
        words.append("[OPTIONS]")
    return " ".join(words)


def _row(item: Any) -> tuple[str, str, str]:
    names = " / ".join(code(name) for name in (*item.opts, *item.secondary_opts))
    if not _is_option(item):
        names = code(item.opts[0].upper())
    default = "required" if item.required else "" if item.default in (None, False, ()) else code(item.default)
    if item.secondary_opts:
        default = code(item.opts[0] if item.default else item.secondary_opts[0])
    return names, item.help or "", default
