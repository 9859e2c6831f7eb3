"""Cosines that a log lacks because those who chose never asked: worked out from what agents say of themselves at its end.

Only what might have been is answered with these: a recorded choice is verified by what it recorded.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from events.agent import AgentRegistered, AgentRevised
from events.task import AgentChosen, Features
from events.wire import Incoming, decode, event_type
from learning.match import fit
from smolit.audit.choices import Example, Log

Described = Mapping[tuple[str, str], tuple[Features, ...]]  # by tenant and agent: the description, then the examples
_WANTS = frozenset(cls.event_type.wire_name for cls in (AgentRegistered, AgentRevised))


def descriptions(records: Iterable[Incoming]) -> Described:
    """Return each agent's newest description and examples; records must be in log order."""
    found: dict[tuple[str, str], tuple[Features, ...]] = {}
    for record in records:
        if event_type(record.headers) in _WANTS:
            fact = decode(record.headers, record.value).fact
            if isinstance(fact, AgentRegistered | AgentRevised):
                found[fact.tenant, fact.agent_id] = (fact.described, *fact.examples)
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
            one if one.fit is not None else replace(one, fit=_fit(seen, described.get((choice.tenant, one.agent), ())))
            for one in choice.candidates
        ),
    )


def _example(example: Example, described: Described) -> Example:
    if example.fit is not None:
        return example
    return replace(example, fit=_fit(example.features, described.get((example.tenant, example.agent), ())))


def _fit(seen: Features, told: tuple[Features, ...]) -> float | None:
    """Return the best cosine of a text with what an agent says of itself; None where there is none of the same features."""
    return fit(seen, told) if any(one.version == seen.version for one in told) else None
