"""Options that several commands share."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.console import Console

from newt_bench.catalogue import SPLITS, Split, TaskList, tasks
from newt_bench.errors import InputError
from newt_bench.training import agent_folder

__all__ = [
    "AgentOption",
    "CheckpointOption",
    "JsonOption",
    "SplitOption",
    "agent_options",
    "console",
    "parse_options",
    "print_json",
    "select_tasks",
]

AgentOption = Annotated[
    str,
    typer.Option(
        "--agent",
        help="Name of an installed agent, or import path package.module:Class of your own (the current "
        "directory is searched too).",
    ),
]
CheckpointOption = Annotated[
    Path | None, typer.Option("--checkpoint", help="Folder of a saved agent, or of the training run that saved it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
SplitOption = Annotated[str | None, typer.Option("--split", help=f"One of {', '.join(SPLITS)}.")]

assert get_args(Split) == SPLITS


def console() -> Console:
    """Where tables go: standard output, with the width of the terminal, or unlimited if it is none."""
    terminal = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(soft_wrap=False, highlight=False, width=None if terminal else 160)


def print_json(document: Any) -> None:
    """Prints a JSON document to standard output."""
    typer.echo(json.dumps(document, indent=2, allow_nan=False))


def select_tasks(names: str | None, split: str | None) -> TaskList:
    """Resolves `--tasks` and `--split`.

    Raises:
        InputError: Neither or both are given, or a name is unknown.
    """
    if (names is None) == (split is None):
        raise InputError("Say which tasks: either --tasks NAME,NAME,... or --split core|heldout|lite")
    if names is None:
        return tasks(split=split)  # type: ignore[arg-type] # an unknown split is refused by tasks()
    return tasks([name.strip() for name in names.split(",") if name.strip()])


def parse_options(pairs: list[str]) -> dict[str, Any]:
    """Parses `key=value` pairs; a value that is JSON is read as such, anything else is text.

    Raises:
        InputError: A pair has no `=`.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise InputError(f"options take the form key=value, not '{pair}'")
        try:
            options[key] = json.loads(value)
        except ValueError:
            options[key] = value
    return options


def agent_options(pairs: list[str], checkpoint: Path | None) -> dict[str, Any]:
    """Options of an agent: `key=value` pairs, and `checkpoint` if there is one."""
    found = {} if checkpoint is None else {"checkpoint": str(agent_folder(checkpoint))}
    return parse_options(pairs) | found


def search_current_directory() -> None:
    """Lets import paths name modules in the current directory, as `python -m` does."""
    if "" not in sys.path and os.getcwd() not in sys.path:  # noqa: PTH109 (sys.path holds strings)
        sys.path.insert(0, "")
