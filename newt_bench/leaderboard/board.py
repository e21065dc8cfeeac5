"""The leaderboard as a whole: reads the folder of accepted submissions, every file of it or none."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

from newt_bench.content import content_folder
from newt_bench.errors import InputError, LeaderboardError
from newt_bench.leaderboard.reading import read_submission
from newt_bench.leaderboard.rules import required_packages
from newt_bench.leaderboard.submission import Submission
from newt_bench.leaderboard.trust import SELF_REPORTED, TRUST_FILE, Trust, read_trust
from newt_bench.results.statistics import Estimate

__all__ = ["SUBMISSIONS", "Row", "check_folder", "find_row", "load_rows"]

SUBMISSIONS = "submissions"


@dataclasses.dataclass(frozen=True)
class Row:
    """One accepted submission, and what is known about it.

    Attributes:
        submission: What was submitted.
        trust: How far it can be trusted.
    """

    submission: Submission
    trust: Trust

    @property
    def id(self) -> str:
        """`<track>/<slug>`."""
        return self.submission.id

    @functools.cached_property
    def aggregate(self) -> Mapping[str, Estimate]:
        """`mean`, `domain_mean` and `iqm`, with intervals."""
        return self.submission.merged.aggregate()

    @functools.cached_property
    def scores(self) -> Mapping[str, Any]:
        """Mean score of each seed, shape (seeds,), by task name."""
        return self.submission.merged.scores()

    @functools.cached_property
    def renderers(self) -> tuple[str, ...]:
        """What drew pixel observations, as `domain: renderer`."""
        pairs = {item for results in self.submission.results for item in results.provenance["renderers"].items()}
        return tuple(f"{domain}: {renderer}" for domain, renderer in sorted(pairs))

    @functools.cached_property
    def versions(self) -> tuple[str, ...]:
        """Packages that the episodes were played with, as `name version`."""
        packages = {item for results in self.submission.results for item in results.provenance["packages"].items()}
        packages |= {("newt-bench", results.provenance["newt_bench"]) for results in self.submission.results}
        return tuple(f"{name} {version}" for name, version in sorted(packages))

    @functools.cached_property
    def flags(self) -> tuple[str, ...]:
        """What a reader should bear in mind: other versions than this release's, changed code."""
        return tuple(dict.fromkeys(_flags(self.submission)))


def _flags(submission: Submission) -> Iterator[str]:
    for results in submission.results:
        told = results.provenance["packages"]
        for name, wanted in required_packages(results).items():
            if not SpecifierSet(wanted).contains(told[name], prereleases=True):
                yield f"{name} {told[name]} instead of {wanted.removeprefix('==')}"
    for results in submission.results:
        if str(results.provenance["git_revision"]).endswith("+"):
            yield "run from a checkout with local changes"


def load_rows(folder: Path | None = None) -> tuple[Row, ...]:
    """Reads all accepted submissions.

    Args:
        folder: A folder laid out as `leaderboard/`; None for that of this release.

    Returns:
        One row for every file below `submissions/`, in the order of their ids.

    Raises:
        LeaderboardError: A file is refused, misplaced or a copy of another, or `trust.toml` does not fit: a
            leaderboard that silently lacks a row is never built.
    """
    rows, problems = _read(folder or content_folder("leaderboard"))
    if problems:
        raise LeaderboardError("\n".join(text for texts in problems.values() for text in texts))
    return rows


def check_folder(folder: Path) -> dict[str, list[str]]:
    """What is wrong in a folder laid out as `leaderboard/`, by file; empty if nothing is."""
    return _read(folder)[1]


def find_row(name: str, folder: Path | None = None) -> Row:
    """Looks one row up by its id.

    Raises:
        InputError: There is no such row.
        LeaderboardError: The leaderboard is not in order.
    """
    rows = {row.id: row for row in load_rows(folder)}
    if name not in rows:
        raise InputError(f"There is no row {name!r}; there are {', '.join(rows) or 'none yet'}")
    return rows[name]


def _read(folder: Path) -> tuple[tuple[Row, ...], dict[str, list[str]]]:
    problems: dict[str, list[str]] = {}
    found: dict[str, Submission] = {}
    played: dict[tuple[Any, ...], str] = {}
    if not (folder / SUBMISSIONS).is_dir():
        return (), {str(folder): [f"{folder} has no folder {SUBMISSIONS}"]}
    for path in sorted((folder / SUBMISSIONS).rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        try:
            submission = _read_one(path, path.relative_to(folder / SUBMISSIONS).as_posix())
        except InputError as error:
            problems[str(path)] = [str(error)]
            continue
        # The same name on two boards is two entries; the same episodes on one board are a copy.
        key = (submission.track, submission.budget, submission.tasks, submission.fingerprint)
        if key in played:
            problems[str(path)] = [f"{path} is refused: its episodes are those of {played[key]}, to the last digit"]
        played.setdefault(key, submission.id)
        found[submission.id] = submission
    trust = _read_trust(folder, found, problems)
    return tuple(Row(found[name], trust.get(name, SELF_REPORTED)) for name in sorted(found)), problems


def _read_one(path: Path, place: str) -> Submission:
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{path} is refused: it is no file of its own")
    if path.suffix != ".json":
        raise InputError(f"{path} is refused: found {path.name}; expected submissions only, as <track>/<name>.json")
    submission = read_submission(path)
    if place != f"{submission.id}.json":
        raise InputError(f"{path} is refused: it stands at {place}; expected {submission.id}.json, after its content")
    return submission


def _read_trust(folder: Path, found: Mapping[str, Submission], problems: dict[str, list[str]]) -> dict[str, Trust]:
    path = folder / TRUST_FILE
    try:
        trust = read_trust(path)
    except LeaderboardError as error:
        problems[str(path)] = [str(error)]
        return {}
    wrong = []
    for name, entry in trust.items():
        if name not in found:
            wrong.append(f'{path}: ["{name}"]: there is no such submission')
        elif found[name].digest != entry.digest:
            wrong.append(
                f'{path}: ["{name}"]: found digest {entry.digest}, expected {found[name].digest}: the submission '
                "is not the one that was checked; verify it again, or remove the entry"
            )
    if wrong:
        problems[str(path)] = wrong
    return trust
