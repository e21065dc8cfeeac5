"""Reads submissions, and refuses those that cannot stand."""

from __future__ import annotations

from pathlib import Path

from newt_bench.leaderboard.parsing import parse_json, schema_problems
from newt_bench.leaderboard.problems import Problem, SubmissionError
from newt_bench.leaderboard.rules import document_problems, rule_problems
from newt_bench.leaderboard.submission import Submission
from newt_bench.leaderboard.tracks import limits

__all__ = ["parse_submission", "read_submission"]


def read_submission(path: Path) -> Submission:
    """Reads a submission and checks everything that a file can show.

    Raises:
        SubmissionError: It is refused; the message names every problem's field, what was found, what was expected.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limits().file_bytes + 1)
    except OSError as error:
        raise SubmissionError(str(path), [Problem("$", str(error.strerror), "a file that can be read")]) from error
    return parse_submission(content, str(path))


def parse_submission(text: str | bytes, where: str = "the submission") -> Submission:
    """Reads a submission from its text, see `read_submission`.

    Args:
        text: The JSON document.
        where: What it is, for messages.

    Raises:
        SubmissionError: It is refused.
    """
    document, problems = parse_json(text, limits().file_bytes)
    problems = problems or schema_problems(document) or document_problems(document)
    if problems:
        raise SubmissionError(where, problems)
    submission = Submission.from_json(document)
    if problems := rule_problems(submission):
        raise SubmissionError(where, problems)
    return submission
