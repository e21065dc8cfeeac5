"""Suites: several agents under one protocol, run by one command, and the table of their scores."""

from newt_bench.suites.definition import Suite, get_suite, suites
from newt_bench.suites.publishing import README, publish, published, readme_text
from newt_bench.suites.running import collected, run_suite
from newt_bench.suites.table import suite_table

__all__ = [
    "README",
    "Suite",
    "collected",
    "get_suite",
    "publish",
    "published",
    "readme_text",
    "run_suite",
    "suite_table",
    "suites",
]
