"""Compare: says where two results or more differ: what other agents found in an invoice and in the order, for example."""

from typing import Any, ClassVar

from msgspec import Struct

from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Stopwatch, Timer, Toolbox, Work

_MOST = 20


class CompareSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing can be set."""


class Compare:
    """Compares each of `input.items` with the first; `input.names` are what people call them."""

    name: ClassVar[str] = "compare"
    Settings: ClassVar[type[Struct]] = CompareSettings

    def __init__(self, _settings: CompareSettings, _toolbox: Toolbox) -> None:
        return

    async def run(self, work: Work, _effects: Effects, timer: Timer) -> Result:
        """Compare.

        Raises:
            AgentFailed: there are not two things to compare.
        """
        from agents.comparison import compared, told

        items = work.input.get("items")
        if not isinstance(items, list) or not 2 <= len(items) <= _MOST:
            raise AgentFailed("bad_input", f"input.items must be a list of 2 to {_MOST} things to compare")
        watch = Stopwatch(timer)
        names = _names(work.input.get("names"), len(items))
        with watch.step("compare"):
            pairs = [(names[0], names[at], compared(items[0], items[at])) for at in range(1, len(items))]
        found = [
            {"first": first, "second": second, "same": one.same, "different": list(one.different)}
            | {"missing": list(one.missing), "added": list(one.added), "shared": list(one.shared)}
            for first, second, one in pairs
        ]
        answer = " ".join(told(first, second, one) for first, second, one in pairs)
        return Result({"answer": answer, "same": all(one.same for _, _, one in pairs), "pairs": found}, watch.steps)


def _names(given: Any, count: int) -> list[str]:
    """Return what the things are called; those without a name are numbered."""
    names = given if isinstance(given, list) else []
    return [names[at] if at < len(names) and isinstance(names[at], str) and names[at] else f"{at + 1}" for at in range(count)]
