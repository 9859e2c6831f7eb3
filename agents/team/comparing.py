"""Two things that a text asks to compare, as a plan: both are worked on side by side, and it is said where they differ. Pure.

Two quoted texts are compared by what is found in them, two sums by what they come to. Anything else that is to be compared
(`Compare Paris and London`) needs somebody who knows about it, and stays whole.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from events.plan import Plan, PlanLimits, PlanStep

NAME, RULE = "text", "compare/1"
LIMITS = PlanLimits(parts=20, depth=3)
_TITLE = 80
_QUOTED = r"\"[^\"\n]+\"|“[^”\n]+”|„[^“”\n]+[“”]|«[^»\n]+»|(?<!\w)'[^'\n]+'(?!\w)"
_SUM = r"[-+*/^() .\d]*\d[-+*/^() .\d]*"
_ASKS = (
    r"\W*(?:(?:please|bitte|can you|could you|kannst du)[,\s]+)*(?:compare|vergleiche?|where do|"
    r"(?:what is |what's |tell me |find |was ist )?(?:the |der )?(?:differences?|unterschied) (?:between|zwischen))\s+"
)
_PAIR = re.compile(
    rf"{_ASKS}(?:(?P<said>{_QUOTED})|(?P<sum>{_SUM}))\s*(?:and|with|to|against|und|mit)\s+"
    rf"(?:(?P<said2>{_QUOTED})|(?P<sum2>{_SUM}))\s*(?:differ)?[.?!\s]*",
    re.IGNORECASE,
)
_WORKED_OUT = re.compile(r"\d\s*[-+*/^]\s*\(?\s*\d")


class Pair(NamedTuple):
    """Two things to be compared: texts, or sums that are worked out first."""

    first: str
    second: str
    sums: bool


def pair(text: str) -> Pair | None:
    """Return the two things that a text asks to compare, both quoted or both sums; None: it asks for something else."""
    found = _PAIR.fullmatch(text.strip())
    if found is None:
        return None
    if found["said"] and found["said2"]:
        return Pair(found["said"][1:-1].strip(), found["said2"][1:-1].strip(), False)
    sums = [(found[name] or "").strip() for name in ("sum", "sum2")]
    return Pair(sums[0], sums[1], True) if all(sums) and any(map(_WORKED_OUT.search, sums)) else None


def compared(text: str, kinds: Collection[str]) -> Plan | None:
    """Return the plan of a comparison, of kinds of tasks that somebody can do; None: it is none, or nobody can."""
    both = pair(text)
    if both is None or "${" in text:
        return None
    kind, output = ("arithmetic", "value") if both.sums else ("entities", "entities")
    if not {kind, "compare"} <= set(kinds):
        return None
    names = [both.first[:_TITLE], both.second[:_TITLE]]
    first, second = (f"What is {one}?" if both.sums else one for one in (both.first, both.second))
    steps = (
        PlanStep(id="first", kind=kind, text=first, title=names[0]),
        PlanStep(id="second", kind=kind, text=second, title=names[1]),
        PlanStep(
            id="differences",
            kind="compare",
            text="Compare what was found.",
            input={"items": [f"${{{one}.output.{output}}}" for one in ("first", "second")], "names": names},
            title="Where they differ",
        ),
    )
    return Plan(NAME, steps, merge="sections", limits=LIMITS)
