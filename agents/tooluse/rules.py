"""A planner of rules, for shapes of tasks that it knows; it asks no model, and says so when it knows no way.

It knows: code to run, an expression, "a % of b", "sum of a and b", "difference between a and b", "a times b", days until a
date, and questions that a passage answers. An operand is a number, or a thing whose number a passage has to tell.
"""

import re
from collections.abc import Callable

from agents.errors import AgentFailed
from agents.expression import ExpressionRefused
from agents.question import expression_in
from agents.tools.call import Observed
from agents.tooluse.story import Answer, Call, Move, Planned, Story

_NUMBER = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?")
_FENCE = re.compile(r"```(?:python|py)?\n(.*?)```", re.DOTALL)
_DATE = re.compile(r"\bdays?\b.*?\b(?:until|till|to|before|since)\b.*?(\d{4}-\d{2}-\d{2})", re.IGNORECASE | re.DOTALL)
_THING = r"(?:the )?(.{1,200}?)"
_END = r"\s*[?.!]*\s*$"
_ASK = r"^\s*(?:what(?: is|'s)?|how much is|calculate|compute|give|tell me)?\s*"
# A shape and the expression that it means; longer shapes first.
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(_ASK + shape + _END, re.IGNORECASE), meant)
    for shape, meant in (
        (rf"(-?\d+(?:\.\d+)?)\s*(?:%|percent) of {_THING}", "{0} * {1} / 100"),
        (rf"(?:the )?(?:sum|total) of {_THING} and {_THING}", "{0} + {1}"),
        (rf"(?:the )?difference between {_THING} and {_THING}", "{0} - {1}"),
        (rf"(?:the )?(?:average|mean) of {_THING} and {_THING}", "({0} + {1}) / 2"),
        (rf"(?:the )?ratio of {_THING} to {_THING}", "{0} / {1}"),
        (rf"{_THING} (?:times|multiplied by) {_THING}", "{0} * {1}"),
        (rf"{_THING} divided by {_THING}", "{0} / {1}"),
        (rf"{_THING} plus {_THING}", "{0} + {1}"),
        (rf"{_THING} minus {_THING}", "{0} - {1}"),
    )
)


class RulePlanner:
    """Follows the first rule that knows the task."""

    name = "rules"

    async def next(self, story: Story) -> Planned:
        """Return the next move.

        Raises:
            AgentFailed: no rule knows this task, or a call brought nothing to go on with.
        """
        for rule in (_code, _expression, _days, _shape, _look_up):
            move = rule(story)
            if move is not None:
                return Planned(move)
        raise AgentFailed("no_plan", "no rule knows a way to do this with the granted tools")


def knows(story: Story) -> bool:
    """Say whether a rule that is sure of its shape knows this task; a mere look-up is not sure."""
    return any(rule(story) is not None for rule in (_code, _expression, _days, _shape))


def _code(story: Story) -> Move | None:
    """Run code that stands in the task."""
    found = _FENCE.search(story.work.text)
    given = story.work.input.get("code")
    code = given if isinstance(given, str) else found[1] if found else None
    if code is None or not story.has("run_python"):
        return None
    return _then(story, [Call("run_python", {"code": code})], lambda seen: str(seen[0].data.get("stdout", "")).strip())


def _expression(story: Story) -> Move | None:
    """Calculate the one expression that the task is."""
    if not story.has("calculator"):
        return None
    try:
        expression = expression_in(story.work.text)
    except ExpressionRefused:
        return None
    return _then(story, [Call("calculator", {"expression": expression})], lambda seen: _value(seen[0]))


def _days(story: Story) -> Move | None:
    """Count days between now and a date: the clock says the one, code subtracts."""
    found = _DATE.search(story.work.text)
    if found is None or not story.has("now", "run_python"):
        return None
    if not story.seen:
        return Call("now", {})
    today = _data(story.seen[0][1]).get("date", "")
    code = f"from datetime import date\nprint(abs((date.fromisoformat({found[1]!r}) - date.fromisoformat({today!r})).days))"
    calls = [Call("now", {}), Call("run_python", {"code": code})]
    return _then(story, calls, lambda seen: str(_data(seen[1]).get("stdout", "")).strip())


