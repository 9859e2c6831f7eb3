"""Policy states: what selectors chose with, what the snapshots hold, and what who starts now would hold, against a refold."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from events.learning import ExampleRecorded, ExampleSuperseded
from events.task import AgentChosen
from learning.book import Page, PolicyKey
from learning.errors import ExampleMissing
from learning.features import ContextMap
from learning.hashed import HashedEncoder
from smolit.chaos.check.evidence import Evidence
from smolit.chaos.check.finding import Finding, found
from smolit.chaos.world import World
from smolit.process.library import library
from smolit.process.place import Place
from smolit.process.ports import Ports
from smolit.stack.local import Endpoints
from store.postgres import connect
from store.snapshot import newest
from streams.library import opened

Scope = tuple[str, str]


class Held(NamedTuple):
    """A state that somebody held: which policy, up to which example, and its digest."""

    who: str
    scope: Scope
    key: PolicyKey
    upto: int
    digest: str


async def unlike_the_log(world: World, evidence: Evidence) -> list[Finding]:
    """Compare every state that anybody held or holds with the fold of the examples from zero, up to the same one."""
    try:
        fresh = list(await _fresh(world)) if evidence.settled else []
    except ExampleMissing as error:
        return found("learner", "who starts now cannot fold the examples", [error])
    held = [*_chosen_with(evidence), *_stored(evidence), *fresh]
    wanted = refolded(evidence, held)
    behind = [one for one in fresh if one.upto != _last(evidence, one.scope)]
    return [
        *found("learner", "a state is not the fold of the examples", (_told(one) for one in held if wanted[one] != one.digest)),
        *found("learner", "who starts now does not reach the last example", map(_told, behind)),
    ]


def refolded(evidence: Evidence, held: Iterable[Held]) -> dict[Held, str | None]:
    """Return the digest that each state should have; None where there is no example with that offset."""
    context_map = ContextMap.load(HashedEncoder().name)
    kinds: dict[tuple[Scope, PolicyKey], list[Held]] = {}
    for one in held:
        kinds.setdefault((one.scope, one.key), []).append(one)
    digests: dict[Held, str | None] = {}
    for (scope, key), group in kinds.items():
        found_digests = _digests(evidence, scope, Page(key.make(context_map.width)), {one.upto for one in group}, context_map)
        digests |= {one: found_digests.get(one.upto) for one in group}
    return digests


def _digests(evidence: Evidence, scope: Scope, page: Page, uptos: set[int], context_map: ContextMap) -> Mapping[int, str]:
    """Fold a scope's examples from zero and return the digest after each of these."""
    digests = {-1: page.digest}
    for offset, fact in _examples(evidence, scope):
        try:
            page.take_in(fact, offset, lambda features: context_map.apply(features.embedding, features.surface))
        except ExampleMissing:
            return digests  # nobody can have come further
        if offset in uptos:
            digests[offset] = page.digest
    return digests


def _examples(evidence: Evidence, scope: Scope) -> Iterator[tuple[int, ExampleRecorded | ExampleSuperseded]]:
    for record, event in evidence.log.facts(ExampleRecorded, ExampleSuperseded):
        if (event.fact.tenant, event.fact.scope) == scope:
            yield record.offset, event.fact


def _chosen_with(evidence: Evidence) -> Iterator[Held]:
    """Yield the state behind every choice."""
    for _, event in evidence.log.facts(AgentChosen):
        fact = event.fact
        key = PolicyKey.of(fact.policy.name, fact.policy.parameters)
        yield Held("a choice", (fact.tenant, fact.context.scope), key, fact.policy.upto, fact.policy.digest)


def _stored(evidence: Evidence) -> Iterator[Held]:
    """Yield the states in the snapshots."""
    for tenant, scope, policy, upto, _, digest, _ in evidence.tables["snapshots"]:
        yield Held("a snapshot", (tenant, scope), opened(policy)[0], upto, digest)


async def _fresh(world: World) -> Iterable[Held]:
    """Return the states of a library that starts now, from the newest snapshots."""
    place = Place(world.settings, Endpoints(world.kafka, world.postgres, False), "check", Ports())
    followed = library(place, "chaos-library", 0.0)
    connection = await connect(world.postgres, "chaos-library")
    try:
        await followed.start(await newest(connection))
        pages = [(scope, key, page) for scope, pages in followed.pages.items() for key, page in pages.items()]
        return [Held("a library", scope, key, page.upto, page.digest) for scope, key, page in pages]
    finally:
        await followed.stop()
        await connection.close()


def _last(evidence: Evidence, scope: Scope) -> int:
    return max((offset for offset, _ in _examples(evidence, scope)), default=-1)


def _told(one: Held) -> str:
    return f"{one.who} of {one.scope[1]!r} up to {one.upto}: {one.key.name} {one.digest[:12]}"
