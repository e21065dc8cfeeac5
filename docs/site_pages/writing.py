"""Writing Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["REPOSITORY", "Writer", "code", "table"]

REPOSITORY = "https://github.com/newt-bench/newt-bench"


class Writer:
    """Writes pages into a folder.

    Args:
        folder: The folder; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> None:
        """Writes a page, unless it is there with this very text."""
        path = self.folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def remove_others(self, names: Iterable[str]) -> None:
        """Removes pages that are not among `names`: those of tasks that are no more."""
        for path in set(self.folder.glob("*.md")) - {self.folder / name for name in names}:
            path.unlink()


def code(text: object) -> str:
    """Text as code; a bar in it does not end the cell of a table."""
    return "`" + str(text).replace("|", "\\|") + "`"


def table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"
