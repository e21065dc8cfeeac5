"""Where results on some tasks come from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from newt_bench.catalogue import Task, load_domain
from newt_bench.extras import extra_requirements
from newt_bench.results import collect_provenance

__all__ = ["describe_provenance", "distributions"]


def describe_provenance(tasks: Iterable[Task]) -> dict[str, Any]:
    """This run, as the `provenance` field of a results file describes it, see `collect_provenance`."""
    return collect_provenance(distributions(tasks))


def distributions(tasks: Iterable[Task]) -> list[str]:
    """Names of the distributions that the tasks' simulators need."""
    return sorted({d for t in tasks for d in extra_requirements(load_domain(t.domain).extra)})
