"""How far rows can be trusted: reads and extends `leaderboard/trust.toml`.

Submitters do not write it. A submission that it does not name is self-reported. Its lines hold the digest of what was
checked, so that a submission that changes afterwards does not keep its level unnoticed.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from newt_bench.atomic import write_text
from newt_bench.errors import LeaderboardError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["LEVELS", "SELF_REPORTED", "TRUST_FILE", "Level", "Trust", "add_trust", "read_trust"]

TRUST_FILE = "trust.toml"

#: `self-reported`: numbers as submitted; `re-run`: a sample was evaluated anew from the public checkpoint, by the
#: maintainers; `maintainers`: trained and evaluated by the maintainers.
Level = Literal["self-reported", "re-run", "maintainers"]
LEVELS: tuple[Level, ...] = get_args(Level)

_HEAD = """\
# How far rows of the leaderboard can be trusted. Kept by the maintainers;
# `newt-bench leaderboard verify --record` adds to it.
# A submission without an entry here is self-reported.
"""


@dataclasses.dataclass(frozen=True)
class Trust:
    """How far one row can be trusted.

    Attributes:
        level: One of `LEVELS`.
        digest: `Submission.digest` of what was checked; empty if nothing was.
        date: When, ISO 8601; empty if nothing was.
        evidence: What was checked and found, in a sentence.
    """

    level: Level
    digest: str = ""
    date: str = ""
    evidence: str = ""


SELF_REPORTED = Trust("self-reported")


def read_trust(path: Path) -> dict[str, Trust]:
    """Reads the file.

    Args:
        path: The file; one that is not there holds nothing.

    Returns:
        Trust by id of the submission.

    Raises:
        LeaderboardError: It is malformed.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise LeaderboardError(f"{path}: cannot be read: {error}") from error
    return {submission: _entry(path, submission, fields) for submission, fields in document.items()}


def _entry(path: Path, submission: str, fields: Any) -> Trust:
    names = {field.name for field in dataclasses.fields(Trust)}
    if not isinstance(fields, dict) or set(fields) != names or not all(isinstance(v, str) for v in fields.values()):
        raise LeaderboardError(f'{path}: ["{submission}"]: needs the texts {", ".join(sorted(names))}')
    trust = Trust(**fields)
    if trust.level not in LEVELS[1:]:
        raise LeaderboardError(
            f'{path}: ["{submission}"]: level is {trust.level!r}; expected {" or ".join(LEVELS[1:])}'
        )
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", trust.date) or not trust.evidence:
        raise LeaderboardError(f'{path}: ["{submission}"]: needs a date such as 2026-01-31, and evidence')
    return trust


def add_trust(path: Path, submission: str, trust: Trust) -> None:
    """Adds an entry, or replaces the submission's old one."""
    write_text(path, _to_toml({**read_trust(path), submission: trust}))


def _to_toml(entries: Mapping[str, Trust]) -> str:
    lines = [_HEAD]
    for submission, trust in sorted(entries.items()):
        lines.append(f"[{json.dumps(submission)}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in dataclasses.asdict(trust).items()]
        lines.append("")
    return "\n".join(lines)
