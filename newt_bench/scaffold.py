"""Starts a contribution: a file for a new agent, an entry for a new task."""

from __future__ import annotations

import re
from pathlib import Path

from newt_bench.atomic import write_text
from newt_bench.catalogue import get_task, parse_domain_file, task_index
from newt_bench.content import content_folder
from newt_bench.errors import InputError

__all__ = ["new_agent", "new_task"]

_AGENT = '''"""{name}: say in one line how it acts."""

from __future__ import annotations

import numpy as np
import newt_bench


class {name}(newt_bench.Agent):
    """Says what it does, and cites where it comes from."""

    def __init__(self, tasks, seed=0, scale=1.0):
        super().__init__(tasks, seed)
        self.scale = scale
        self.rng = np.random.default_rng(seed)

    def reset(self, seed):
        self.rng = np.random.default_rng(seed)

    def act(self, obs, task, first, mode):
        # obs: float32 (slots, 128), zero-padded; task: index into self.tasks; first: True at an episode's start.
        # Replace this random choice. Return actions in [-1, 1] of shape (slots, 16).
        return self.scale * self.rng.uniform(-1, 1, (len(task), 16)).astype(np.float32)
'''


def new_agent(path: Path) -> str:
    """Writes a small agent that runs as it is, to be changed.

    Args:
        path: A new file `some_name.py`; its class is called `SomeName`.

    Returns:
        The agent's import path, for `newt-bench evaluate --agent`.

    Raises:
        InputError: The file exists, or its name is no Python module's.
    """
    if path.suffix != ".py" or not re.fullmatch(r"[a-z][a-z0-9_]*", path.stem):
        raise InputError(f"'{path}': an agent's file is named like a Python module, such as my_agent.py")
    if path.exists():
        raise InputError(f"{path} exists; name a new file")
    name = "".join(part.capitalize() for part in path.stem.split("_"))
    write_text(path, _AGENT.format(name=name))
    return f"{path.stem}:{name}"


def new_task(name: str, like: str) -> Path:
    """Adds a task to the catalogue of a source checkout, as a copy of another to be changed.

    Args:
        name: Name of the new task.
        like: The task whose entry is copied, with an instruction and paraphrases to be rewritten.

    Returns:
        The catalogue file that now holds the task.

    Raises:
        InputError: The name is taken or badly formed.
        UnknownTaskError: There is no task `like`.
    """
    model = get_task(like)
    if name in task_index():
        raise InputError(f"There is a task '{name}' already, in tasks/{task_index()[name]}.toml")
    path = content_folder("tasks") / f"{model.domain}.toml"
    text = path.read_text(encoding="utf-8")
    entry = re.search(rf"^\[tasks\.{model.name}\]\n(.+?)(?=\n\[|\n#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert entry is not None  # the catalogue was parsed from this file
    # The new text must be unique: no two tasks may share one, and the tests hold that.
    fresh = entry[1].replace(model.instruction, f"Describe {name} in one sentence.")
    for count, sentence in enumerate(model.paraphrases, start=1):
        fresh = fresh.replace(sentence, f"Describe {name} in other words, for the {_ORDINALS[count]} time.")
    fresh = "\n".join(
        line for line in fresh.splitlines() if not line.startswith(("lite =", "random_return =", "scripted_return ="))
    )
    added = f"{text.rstrip()}\n\n[tasks.{name}]\n{fresh.strip()}\n"
    write_text(path, added)
    try:
        parse_domain_file(path)
    except Exception:
        write_text(path, text)
        raise
    return path


_ORDINALS = ("", "first", "second", "third", "fourth")
