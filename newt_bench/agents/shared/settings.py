"""Hyper-parameters as frozen dataclasses, made of named values that come from a file or a command line."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from newt_bench.errors import AgentError

__all__ = ["Settings"]

if typing.TYPE_CHECKING:
    from typing_extensions import Self


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base of an agent's hyper-parameters.

    A subclass is a frozen dataclass whose fields all have defaults. Values are checked against the fields' types:
    numbers, flags, strings, `Literal`, tuples of one of them, and None where it is allowed.
    """

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value, hint = getattr(self, field.name), hints[field.name]
            if isinstance(value, list):  # as read from JSON or TOML
                value = tuple(value)
                object.__setattr__(self, field.name, value)
            if not _is_a(value, hint):
                raise AgentError(f"{field.name} must be {_in_words(hint)}, not {value!r}")

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Makes settings of named values; the others keep their defaults.

        Raises:
            AgentError: A name is not known, or a value cannot be.
        """
        unknown = sorted(set(options) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise AgentError(
                f"There is no setting {', '.join(map(repr, unknown))}; see {cls.__module__}.{cls.__name__} for all"
            )
        return cls(**options)

    def resolved(self, num_tasks: int) -> Self:
        """These settings with everything that depends on the number of tasks filled in."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible dictionary, that `from_options` reads."""
        return dataclasses.asdict(self)

    def at_least(self, least: float, *names: str) -> None:
        """Checks that the named numbers are not less than `least`, or None.

        Raises:
            AgentError: One is.
        """
        for name in names:
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise AgentError(f"{name} must be at least {least:g}, not {value!r}")


def _is_a(value: Any, hint: Any) -> bool:
    """Whether a value is of a field's type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_is_a(value, part) for part in arguments)
    if origin is Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and all(_is_a(entry, arguments[0]) for entry in value)
    if hint in (int, float):  # flags are integers to Python, and integers are numbers to people
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, hint)


def _in_words(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_in_words(part) for part in arguments)
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple:
        return f"a list, each entry {_in_words(arguments[0])}"
    names = {int: "an integer", float: "a number", bool: "true or false", str: "a string", type(None): "None"}
    return names.get(hint, str(hint))
