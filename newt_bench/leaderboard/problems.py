"""What is wrong with a submission: field, found, expected."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from newt_bench.errors import InputError

__all__ = ["Problem", "SubmissionError", "shown"]

_AT_MOST = 20


def shown(value: Any, limit: int = 120) -> str:
    """A value as it may be printed: JSON in plain ASCII, so that no text of a stranger steers a terminal."""
    try:
        text = json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError):
        text = ascii(type(value).__name__)
    return text if len(text) <= limit else f"{text[: limit // 2]} ... {text[-limit // 4 :]}"


@dataclasses.dataclass(frozen=True)
class Problem:
    """One reason to refuse a submission.

    Attributes:
        field: Where, as a path such as `results[0].episodes[3].score`.
        found: What stands there, as it may be printed.
        expected: What should.
    """

    field: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.field}: found {self.found}; expected {self.expected}"


class SubmissionError(InputError):
    """A submission is malformed, breaks its track's rules, or cannot be true.

    Attributes:
        problems: All that was found.
    """

    def __init__(self, where: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:_AT_MOST]]
        if len(self.problems) > _AT_MOST:
            lines.append(f"and {len(self.problems) - _AT_MOST} more")
        super().__init__("\n  ".join([f"{where} is refused:", *lines]))
