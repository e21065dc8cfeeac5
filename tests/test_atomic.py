"""Files appear whole or not at all."""

from __future__ import annotations

import os
import sys

import pytest

from newt_bench.atomic import atomic_path, write_text


def test_write_and_replace(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_text(path, "one")
    write_text(path, "två")
    assert path.read_text(encoding="utf-8") == "två"
    assert os.listdir(path.parent) == ["b.txt"]


def test_failure_keeps_the_old_content_and_leaves_nothing(tmp_path):
    path = tmp_path / "b.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError, match="halfway"), atomic_path(path) as temporary:
        assert temporary.suffix == ".txt"
        temporary.write_text("ne")
        raise RuntimeError("halfway")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["b.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_permissions_are_those_of_a_plain_file(tmp_path):
    plain, written = tmp_path / "plain", tmp_path / "written"
    plain.write_text("x")
    write_text(written, "x")
    assert written.stat().st_mode == plain.stat().st_mode
