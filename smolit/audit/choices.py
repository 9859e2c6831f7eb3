"""Is every recorded choice true? Each is made again from its own fact and from policy states refolded from the log.

Nothing of the running system is asked: examples come from the learning topic, choices from the tasks topic, and the
state that a choice names by `upto` is reached by folding, one example after the other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from events.event import Event, Message
from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AgentChosen, AttemptEnded, Features
from events.wire import Incoming, decode, event_type
from learning.book import Page, PolicyKey
from learning.draw import draw
from learning.errors import LearningError
from learning.features import ContextMap
from learning.network import Networks, none_here
from learning.policy import Context, Contexts, Decision, Fits, Policy
from learning.verify import Difference, Recorded, compare

READS = frozenset(cls.event_type.wire_name for cls in (AgentChosen, AttemptEnded, ExampleRecorded, ExampleSuperseded))
Example = ExampleRecorded | ExampleSuperseded
Maps = Mapping[str, ContextMap]


class Mismatch(Struct, frozen=True):
    """One recorded choice that comes out otherwise."""

    task_id: str
    attempt: int
    what: str
    recorded: str
    recomputed: str


class Report(Struct, frozen=True):
    """How many choices were made again, how many records repeated one, and what came out otherwise."""

    equal: bool
    choices: int
    repeated: int
    examples: int
    draws_checked: bool
    mismatches: tuple[Mismatch, ...]


class Series(NamedTuple):
    """The choices that one policy made for one scope: its state is folded once, for all of them."""

    tenant: str
    scope: str
    key: PolicyKey
    context_map: str


class Log(NamedTuple):
    """What was read: examples by tenant and scope with their offsets, the first choice of each id, repeats, and all ends.

    `networks` is where policies that choose by a trained network find it.
    """

    examples: dict[tuple[str, str], list[tuple[int, Example]]]
    choices: list[AgentChosen]
    repeated: int
    ended: Sequence[AttemptEnded] = ()
    networks: Networks = none_here


class Stop(NamedTuple):
    """Choices among the same candidates, what they looked at (a row each), and a policy that has learned just what had been then.

    The page moves on with the next stop.
    """

    choices: tuple[AgentChosen, ...]
    contexts: Contexts
    page: Page

    @property
    def candidates(self) -> list[str]:
        """Who could be chosen."""
        return [one.agent for one in self.choices[0].candidates]

    @property
    def fits(self) -> list[Fits]:
        """How near the candidates' descriptions lay to each text, as recorded."""
        return [fits_of(choice) for choice in self.choices]


def sort_log(
    records: Iterable[Incoming], wanted: Callable[[Incoming], bool] = lambda _record: True, networks: Networks = none_here
) -> Log:
    """Return examples and those choices that are wanted; records must be in log order within each partition."""
    log = Log({}, [], 0, networks=networks)
    seen: set[str] = set()
    ended: list[AttemptEnded] = []
    repeated = 0
    for record in records:
        if event_type(record.headers) not in READS:
            continue
        event: Event[Message] = decode(record.headers, record.value)
        match event.fact:
            case AgentChosen() as choice:
                repeated += event.id in seen
                if event.id not in seen and wanted(record):
                    log.choices.append(choice)
                seen.add(event.id)
            case AttemptEnded() as end:
                ended.append(end)
            case ExampleRecorded() | ExampleSuperseded() as example:
                log.examples.setdefault((example.tenant, example.scope), []).append((record.offset, example))
    return log._replace(repeated=repeated, ended=ended)


def verify(log: Log, maps: Maps, secret: bytes | None) -> Report:
    """Make every choice again; with the secret of the draws, check those too."""
    mismatches = [found for series, choices in _series(log.choices).items() for found in _compared(series, choices, log, maps)]
    if secret is not None:
        mismatches += [found for choice in log.choices if (found := _wrong_draw(choice, secret))]
    ordered = sorted(mismatches, key=lambda one: (one.task_id, one.attempt, one.what))
    examples = sum(len(found) for found in log.examples.values())
    return Report(not ordered, len(log.choices), log.repeated, examples, secret is not None, tuple(ordered))


