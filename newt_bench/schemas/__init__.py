"""The published JSON Schemas of everything that newt-bench writes for other programs.

Each `<name>.json` in this folder is a JSON Schema (draft 2020-12). The number in the name is the format's
version: a change that old readers cannot handle gets a new number, and old files stay readable.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, cast

from newt_bench.errors import ResultsError

__all__ = ["RESULTS", "SCHEMA_NAMES", "SUBMISSION", "load_schema", "validate", "validator"]

RESULTS = "results-1"
SUBMISSION = "submission-1"
SCHEMA_NAMES = (RESULTS, "tasks-1", "doctor-1", SUBMISSION)


@functools.cache
def load_schema(name: str) -> dict[str, Any]:
    """Returns one schema, such as `results-1`."""
    text = (Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))


@functools.cache
def validator(name: str) -> Any:
    """A `jsonschema` validator of one schema, which finds the others by their `$id` without a network."""
    import jsonschema
    from referencing import Registry, Resource

    known: Registry[Any] = Registry()
    for other in SCHEMA_NAMES:
        known = Resource.from_contents(load_schema(other)) @ known
    return jsonschema.Draft202012Validator(load_schema(name), registry=known)


def validate(document: object, name: str) -> None:
    """Checks a document against a schema.

    Args:
        document: Parsed JSON.
        name: Schema name.

    Raises:
        ResultsError: The document breaks the schema; the message names the field, what was found and what
            was expected.
    """
    import jsonschema

    error = jsonschema.exceptions.best_match(validator(name).iter_errors(document))
    if error is not None:
        raise ResultsError(f"not a valid {name} document: {error.json_path}: {_shortened(error.message)}")


def _shortened(message: str, limit: int = 300) -> str:
    return message if len(message) <= limit else f"{message[: limit // 2]} ... {message[-limit // 2 :]}"
