"""Puts mean returns of the random policy or of the scripted experts into the tables of tasks/*.toml.

    python scripts/write_anchors.py baselines/scripted/results/*.json

Every task of the results files, all of one agent, gets one line; one that stands there already is replaced.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from pathlib import Path

from newt_bench.anchors import anchor_returns
from newt_bench.atomic import write_text
from newt_bench.catalogue import Anchor, get_task
from newt_bench.content import content_folder
from newt_bench.results import load_results


def main() -> None:
    """Reads the files that the command line names, and writes the catalogue."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="results of 'newt-bench evaluate --agent random|scripted'")
    files = [load_results(path) for path in parser.parse_args().files]
    policies = {results.agent["spec"] for results in files}
    if len(policies) > 1 or not policies <= {"random", "scripted"}:
        parser.error(f"anchors come from the agent 'random' or from 'scripted', not from {', '.join(sorted(policies))}")
    field = f"{policies.pop()}_return"
    returns: dict[str, list[float]] = defaultdict(list)
    for results in files:
        for record in results.episodes:
            returns[record.task].append(record.episode_return)
    for task_id, values in returns.items():
        task = get_task(task_id)
        path = content_folder("tasks") / f"{task.domain}.toml"
        write_text(path, with_anchor(path.read_text(encoding="utf-8"), task.name, field, anchor_returns(values)))
    print(f"{len(returns)} tasks have a {field} now")


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
