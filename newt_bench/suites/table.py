"""The table of a suite, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from newt_bench.results import Estimate, Results
from newt_bench.suites.definition import Suite

__all__ = ["suite_table"]


def suite_table(suite: Suite, results: Mapping[str, Results]) -> str:
    """Aggregates of every agent, and below them its score on every task, each with its interval over seeds.

    Args:
        suite: The suite.
        results: Finished results by agent. Agents without any are named as not run.

    Returns:
        Markdown, without a line end at its end.
    """
    run = [agent for agent in suite.agents if agent in results]
    lines = [
        f"{suite.description} {len(suite.seeds)} seeds, {suite.episodes} episodes per task and seed; 95% intervals "
        "over seeds. Scores from 0 to 1; hours of all seeds together.",
        "",
        "| agent | interquartile mean | mean of tasks | hours |",
        "| --- | ---: | ---: | ---: |",
    ]
    for agent in run:
        aggregate = results[agent].aggregate()
        hours = results[agent].provenance["wall_seconds"] / 3600
        lines.append(f"| {agent} | {_cell(aggregate['iqm'])} | {_cell(aggregate['mean'])} | {hours:.1f} |")
    missing = [agent for agent in suite.agents if agent not in results]
    if missing:
        lines += ["", f"Not run yet: {', '.join(missing)}."]
    if run:
        by_agent = {agent: results[agent].task_estimates() for agent in run}
        lines += ["", f"| task | {' | '.join(run)} |", f"| --- |{' ---: |' * len(run)}"]
        lines += [
            f"| {task} | {' | '.join(_cell(by_agent[agent][task]) for agent in run)} |" for task in suite.tasks.names
        ]
    return "\n".join(lines)


def _cell(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