def _shape(story: Story) -> Move | None:
    """Look the operands up, one by one, and calculate."""
    if not story.has("calculator"):
        return None
    for pattern, meant in _SHAPES:
        found = pattern.match(story.work.text)
        if found is not None and (move := _operands(story, found.groups(), meant)) is not None:
            return move
    return None


def _operands(story: Story, operands: tuple[str, ...], meant: str) -> Move | None:
    """Return the next move of a shape; None: an operand has no number, and there is nowhere to look."""
    things = [one for one in operands if not _NUMBER.fullmatch(one.strip())]
    if things and not story.has("knowledge_search"):
        return None
    calls = [Call("knowledge_search", {"query": one, "most": 3}) for one in things]
    if len(story.seen) < len(calls):
        return _then(story, calls, lambda _seen: "")
    numbers = dict(zip(things, (_told(one, seen) for one, (_, seen) in zip(things, story.seen, strict=False)), strict=True))
    expression = meant.format(*(_literal(numbers.get(one, one)) for one in operands))
    cited = tuple(source for _, seen in story.seen[: len(calls)] for source in _sources(seen)[:1])
    return _then(story, [*calls, Call("calculator", {"expression": expression})], lambda seen: _value(seen[-1]), cited)


def _look_up(story: Story) -> Move | None:
    """Answer with the passage that fits best."""
    if not story.has("knowledge_search"):
        return None
    if not story.seen:
        return Call("knowledge_search", {"query": story.work.text[:1_000], "most": 3})
    if not _passages(story.seen[0][1]):
        raise AgentFailed("nothing_found", "no passage of the knowledge fits")
    return Answer(_passages(story.seen[0][1])[0], tuple(_sources(story.seen[0][1])[:1]))


def _then(story: Story, calls: list[Call], answer: Callable[[list[Observed]], str], citations: tuple[str, ...] = ()) -> Move:
    """Return the first of the calls that was not made yet, or the answer once all have brought something."""
    for _, seen in story.seen:
        _data(seen)
    if len(story.seen) < len(calls):
        return calls[len(story.seen)]
    return Answer(answer([seen for _, seen in story.seen]), citations)


def _data(seen: Observed) -> dict[str, object]:
    """Return what a call brought; raises AgentFailed where it brought nothing."""
    if seen.refused is not None:
        raise AgentFailed(seen.refused, f"{seen.tool}: {seen.detail}")
    return seen.data if isinstance(seen.data, dict) else {}


def _value(seen: Observed) -> str:
    """Return a calculator's value, as people read it."""
    found = _data(seen)
    return str(found.get("decimal") or found.get("value", ""))


def _told(thing: str, seen: Observed) -> str:
    """Return the number that a passage tells of a thing: the first after the words that it shares with the thing."""
    words = {word for word in re.findall(r"\w+", thing.lower()) if len(word) > 2}
    best: tuple[int, str] = (0, "")
    for passage in _passages(seen):
        for sentence in re.split(r"(?<=[.!?])\s+|\n", passage):
            shared = len(words & set(re.findall(r"\w+", sentence.lower())))
            number = _NUMBER.search(sentence)
            if number is not None and shared > best[0]:
                best = (shared, number[0].replace(",", ""))
    if not best[1]:
        raise AgentFailed("nothing_found", f"no passage tells a number of {thing[:100]!r}")
    return best[1]


def _passages(seen: Observed) -> list[str]:
    found = _data(seen).get("passages", [])
    return [str(one.get("text", "")) for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _sources(seen: Observed) -> list[str]:
    """Return where passages stand, best first."""
    found = _data(seen).get("passages", [])
    if not isinstance(found, list):
        return []
    return [f"{one.get('document_id')}@{one.get('version', 1)}#{one.get('chunk', 0)}" for one in found if isinstance(one, dict)]


def _literal(number: str) -> str:
    """Return a number as an expression holds it."""
    plain = number.strip().replace(",", "")
    return f"({plain})" if plain.startswith("-") else plain