def _series(choices: Sequence[AgentChosen]) -> dict[Series, list[AgentChosen]]:
    """Return the choices of each policy and scope, in the order of the states they were made with."""
    found: dict[Series, list[AgentChosen]] = {}
    for choice in sorted(choices, key=lambda one: one.policy.upto):
        key = PolicyKey.of(choice.policy.name, choice.policy.parameters)
        found.setdefault(Series(choice.tenant, choice.context.scope, key, choice.context_map), []).append(choice)
    return found


def walk(series: Series, choices: Sequence[AgentChosen], log: Log, used: ContextMap) -> Iterator[Stop]:
    """Fold the scope's examples, and stop at every state that choices name; choices must be in the order of these."""

    def to_context(features: Features) -> Context:
        return used.apply(features.embedding, features.surface)

    page = Page(series.key.make(used.width, log.networks))
    examples = iter(log.examples.get((series.tenant, series.scope), []))
    ahead = next(examples, None)
    for (upto, _), alike in groupby(choices, lambda one: (one.policy.upto, [who.agent for who in one.candidates])):
        while ahead is not None and ahead[0] <= upto:
            page.take_in(ahead[1], ahead[0], to_context)
            ahead = next(examples, None)
        run = tuple(alike)
        yield Stop(run, np.array([to_context(choice.context.features) for choice in run]), page)


def fits_of(choice: AgentChosen) -> Fits:
    """Return how near the candidates' descriptions lay to the text, as the choice recorded it."""
    return {one.agent: one.fit for one in choice.candidates if one.fit is not None}


def _compared(series: Series, choices: Sequence[AgentChosen], log: Log, maps: Maps) -> Iterable[Mismatch]:
    """Make the choices of one series again."""
    if series.context_map not in maps:
        yield from (_told(choice, "context map", choice.context_map, "not shipped with this release") for choice in choices)
        return
    for stop in walk(series, choices, log, maps[series.context_map]):
        yield from _again(stop)


def _again(stop: Stop) -> Iterable[Mismatch]:
    """Make choices again with the state they name."""
    for choice, context, decision in zip(stop.choices, stop.contexts, _decisions(stop), strict=True):
        if stop.page.upto == choice.policy.upto:
            differences = _differences(stop.page, choice, context, decision)
            yield from (_told(choice, one.what, one.recorded, one.recomputed) for one in differences)
        else:
            yield _told(choice, "upto", str(choice.policy.upto), str(stop.page.upto))


def _decisions(stop: Stop) -> Sequence[Decision | LearningError]:
    """Decide about all together; where that cannot be, one by one."""
    policy, candidates = stop.page.policy, stop.candidates
    try:
        return policy.decide_many(stop.contexts, candidates, stop.fits)
    except LearningError:
        return [_decision(policy, context, candidates, fits) for context, fits in zip(stop.contexts, stop.fits, strict=True)]


def _decision(policy: Policy, context: Context, candidates: Sequence[str], fits: Fits) -> Decision | LearningError:
    try:
        return policy.decide(context, candidates, fits)
    except LearningError as error:
        return error


def _differences(page: Page, choice: AgentChosen, context: Context, decision: Decision | LearningError) -> Sequence[Difference]:
    """Compare a choice with what was decided again."""
    recorded = Recorded(
        context=context,
        candidates=tuple(one.agent for one in choice.candidates),
        probabilities=tuple(one.probability for one in choice.candidates),
        draw=choice.draw,
        agent=choice.agent,
        propensity=choice.propensity,
        explored=choice.explored,
        digest=choice.policy.digest,
        parts=tuple(one.parts for one in choice.candidates),
        weights=choice.weights,
    )
    try:
        if isinstance(decision, LearningError):
            raise decision
        return compare(page.policy, page.digest, decision, recorded).differences
    except LearningError as error:
        return (Difference("choice", "made", f"cannot be made: {error}"),)


def _wrong_draw(choice: AgentChosen, secret: bytes) -> Mismatch | None:
    """Return what is wrong with a draw, if it is not the one that the secret gives."""
    again = draw(secret, "choice", choice.task_id, choice.attempt)
    return None if again == choice.draw else _told(choice, "draw", repr(choice.draw), repr(again))


def _told(choice: AgentChosen, what: str, recorded: str, recomputed: str) -> Mismatch:
    return Mismatch(choice.task_id, choice.attempt, what, recorded, recomputed)
