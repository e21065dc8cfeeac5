"""The processes that train one agent together."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Team"]

Item = TypeVar("Item")


class Team:
    """The processes that train one agent together: this one alone. Agents that can be shared out have teams of more.

    Attributes:
        rank: Index of this process.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    def gather(self, item: Item) -> list[Item]:
        """The items of all processes, in the order of their ranks; all of them must call this."""
        return [item]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process; all of them must call this."""
        return flag

    def leave(self) -> None:
        """Ends the connection between the processes."""
