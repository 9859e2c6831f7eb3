"""An agent's output as people read it: its text, a label and how sure it is, a table, or its fields, a line each. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

_LINES = 40  # of a table or a list; the output itself has all
_CITED = 5
_ASIDE = frozenset({"citations", "counts", "back_test"})  # beside what they are about they say nothing to people
_PLACES = frozenset({"start", "end"})
_WHOLE = ("report", "answer", "text", "summary", "result", "value", "label")  # what an output is about: the first that it has


def passed_on(output: Any) -> str:
    """Return an output as `${step.said}` of a plan: a text as it is, one value bare, everything else as JSON.

    What parts were asked stands in facts, which a plan is folded from again: this stays as it is.
    """
    if isinstance(output, str):
        return output
    if isinstance(output, dict):
        for name in ("answer", "text", "result", "value", "summary"):
            if isinstance(output.get(name), str | int | float):
                return str(output[name])
    return msgspec.json.encode(output).decode()


def said(output: Any) -> str:
    """Return an output as an answer: what it is about, whole, and what that rests on; what is about nothing, line by line."""
    match output:
        case str():
            return output
        case {"label": str(label), "confidence": float(sure)}:
            return f"{label} ({sure:.0%} sure)"
        case {"answer": Mapping() | list() as inner}:
            return said(inner)
        case Mapping():
            whole = next((output[name] for name in _WHOLE if isinstance(output.get(name), str | int | float)), None)
            return "\n".join([str(whole), *sources(output)] if whole is not None else lines(output))
        case _:
            return "\n".join(lines(output))


def lines(output: Any, most_chars: int | None = None) -> list[str]:
    """Return an output as lines of Markdown; of a text at most so many characters."""
    match output:
        case {"label": str(label), "confidence": float(sure)}:
            return [f"**{label}** ({sure:.0%} sure)"]
        case {"label": str(label), "compound": float()}:
            return [f"**{label}**"]
        case {"expression": str(expression), "value": str(value), "exact": exact}:
            return [f"{expression} {'=' if exact else '≈'} {value}"]
        case {"text": str(text)} | {"summary": str(text)} | {"answer": str(text)} | {"report": str(text)} | str(text):
            return text[:most_chars].splitlines()
        case {"columns": [str(), *_] as names, "rows": [list(), *_] as rows}:
            return _table([dict(zip(names, row, strict=False)) for row in rows])
        case {"rows": [dict(), *_] as rows}:
            return _table(rows)
        case dict():
            some = [(name, value) for name, value in output.items() if name not in _ASIDE and value is not None][:_LINES]
            return [line for name, value in some for line in _field(str(name), value)]
        case list():
            return [f"- {short(value)}" for value in output[:_LINES]]
        case _:
            return [short(output)]


def sources(output: Any) -> list[str]:
    """Return the evidence that an output names, a line each."""
    cited = output.get("citations") if isinstance(output, dict) else None
    return [f"> {_cited(one)}" for one in cited[:_CITED]] if isinstance(cited, list) else []


def short(value: Any) -> str:
    """Return a value in a line; of a number as many digits as people read."""
    if isinstance(value, float):
        value = round(value, 2 if abs(value) >= 1 else 4)
    text = value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()
    return " ".join(text.split()).replace("|", "\\|")[:200]


def _cited(one: Any) -> str:
    """Return a piece of evidence as people cite it: what it says, and where that stands."""
    if isinstance(one, Mapping) and {"quote", "title", "version", "chunk"} <= set(one):
        return f'"{short(one["quote"])}" ({short(one["title"])}, version {one["version"]}, passage {one["chunk"]})'
    return short(one)


def _field(name: str, value: Any) -> list[str]:
    """Return a field as a line, or as a table where it is a list of objects."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return ["" if name == "entities" else f"{name}:", "", *_table(value), ""]
    return [f"- {name}: {short(value)}"]


def _table(rows: list[Any]) -> list[str]:
    names = [str(name) for name in rows[0] if name not in _PLACES]
    body = ["| " + " | ".join(short(row.get(name)) for name in names) + " |" for row in rows[:_LINES]]
    return ["| " + " | ".join(names) + " |", "|" + "---|" * len(names), *body]
