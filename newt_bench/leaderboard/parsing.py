"""Reads a stranger's JSON: strictly, within limits, and with text that is only text."""

from __future__ import annotations

import itertools
import json
import math
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from newt_bench.leaderboard.problems import Problem, shown
from newt_bench.schemas import SUBMISSION, validator

__all__ = ["parse_json", "schema_problems"]

_MAX_DEPTH = 20
_MAX_TEXT = 20_000  # the command that evaluated 200 tasks names them all
_MAX_DIGITS = 18
# Of lists by these names; of others 1000, since a schema that forbids repetition compares items with each other.
_MAX_ITEMS = {"episodes": 1_000_000, "results": 10_000}

# Control characters, invisible and direction-changing ones, lone surrogates, private use, line separators.
_REFUSED_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


class _RefusedError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def parse_json(text: str | bytes, max_bytes: int) -> tuple[Any, list[Problem]]:
    """Reads a JSON document more strictly than the standard library does.

    Beyond broken JSON it refuses: more than `max_bytes`; names that stand twice in an object; NaN and infinity; numbers
    of more than 18 digits; deep nesting; long lists, apart from `results` and `episodes`; and text with control,
    invisible or direction-changing characters.

    Args:
        text: The document; bytes must be UTF-8.
        max_bytes: Its greatest size.

    Returns:
        The document, and what is wrong; where that is something, the document must not be used.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > max_bytes:
        return None, [Problem("$", f"{len(raw)} bytes", f"at most {max_bytes}")]
    try:
        document = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
    except _RefusedError as error:
        return None, [error.problem]
    except RecursionError:
        return None, [Problem("$", "deep nesting", f"at most {_MAX_DEPTH} levels")]
    except ValueError as error:  # not UTF-8, not JSON
        return None, [Problem("$", shown(str(error)), "a JSON document in UTF-8")]
    return document, list(itertools.islice(_text_problems(document, "$", 0), 100))


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise _RefusedError(Problem("$", f"the name {shown(twice)} twice in one object", "each name once"))
    return found


def _constant(name: str) -> Any:
    raise _RefusedError(Problem("$", name, "finite numbers"))


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _RefusedError(Problem("$", digits[:40], "finite numbers"))
    return value


def _int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise _RefusedError(Problem("$", f"a number of {len(digits)} digits", f"at most {_MAX_DIGITS}"))
    return int(digits)


def _text_problems(value: Any, where: str, depth: int) -> Iterator[Problem]:
    if depth > _MAX_DEPTH:
        yield Problem(where, "deep nesting", f"at most {_MAX_DEPTH} levels")
    elif isinstance(value, str):
        yield from _of_text(value, where)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _of_text(key, f"{where}, a name")
            yield from _text_problems(item, f"{where}.{shown(key, 60)[1:-1]}", depth + 1)
    elif isinstance(value, list):
        most = _MAX_ITEMS.get(where.rpartition(".")[2], 1000)
        if len(value) > most:
            yield Problem(where, f"{len(value)} items", f"at most {most}")
            return
        for index, item in enumerate(value):
            yield from _text_problems(item, f"{where}[{index}]", depth + 1)


def _of_text(text: str, where: str) -> Iterator[Problem]:
    if len(text) > _MAX_TEXT:
        yield Problem(where, f"{len(text)} characters", f"at most {_MAX_TEXT}")
    elif not text.isascii() or not text.isprintable():
        odd = next((c for c in text if unicodedata.category(c) in _REFUSED_CATEGORIES), None)
        if odd is not None:
            yield Problem(where, f"the character U+{ord(odd):04X}", "text without control or invisible characters")


def schema_problems(document: Any, at_most: int = 100) -> list[Problem]:
    """What breaks `submission-1.json` in a document, in the order in which it is found."""
    found = itertools.islice(validator(SUBMISSION).iter_errors(document), at_most)
    return [_problem_of(error) for error in found]


def _problem_of(error: Any) -> Problem:
    field = str(error.json_path)
    rule, value = error.validator, error.validator_value
    if rule == "required":
        missing = [name for name in value if name not in error.instance]
        return Problem(field, f"no {', '.join(missing)}", "all required fields")
    if rule == "additionalProperties":
        unknown = sorted(set(error.instance) - set(error.schema.get("properties", ())))
        return Problem(field, f"unknown field {shown(unknown)}", "the fields of the schema only")
    if rule == "anyOf":
        return Problem(field, shown(error.instance), "null, or an https link of at most 300 characters")
    return Problem(field, shown(error.instance), f"{rule} {shown(value)}")
