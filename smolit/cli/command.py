"""What a command is to the command line: its words, the function behind it, and what the function promises."""

from collections.abc import Callable
from typing import NamedTuple


class Command(NamedTuple):
    """One command. The function's docstring is its help; `words` are what one types after `smolit`."""

    words: str
    function: Callable[..., None]

    @property
    def noun(self) -> str | None:
        """Return the group that the command stands under, if it stands under one."""
        return self.words.split()[0] if " " in self.words else None

    @property
    def verb(self) -> str:
        """Return the last word."""
        return self.words.split()[-1]
