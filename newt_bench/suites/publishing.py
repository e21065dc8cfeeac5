"""Puts a suite's results where they ship, and its table into `baselines/README.md`."""

from __future__ import annotations

import re
from pathlib import Path

from newt_bench.atomic import write_text
from newt_bench.content import content_folder
from newt_bench.errors import InputError
from newt_bench.results import Results, load_results
from newt_bench.suites.definition import Suite
from newt_bench.suites.running import collected
from newt_bench.suites.table import suite_table

__all__ = ["README", "publish", "published", "readme_text"]

#: The page that holds the tables, in the folder of the baselines.
README = "README.md"


def published(suite: Suite, folder: Path | None = None) -> dict[str, Results]:
    """Results that ship, by agent, in the suite's order.

    Args:
        suite: The suite.
        folder: A folder laid out as `baselines/`; None for that of this release.
    """
    files = {agent: _file(folder, agent, suite) for agent in suite.agents}
    return {agent: load_results(path) for agent, path in files.items() if path.exists()}


def publish(suite: Suite, out: str | Path, folder: Path | None = None) -> list[Path]:
    """Copies the results of all agents that have finished every seed, and renews the table.

    Args:
        suite: The suite.
        out: Folder of its runs.
        folder: A folder laid out as `baselines/`; None for that of this checkout.

    Returns:
        The files that were written.

    Raises:
        InputError: No agent has finished, or the page has no place for the table.
    """
    found = collected(suite, out)
    if not found:
        raise InputError(f"No agent of the suite {suite.name} has finished all its seeds in {out}")
    page = (folder or content_folder("baselines")) / README
    text = readme_text(suite, page.read_text(encoding="utf-8"), {**published(suite, folder), **found})
    files = {_file(folder, agent, suite): results for agent, results in found.items()}
    for path, results in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        results.save(path)
    write_text(page, text)
    return [*files, page]


def readme_text(suite: Suite, text: str, results: dict[str, Results]) -> str:
    """The page with the suite's table between its two marks.

    Args:
        suite: The suite.
        text: The page.
        results: Results by agent.

    Raises:
        InputError: The marks are missing.
    """
    begin, end = f"<!-- {suite.name}: begin -->", f"<!-- {suite.name}: end -->"
    pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise InputError(f"{README} has no lines '{begin}' and '{end}' to put the table between")
    table = f"{begin}\n\n{suite_table(suite, results)}\n\n{end}"
    return pattern.sub(lambda _: table, text)


def _file(folder: Path | None, agent: str, suite: Suite) -> Path:
    return (folder or content_folder("baselines")) / agent / "results" / f"{suite.name}.json"
