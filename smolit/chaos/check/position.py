"""C6: where each fold stands agrees with what it has applied, set aside, or dropped as a repeat."""

from collections import Counter
from collections.abc import Iterator

from events.topics import AGENTS, DEFAULT_TENANT, TASKS
from handlers.dispatch import CONSUMER as DISPATCH
from projections.fold import CONSUMER as PROJECTIONS
from smolit.chaos.check.evidence import Evidence
from smolit.chaos.check.finding import Finding, found
from smolit.chaos.check.lost import LEARNT_FROM


def misplaced(evidence: Evidence) -> list[Finding]:
    """C6: return every disagreement."""
    counts = found("C6", "applied + parked + repeated is not what lies before the position", _tally(evidence))
    return [*counts, *(_behind(evidence) if evidence.settled else [])]


def _behind(evidence: Evidence) -> list[Finding]:
    """C6, once everything has settled: everybody has come to the end."""
    names = evidence.log.names
    asked = names.requests_of(DEFAULT_TENANT)
    projected = sorted({topic for consumer, topic, _ in evidence.positions if consumer == PROJECTIONS})
    dispatched = [names.of(TASKS), names.of(AGENTS)]
    return [
        *found("C6", "intake does not stand at the end of what it read", _off(evidence, "intake", [asked])),
        *found("C6", "dispatch does not stand at the end of what it read", _off(evidence, DISPATCH, dispatched)),
        *found("C6", "the projections do not stand at the end of what they read", _off(evidence, PROJECTIONS, projected)),
        *found("C6", "learning does not stand behind the last fact that it learns from", _learning(evidence)),
    ]


def _off(evidence: Evidence, consumer: str, topics: list[str]) -> Iterator[str]:
    """Yield partitions whose position is not the end of the log."""
    stands = {(row[1], row[2]): row[3] for row in evidence.tables["positions"] if row[0] == consumer}
    for topic in topics:
        for partition, end in evidence.log.ends(topic).items():
            if stands.get((topic, partition)) != end:
                yield f"{topic}/{partition}: at {stands.get((topic, partition))}, not {end}"


def _learning(evidence: Evidence) -> Iterator[str]:
    """Yield partitions where learning stands elsewhere than behind the last record that it wants."""
    topic = evidence.log.names.of(TASKS)
    wanted = frozenset().union(*(cls.event_type.wire_names for cls in LEARNT_FROM))
    last: dict[int, int] = {}
    for record in evidence.log.topics.get(topic, ()):
        if dict(record.headers).get("ce_type", b"").decode() in wanted:
            last[record.partition] = record.offset + 1
    stands = {row[2]: row[3] for row in evidence.tables["positions"] if row[0] == "learning" and row[3]}
    for partition in sorted(last.keys() | stands.keys()):
        if stands.get(partition) != last.get(partition):
            yield f"{topic}/{partition}: at {stands.get(partition)}, not {last.get(partition)}"


def _tally(evidence: Evidence) -> Iterator[str]:
    """Yield partitions where the projections' counts do not add up."""
    counted = {(row[0], row[1]): tuple(row[2:]) for row in evidence.tables["tally"]}
    stands = {(row[1], row[2]): row[3] for row in evidence.tables["positions"] if row[0] == PROJECTIONS}
    before: Counter[tuple[str, int]] = Counter()
    for topic, records in evidence.log.topics.items():
        before.update((topic, record.partition) for record in records if record.offset < stands.get((topic, record.partition), 0))
    for place in sorted(before.keys() | counted.keys()):
        if sum(counted.get(place, ())) != before[place]:
            yield f"{place[0]}/{place[1]}: {counted.get(place)} of {before[place]}"
