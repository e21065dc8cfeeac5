"""The tracks' rules: what the file may say, and that the documentation says the same."""

from __future__ import annotations

import re

import pytest

from newt_bench.content import content_folder
from newt_bench.errors import InputError, LeaderboardError
from newt_bench.leaderboard import TRAINING_FIELDS, get_track, hub_repository, limits, task_set, tracks
from newt_bench.leaderboard.tracks import budget_label, parse_tracks
from tests.conftest import REPOSITORY

TEXT = (content_folder("leaderboard") / "tracks.toml").read_text(encoding="utf-8")
PAGE = (REPOSITORY / "docs" / "leaderboard.md").read_text(encoding="utf-8")


def test_all_tracks_are_there():
    names = ["multitask", "single-task", "offline", "few-shot", "open-loop", "pixels", "lite"]
    assert list(tracks()) == names
    assert get_track("multitask").budgets == (1_000_000, 10_000_000, 100_000_000)
    assert [len(task_set(get_track(name).tasks[0])) for name in names] == [200, 200, 200, 34, 200, 200, 20]
    assert all(track.rules for track in tracks().values())


def test_domain_sets_partition_their_split():
    for name, split in (("single-task", "core"), ("few-shot", "heldout")):
        parts = [task for part in get_track(name).tasks if ":" in part for task in task_set(part)]
        assert sorted(t.name for t in parts) == sorted(t.name for t in task_set(split))


def test_documentation_says_the_same():
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|(.*)\|$", PAGE, re.MULTILINE))
    for track in tracks().values():
        cells = [cell.strip() for cell in rows[track.name].split("|")]
        assert cells[2] == (", ".join(map(budget_label, track.budgets)) or "none")
        assert cells[3] == track.budget_unit
        assert f"- **{track.name}**: " in PAGE
    for low, high, what in ((*limits().seeds, "seeds"), (*limits().episodes, "episodes")):
        assert re.search(rf"^\| {what} \| at least {low} .*\(at most {high}\)", PAGE, re.MULTILINE)
    assert limits().file_bytes == 32 * 2**20


@pytest.mark.parametrize(("budget", "label"), [(0, "0"), (16, "16"), (20_000, "20k"), (1_500_000, "1500k"), (None, "")])
def test_budget_labels(budget, label):
    assert budget_label(budget) == label


def test_smallest_budget_that_holds_what_was_used():
    lite, open_loop = get_track("lite"), get_track("open-loop")
    training = dict.fromkeys(TRAINING_FIELDS, 1)
    found = [lite.smallest_budget({**training, "environment_steps": n}) for n in (0, 100_000, 100_001, 1_000_001)]
    assert found == [100_000, 100_000, 1_000_000, None]
    assert [open_loop.smallest_budget({**training, "actions_per_look": n}) for n in (15, 16)] == [None, 16]
    assert get_track("offline").smallest_budget(training) is None


@pytest.mark.parametrize("name", ["", "all", "core:doom", "core:", ":atari", "Core"])
def test_unknown_task_sets(name):
    with pytest.raises(InputError, match="There is no task set"):
        task_set(name)


def test_empty_task_set():
    with pytest.raises(InputError, match="is empty"):
        task_set("heldout:atari")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[limits]", "[limit]", "must hold repository"),
        ('"newt-bench/leaderboard"', '"https://x"', "not owner/name"),
        ("[tracks.lite]", "[tracks.Lite]", "lower-case words"),
        ('tasks = ["lite"]', 'tasks = ["light"]', "no task set 'light'"),
        ('tasks = ["lite"]', "tasks = []", "must not be empty"),
        ("[100_000, 1_000_000]", "[1_000_000, 100_000]", "must ascend"),
        ("exact = true", "strict = true", r"unknown field \['strict'\]"),
        ('budget = "actions_per_look"', 'budget = "looks"', "unknown number bounded"),
        ("budgets = [4, 16, 48]", "budgets = []", "go together"),
        ("seeds = [3, 50]", "seeds = 3", "tracks.toml"),
        ("episodes = [10, 100]", "", "episodes"),
        ("[limits]", "[", "cannot be read"),
    ],
)
def test_malformed_rules_are_refused(tmp_path, old, new, message):
    assert old in TEXT
    (tmp_path / "tracks.toml").write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(LeaderboardError, match=message):
        parse_tracks(tmp_path / "tracks.toml")


def test_the_repository_is_one_setting(monkeypatch):
    monkeypatch.delenv("NEWT_BENCH_LEADERBOARD_REPO", raising=False)
    assert f'repository = "{hub_repository()}"' in TEXT
    monkeypatch.setenv("NEWT_BENCH_LEADERBOARD_REPO", "me/mine")
    assert hub_repository() == "me/mine"
