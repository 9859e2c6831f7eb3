"""References of a shape, set right for its copies: `${file}`, `${item}`, other steps, and `${all...}`. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

COPIED = ("file", "item")  # what a step calls the file or the entry that its copy is for
_COPIED = re.compile(r"\$\{(?:file|item)\b")
_STEP = re.compile(r"\$\{([a-z][a-z0-9_-]*)")
_ALL = re.compile(r"\$\{all\.(?P<name>[a-z][a-z0-9_-]*)(?P<rest>[^{}]*)\}")

Each = Callable[[str, str], list[str]]  # of a step (or `file`, `item`) and the path behind it: its references in all copies


def renamed(value: Any, names: Mapping[str, str], what: str) -> Any:
    """Return a value with what a copy is for in the place of `${file}` and `${item}`, and with steps under their new names."""
    if isinstance(value, str):
        value = _COPIED.sub(f"${{{what}", value) if what else value
        return _STEP.sub(lambda found: "${" + names.get(found[1], found[1]), value)
    if isinstance(value, dict):
        return {key: renamed(one, names, what) for key, one in value.items()}
    return [renamed(one, names, what) for one in value] if isinstance(value, list | tuple) else value


def spread(value: Any, each: Each) -> Any:
    """Put the references of all copies where `${all...}` stands: a list where it is the whole of a text, else joined."""
    if isinstance(value, str):
        whole = _ALL.fullmatch(value.strip())
        return each(whole["name"], whole["rest"]) if whole else joined(value, each)
    if isinstance(value, dict):
        return {key: spread(one, each) for key, one in value.items()}
    return [spread(one, each) for one in value] if isinstance(value, list | tuple) else value


def joined(text: str, each: Each) -> str:
    """Put the references of all copies where `${all...}` stands in a text, with a blank line between them."""
    return _ALL.sub(lambda found: "\n\n".join(each(found["name"], found["rest"])), text)


def single(value: Any, what: str) -> Any:
    """Return a value as it is where there is one copy, which is for `what`."""
    if isinstance(value, str):
        return joined(value, lambda name, rest: [f"${{{what if name in COPIED else name}{rest}}}"])
    if isinstance(value, dict):
        return {key: single(one, what) for key, one in value.items()}
    return [single(one, what) for one in value] if isinstance(value, list | tuple) else value
