"""The folder of submissions: everything in it is a row, or nothing is built; ranks, trust, the flat table."""

from __future__ import annotations

import copy
import csv
import io
import json

import numpy as np
import pytest

from newt_bench.content import content_folder
from newt_bench.errors import InputError, LeaderboardError
from newt_bench.leaderboard import (
    Row,
    Submission,
    Trust,
    add_trust,
    boards,
    check_folder,
    find_row,
    load_rows,
    profile,
    rank,
    task_set,
    to_csv,
)
from newt_bench.leaderboard.trust import SELF_REPORTED
from tests.leaderboard.conftest import make_document

SMALL = {"track": "few-shot", "tasks": "heldout:ogbench"}


def small(name: str, skill: float = 0.5, **more) -> dict:
    return make_document(name, skill, **{**SMALL, **more})


def row(name: str, skill: float, rng: int, seeds=(0, 1, 2, 3, 4)) -> Row:
    document = make_document(name, skill, track="single-task", tasks="core:mujoco", rng=rng, seeds=seeds)
    return Row(Submission.from_json(document), SELF_REPORTED)


def test_the_leaderboard_of_this_release():
    """All that is accepted is valid, and every file is on a board."""
    folder = content_folder("leaderboard") / "submissions"
    rows = load_rows()
    assert {f"{row.id}.json" for row in rows} == {p.relative_to(folder).as_posix() for p in folder.rglob("*.json")}
    assert sorted(place.row.id for board in boards(rows) for place in board.rows) == [row.id for row in rows]
    ours = [row for row in rows if row.submission.name == "Random"]
    assert {row.trust.level for row in ours} == {"maintainers"}
    assert {flag for row in ours for flag in row.flags} == set()


def test_every_file_is_a_row(leaderboard):
    folder = leaderboard(
        small("One", rng=1),
        small("Two", rng=2),
        small("Two", rng=3, budget=20_000, training={**small("x")["training"], "environment_steps": 9}),
    )
    rows = load_rows(folder)
    assert [r.id for r in rows] == [
        "few-shot/one-100k-heldout-ogbench",
        "few-shot/two-100k-heldout-ogbench",
        "few-shot/two-20k-heldout-ogbench",
    ]
    assert [(board.id, len(board.rows)) for board in boards(rows)] == [
        ("few-shot/20k/heldout:ogbench", 1),
        ("few-shot/100k/heldout:ogbench", 2),
    ]
    assert find_row(rows[1].id, folder).submission == rows[1].submission
    with pytest.raises(InputError, match="few-shot/one-100k"):
        find_row("few-shot/three", folder)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda f: (f / "submissions/few-shot/notes.txt").write_text("x"),
            "found notes.txt; expected submissions only",
        ),
        (
            lambda f: (f / "submissions/few-shot/bad.json").write_text("{}"),
            r"bad\.json is refused:\n.*all required fields",
        ),
        (
            lambda f: (f / "submissions/few-shot/one-100k-heldout-ogbench.json").rename(
                f / "submissions/few-shot/best.json"
            ),
            "it stands at few-shot/best.json; expected few-shot/one-100k-heldout-ogbench.json",
        ),
        (
            lambda f: (f / "submissions/few-shot/link.json").symlink_to("one-100k-heldout-ogbench.json"),
            "no file of its own",
        ),
        (lambda f: (f / "trust.toml").write_text("["), "cannot be read"),
        (lambda f: (f / "trust.toml").write_text('["few-shot/x"]\nlevel = "re-run"'), "needs the texts"),
        (
            lambda f: add_trust(f / "trust.toml", "few-shot/x", Trust("re-run", "0", "2026-01-01", "x")),
            "no such submission",
        ),
        (
            lambda f: add_trust(
                f / "trust.toml", "few-shot/one-100k-heldout-ogbench", Trust("re-run", "0", "2026-01-01", "x")
            ),
            "not the one that was checked",
        ),
    ],
)
def test_a_folder_that_is_not_in_order_builds_nothing(leaderboard, spoil, message):
    folder = leaderboard(small("One"))
    spoil(folder)
    with pytest.raises(LeaderboardError, match=message):
        load_rows(folder)
    assert len(check_folder(folder)) == 1


def test_a_copy_under_another_name_is_refused(leaderboard):
    document = small("One")
    other = {**copy.deepcopy(document), "name": "Two"}
    with pytest.raises(LeaderboardError, match=r"two.*its episodes are those of few-shot/one-100k-heldout-ogbench"):
        load_rows(leaderboard(document, other))


def test_trust_is_kept_apart_and_only_for_what_was_checked(leaderboard):
    folder = leaderboard(small("One"), small("Two", rng=5))
    one = find_row("few-shot/one-100k-heldout-ogbench", folder)
    trust = Trust("re-run", one.submission.digest, "2026-01-03", 'five tasks, "all" the same')
    add_trust(folder / "trust.toml", one.id, trust)
    assert [r.trust for r in load_rows(folder)] == [trust, SELF_REPORTED]
    # White space does not matter; what is said does.
    path = folder / "submissions" / f"{one.id}.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document))
    assert load_rows(folder)[0].trust == trust
    path.write_text(json.dumps({**document, "notes": "better than it looks"}))
    with pytest.raises(LeaderboardError, match="not the one that was checked"):
        load_rows(folder)


def test_other_versions_and_changed_code_are_flagged():
    document = make_document()
    assert Row(Submission.from_json(document), SELF_REPORTED).flags == ()
    provenance = document["results"][0]["provenance"]
    provenance["packages"]["mujoco"] = "3.4.0"
    provenance["git_revision"] += "+"
    flags = Row(Submission.from_json(document), SELF_REPORTED).flags
    assert flags == ("mujoco 3.4.0 instead of 3.3.6", "run from a checkout with local changes")


def test_better_rows_rank_higher_and_ties_share_a_rank():
    low, high, same, again = row("low", 0.2, 1), row("high", 0.8, 2), row("same", 0.5, 3), row("again", 0.5, 4)
    placed = rank([low, high, same, again])
    assert [p.rank for p in placed] == [1, 2, 2, 4]
    assert placed[0].row is high
    assert placed[3].row is low
    assert {p.row.id for p in placed[1:3]} == {same.id, again.id}
    assert placed[0].improvement.value == 1
    assert placed[1].improvement.low < 0.5 < placed[1].improvement.high
    assert placed[3].improvement is None
    assert [p.row.id for p in rank([again, same, high, low])] == [p.row.id for p in placed]


def test_a_row_ties_with_itself():
    one = row("one", 0.4, 1)
    assert [(p.rank, p.improvement and p.improvement.value) for p in rank([one, one])] == [(1, 0.5), (1, None)]


def test_profiles_fall_from_all_runs_to_none():
    one = row("one", 0.4, 1)
    share = profile(one).share
    assert (np.diff(share) <= 0).all()
    assert share[0] == 1
    assert share[-1] == 0


def test_flat_table_has_every_number_once(leaderboard):
    rows = load_rows(leaderboard(small("One"), make_document("Two, or 2")))
    table = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert len(table) == (2 + 20) * 3
    assert {r["name"] for r in table} == {"One", "Two, or 2"}
    for r in rows:
        for task in task_set(r.submission.tasks):
            mine = [line for line in table if line["id"] == r.id and line["task"] == task.name]
            assert [int(line["seed"]) for line in mine] == [0, 1, 2]
            np.testing.assert_allclose([float(line["score"]) for line in mine], r.scores[task.name], rtol=1e-5)
            assert all(bool(line["success"]) == task.has_success for line in mine)
