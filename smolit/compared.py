"""Cosines that a log lacks because those who chose never asked: worked out from descriptions as they stand at its end.

Only what might have been is answered with these: a recorded choice is verified by what it recorded.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from events.agent import AgentRegistered, AgentRevised
from events.task import AgentChosen, Features
from events.wire import Incoming, decode, event_type
from learning.match import fit
from smolit.recompute import Example, Log

Described = Mapping[tuple[str, str], Features]  # by tenant and agent
_WANTS = frozenset(cls.event_type.wire_name for cls in (AgentRegistered, AgentRevised))


def descriptions(records: Iterable[Incoming]) -> Described:
    """Return each agent's newest description; records must be in log order."""
    found: dict[tuple[str, str], Features] = {}
    for record in records:
        if event_type(record.headers) in _WANTS:
            fact = decode(record.headers, record.value).fact
            if isinstance(fact, AgentRegistered | AgentRevised):
                found[fact.tenant, fact.agent_id] = fact.described
    return found


def compared(log: Log, described: Described) -> Log:
    """Return the log with the cosines that it lacks, for every candidate and example that can be compared."""
    return log._replace(
        choices=[_choice(one, described) for one in log.choices],
        examples={
            place: [(offset, _example(one, described)) for offset, one in examples] for place, examples in log.examples.items()
        },
    )


def _choice(choice: AgentChosen, described: Described) -> AgentChosen:
    seen = choice.context.features
    return replace(
        choice,
        candidates=tuple(
            one if one.fit is not None else replace(one, fit=_fit(seen, described.get((choice.tenant, one.agent))))
            for one in choice.candidates
        ),
    )


def _example(example: Example, described: Described) -> Example:
    if example.fit is not None:
        return example
    return replace(example, fit=_fit(example.features, described.get((example.tenant, example.agent))))


def _fit(seen: Features, description: Features | None) -> float | None:
    """Return the cosine of a text and a description; None where there is none of the same features."""
    return fit(seen, description) if description is not None and description.version == seen.version else None
