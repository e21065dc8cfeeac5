"""Anchors measured anew: unchanged tasks hold, changed ones are found, by the command too."""

from __future__ import annotations

import dataclasses
import re
import runpy
import sys

import numpy as np
import pytest

import newt_bench
from newt_bench.anchors import anchor_of, check_anchors, measured_anchors
from newt_bench.catalogue import Anchor
from newt_bench.content import content_folder
from newt_bench.errors import InputError
from newt_bench.results import EpisodeRecord, Protocol, Results

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

QUICK = ["pygame-cowboy", "pygame-coinrun", "og-point-maze"]


def test_an_anchor_is_mean_and_standard_error():
    records = [EpisodeRecord("newt/og-point-maze-v0", 0, k, 2**30, r, 0, 0.0, 100) for k, r in enumerate((1, 2, 3, 4))]
    protocol = Protocol(("newt/og-point-maze-v0",), (0,), 4, "state")
    halves = [Results({}, protocol, {}, tuple(records[:1])), Results({}, protocol, {}, tuple(records[1:]))]
    anchors = measured_anchors(halves)
    assert anchors == {"newt/og-point-maze-v0": Anchor(2.5, pytest.approx(np.sqrt(5 / 3 / 4)), 4)}
    with pytest.raises(InputError, match="there is one of newt/og-point-maze-v0"):
        measured_anchors(halves[:1])


def test_unchanged_tasks_hold_and_changed_ones_do_not():
    cowboy, coinrun, maze = newt_bench.tasks(QUICK)
    true = anchor_of(coinrun, "random")
    moved = dataclasses.replace(true, mean=true.mean + 15 * np.hypot(true.sem, true.sem * 5**0.5))
    changed = dataclasses.replace(coinrun, random_return=moved)
    silent = dataclasses.replace(maze, random_return=None)
    checks = check_anchors("random", [cowboy, changed, silent], progress=False)
    assert [(check.task, check.holds) for check in checks] == [("pygame-cowboy", True), ("pygame-coinrun", False)]
    assert checks[1].anchor == moved
    assert checks[1].found.episodes == 20


def test_what_never_varies_must_be_met():
    """Without spread, only rounding is forgiven."""
    task = newt_bench.get_task("pygame-cowboy")
    anchor = anchor_of(task, "scripted")
    assert anchor.sem == 0
    for mean, holds in ((anchor.mean, True), (anchor.mean * 1.01, False)):
        changed = dataclasses.replace(task, scripted_return=Anchor(mean, 0.0, 20))
        (check,) = check_anchors("scripted", [changed], episodes=2, progress=False)
        assert check.holds is holds


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="has an anchor of the scripted policy"):
        check_anchors("scripted", newt_bench.tasks(["walker-walk"]), progress=False)
    with pytest.raises(InputError, match="2 episodes at least, not 1"):
        check_anchors("random", newt_bench.tasks(QUICK), episodes=1, progress=False)


def test_the_command_measures_anew(run_cli):
    done = run_cli("baselines", "anchors", "--policy", "scripted", "--tasks", "pygame-cowboy,og-point-maze")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("yes") == 2
    assert "og-point-maze" in done.stdout
    refused = run_cli("baselines", "anchors", "--policy", "newt")
    assert refused.returncode == 2
    assert "scripted" in refused.stderr


@pytest.mark.parametrize("domain", ["ogbench", "miniarcade", "metaworld"])
def test_writing_an_anchor_changes_its_line_only(domain):
    script = content_folder("tasks").parent / "scripts" / "write_anchors.py"
    with_anchor = runpy.run_path(str(script))["with_anchor"]
    text = (content_folder("tasks") / f"{domain}.toml").read_text(encoding="utf-8")
    for task in newt_bench.tasks(domain=domain):
        for field in ("random_return", "scripted_return"):
            anchor = getattr(task, field)
            if anchor is not None:
                for before in (text, with_line_removed(text, task.name, field)):
                    after = with_anchor(before, task.name, field, anchor)
                    assert after.count("\n") == text.count("\n")
                    assert tomllib.loads(after) == tomllib.loads(text)


def with_line_removed(text: str, name: str, field: str) -> str:
    """The text without a field of a task's table."""
    before, head, rest = text.partition(f"[tasks.{name}]\n")
    return before + head + re.sub(rf"^{field} = .*\n", "", rest, count=1, flags=re.MULTILINE)
