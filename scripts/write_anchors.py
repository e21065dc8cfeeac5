"""Puts mean returns of the random policy or of the scripted experts into the tables of tasks/*.toml.

    python scripts/write_anchors.py baselines/scripted/results/*.json

Every task of the results files, all of one agent, gets one line; one that stands there already is replaced.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import get_args

from newt_bench.anchors import Policy, measured_anchors
from newt_bench.atomic import write_text
from newt_bench.catalogue import Anchor, get_task
from newt_bench.content import content_folder
from newt_bench.results import load_results


def main() -> None:
    """Reads the files that the command line names, and writes the catalogue."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="results of 'newt-bench evaluate --agent random|scripted'")
    files = [load_results(path) for path in parser.parse_args().files]
    specs = {results.agent["spec"] for results in files}
    if len(specs) > 1 or not specs <= set(get_args(Policy)):
        parser.error(f"anchors come from one of {', '.join(get_args(Policy))}, not from {', '.join(sorted(specs))}")
    field, anchors = f"{specs.pop()}_return", measured_anchors(files)
    for task_id, anchor in anchors.items():
        task = get_task(task_id)
        path = content_folder("tasks") / f"{task.domain}.toml"
        write_text(path, with_anchor(path.read_text(encoding="utf-8"), task.name, field, anchor))
    print(f"{len(anchors)} tasks have a {field} now")


def with_anchor(text: str, name: str, field: str, anchor: Anchor) -> str:
    """The catalogue file's text with the anchor at the end of the task's table, or in place of an older one."""
    line = f"{field} = {{ mean = {round(anchor.mean, 4)}, sem = {round(anchor.sem, 4)}, episodes = {anchor.episodes} }}"
    head = re.search(rf"^\[tasks\.{re.escape(name)}\]\n", text, re.MULTILINE)
    assert head is not None  # the catalogue was parsed from this file
    rest = text[head.end() :]
    end = re.search(r"\n(?=\s*(?:#.*\n)*\[)|\Z", rest)
    assert end is not None
    table, after = rest[: end.start()].rstrip("\n"), rest[end.start() :]
    if re.search(rf"^{field} = ", table, re.MULTILINE):
        table = re.sub(rf"^{field} = .*$", lambda _: line, table, flags=re.MULTILINE)
    else:
        table = f"{table}\n{line}"
    return text[: head.end()] + table + (after or "\n")


if __name__ == "__main__":
    main()
