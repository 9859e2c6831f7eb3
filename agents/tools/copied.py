"""Whether arguments repeat what a tool brought: taint by value, as a comparison at the door.

A run of letters that stands in a result, and not in what the task's owner wrote, was copied from a stranger. What was translated,
encoded or reworded is not seen: this is a second wall behind grants and targets. Source of the idea: CaMeL, arXiv:2503.18813.
"""

import re
from collections.abc import Iterator
from typing import Any

RUN = 16  # characters in a row that hardly two texts share by chance
_WHOLE = 4  # a value that is this long and stands in a result as it is was copied, too
_SPACE = re.compile(r"\s+")


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, names of fields and numbers as well."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_in(inner)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


class Strangers:
    """What tools have brought in one attempt, besides what its owner wrote."""

    def __init__(self, own: Any) -> None:
        self._own = _flat(" ".join(texts_in(own)))
        self._said: list[str] = []

    def hear(self, brought: Any) -> None:
        """Remember what a tool brought."""
        self._said += [flat for text in texts_in(brought) if (flat := _flat(text))]

    def copied(self, arguments: dict[str, Any]) -> bool:
        """Return whether a value of these arguments repeats what a tool brought."""
        said = "\n".join(self._said)
        values = (_flat(text) for value in arguments.values() for text in texts_in(value))
        return any(self._is_copied(value, said) for value in values if len(value) >= _WHOLE)

    def _is_copied(self, value: str, said: str) -> bool:
        if value in said and value not in self._own:
            return True
        runs = {value[place : place + RUN] for place in range(len(value) - RUN + 1)}
        return any(run in said and run not in self._own for run in runs)


def _flat(text: str) -> str:
    """Return a text without what copying may change: case, and how words are kept apart."""
    return _SPACE.sub(" ", text).strip().casefold()
