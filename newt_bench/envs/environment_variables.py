"""Sets environment variables for a while: what some simulators read only while they are being imported."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["environment_variable", "kept_environment"]


@contextmanager
def environment_variable(name: str, value: str) -> Iterator[None]:
    """Sets a variable for the block, and puts back what it was before."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def kept_environment() -> Iterator[None]:
    """Undoes what the block does to environment variables: some packages set theirs when they are imported."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
