"""Is every recorded reward true? Each is made again from the facts of its task alone: terms, cost, duration, feedback.

The facts of a task lie in one partition, so folding them one by one, as learning does, gives each example and each of its
corrections. What learning has not come to yet is not missed: only what is recorded is looked at.
"""

from collections.abc import Iterable

from events.event import Fact
from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AgentChosen, AttemptEnded, FeedbackGiven, FeedbackRevised
from events.wire import Incoming, decode, event_type
from learning.examples import Example, TaskMemory, conclude, evolve
from smolit.audit.choices import Mismatch

_TAUGHT_BY = (AgentChosen, AttemptEnded, FeedbackGiven, FeedbackRevised)
_EXAMPLES = (ExampleRecorded, ExampleSuperseded)
_READS = frozenset().union(*(cls.event_type.wire_names for cls in (*_TAUGHT_BY, *_EXAMPLES)))

Place = tuple[str, str, int, int]  # tenant, task, attempt, revision


def wrong_rewards(records: Iterable[Incoming]) -> list[Mismatch]:
    """Return every recorded reward that comes out otherwise; records must be in log order within each partition."""
    memories: dict[tuple[str, str], TaskMemory] = {}
    made: dict[Place, Example] = {}
    recorded: dict[Place, Example] = {}
    for fact in _firsts(records):
        if isinstance(fact, ExampleRecorded | ExampleSuperseded):
            recorded[_place(fact)] = fact
        elif isinstance(fact, AgentChosen | AttemptEnded | FeedbackGiven | FeedbackRevised):
            owner = (fact.tenant, fact.task_id)
            memories[owner], examples = conclude(evolve(memories.get(owner) or TaskMemory(*owner), fact))
            made |= {_place(example): example for example in examples}
    compared = (_compared(one, made.get(place)) for place, one in sorted(recorded.items()))
    return [found for found in compared if found]


def _firsts(records: Iterable[Incoming]) -> Iterable[Fact]:
    """Yield what was taught and what it was taught by: the first record of each id."""
    seen: set[str] = set()
    for record in records:
        if event_type(record.headers) not in _READS:
            continue
        event = decode(record.headers, record.value)
        if event.id not in seen and isinstance(event.fact, Fact):
            seen.add(event.id)
            yield event.fact


def _place(example: Example) -> Place:
    revision = example.revision if isinstance(example, ExampleSuperseded) else 0
    return example.tenant, example.task_id, example.attempt, revision


def _compared(recorded: Example, made: Example | None) -> Mismatch | None:
    """Return what is wrong with a recorded reward, if anything is."""
    if made is None:
        return Mismatch(recorded.task_id, recorded.attempt, "reward", f"{recorded.reward!r}", "none: nothing teaches it")
    said, again = (f"{one.reward!r} by {one.rule}" for one in (recorded, made))
    return None if said == again else Mismatch(recorded.task_id, recorded.attempt, "reward", said, again)
