"""A goal that is text alone, as a plan: its requests, each for the kind of agent that it suits best. Pure.

A text with one request is one step, if somebody clearly does it. Several are split only if each clearly suits somebody, and not
where one agent does them all in one go: a general agent, or several questions in one sentence that are of one kind.
"""

from collections.abc import Callable, Collection, Sequence

from agents.team.clauses import RESULT, Clause, clauses
from agents.team.comparing import compared
from agents.team.suiting import Suited
from events.plan import Plan, PlanLimits, PlanStep

NAME = "text"
RULE = "requests/1"
LIMITS = PlanLimits(parts=20, depth=3)
SURE = 0.7  # score from which on a text with one request goes to one agent; below, nobody is believed to do it
_TITLE = 80

Suit = Callable[[str], Suited | None]


def planned(text: str, suit: Suit, kinds: Collection[str] = ()) -> Plan | None:
    """Return the plan of a text; None: nobody clearly does it, or what it refers to could be taken for a reference of a plan.

    `kinds`: those that somebody can do, for two things that are to be compared.
    """
    if "${" in text:
        return None
    if (comparison := compared(text, kinds)) is not None:
        return comparison
    found = clauses(text)
    suited = [suit(one.text) for one in found.found]
    sure = [one for one in suited if one is not None]
    if len(suited) > 1 and len(sure) == len(suited) and _worth_it(sure, found.apart):
        return _plan(found.found, [one.kind for one in sure])
    whole = suit(text)
    sole = len(suited) == 1 and whole is not None and not whole.general and whole.score >= SURE
    return _plan((Clause(text),), [whole.kind]) if sole and whole else None


def for_nobody(text: str, suit: Suit) -> tuple[str, ...]:
    """Return the requests of a text that clearly suit nobody, where others of it do."""
    found = [(one.text, suit(one.text)) for one in clauses(text).found]
    bad = tuple(told for told, who in found if who is None)
    return bad if len(bad) < len(found) else ()


def _worth_it(kinds: Sequence[Suited], apart: bool) -> bool:
    """Say whether several agents are needed."""
    same = len({one.kind for one in kinds}) == 1
    return not same or (apart and not kinds[0].general)


def _plan(found: Sequence[Clause], kinds: Sequence[str]) -> Plan:
    steps = tuple(_step(place, one, kind) for place, (one, kind) in enumerate(zip(found, kinds, strict=True)))
    return Plan(NAME, steps, merge="sections", limits=LIMITS)


def _step(place: int, clause: Clause, kind: str) -> PlanStep:
    """Return one request as a step: what it is about goes to the agent as `input.text`, and stands in the request as well."""
    about = "\n\n".join(f"${{{_named(one)}.said}}" for one in clause.uses) or clause.about
    return PlanStep(
        id=_named(place),
        kind=kind,
        text=_with(clause, about) if about else clause.text,
        input={"text": about} if about else {},
        after=tuple(_named(one) for one in clause.after),
        title=" ".join(clause.text.split())[:_TITLE],
    )


def _with(clause: Clause, about: str) -> str:
    """Return a request with what it is about: in the place of `the result`, or below."""
    if len(clause.uses) == 1 and RESULT.search(clause.text):
        return RESULT.sub(lambda _: about, clause.text, count=1)
    return f"{clause.text}\n\n{about}"


def _named(place: int) -> str:
    return f"part{place + 1}"
