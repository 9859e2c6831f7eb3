"""A policy's state as a version has it: the fold of a scope's examples up to an offset, with digests of both. Pure."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from events.learning import ExampleRecorded, ExampleSuperseded
from events.wire import Incoming, decode, event_type
from learning.book import Page, PolicyKey
from learning.features import ContextMap
from learning.network import Networks, none_here
from smolit.audit.choices import Log

_WANTS = frozenset(cls.event_type.wire_name for cls in (ExampleRecorded, ExampleSuperseded))


class Scope(NamedTuple):
    """What a policy's state covers: a tenant and a family of tasks."""

    tenant: str
    name: str


class Folded(NamedTuple):
    """A policy after a scope's examples: `first` is the offset of the first one (-1: there is none)."""

    page: Page
    first: int
    data_sha256: str


def fold(
    records: Iterable[Incoming],
    scope: Scope,
    key: PolicyKey,
    used: ContextMap,
    upto: int | None = None,
    networks: Networks = none_here,
) -> Folded:
    """Fold the examples of a scope, none beyond offset `upto`; the same records and words give the same bytes.

    The digest of the data covers offset, type and value of each example as they lie in the log.

    Raises:
        PolicyError: the policy cannot be made, or an example cannot be learned from.
        ExampleMissing: the log is not whole.
    """
    page, first, data = Page(key.make(used.width, networks)), -1, hashlib.sha256()
    for record, fact in _examples(records, scope, upto):
        before = page.sequence
        page.take_in(fact, record.offset, lambda features: used.apply(features.embedding, features.surface))
        if page.sequence == before:
            continue  # published twice: the first in the log counts
        first = record.offset if first < 0 else first
        data.update(f"{record.offset} {fact.event_type.wire_name} {len(record.value or b'')}\n".encode())
        data.update(record.value or b"")
    return Folded(page, first, data.hexdigest())


def _examples(
    records: Iterable[Incoming], scope: Scope, upto: int | None
) -> Iterator[tuple[Incoming, ExampleRecorded | ExampleSuperseded]]:
    """Yield the examples of a scope with their records, in the log's order."""
    for record in records:
        if event_type(record.headers) in _WANTS and (upto is None or record.offset <= upto):
            fact = decode(record.headers, record.value).fact
            if isinstance(fact, ExampleRecorded | ExampleSuperseded) and (fact.tenant, fact.scope) == scope:
                yield record, fact


def known_by(log: Log, scope: Scope, upto: int) -> Log:
    """Return what a version could know: the scope's choices that were made with no later state, and examples up to there."""
    choices = [one for one in log.choices if (one.tenant, one.context.scope) == scope and one.policy.upto <= upto]
    examples = [one for one in log.examples.get((scope.tenant, scope.name), []) if one[0] <= upto]
    return log._replace(choices=choices, examples={(scope.tenant, scope.name): examples})
