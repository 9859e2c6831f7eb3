"""What a command is to the command line: its words, and the function behind it."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple


class Command(NamedTuple):
    """One command: what one types after `smolit`, and the `module:function` behind it, imported only when it is asked for.

    The function's docstring is its help. Importing them all would double the time that each takes.
    """

    words: str
    where: str

    @property
    def noun(self) -> str | None:
        """Return the group that the command stands under, if it stands under one: all words but the last."""
        return self.words.rpartition(" ")[0] or None

    @property
    def verb(self) -> str:
        """Return the last word."""
        return self.words.split()[-1]

    def function(self) -> Callable[..., None]:
        """Return what is behind it."""
        module, name = self.where.split(":")
        found: Callable[..., None] = getattr(import_module(module), name)
        return found
