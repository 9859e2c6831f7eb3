"""The registry, from Python: register a version, validate it, promote it, go back, load it, and ask what served when.

Each changes something by asking for it over Kafka, as the command line does, and returns once the fact is in the log. What
is known of versions is folded from the topic `models`.
"""

import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal

from msgspec import Struct

from events.model import Alias, Origin, TrialRef
from events.registry import Model, Registry, evolve
from events.request import JudgeModel, PromoteModel, RegisterModel, Request, RollBackModel
from events.topics import MODELS
from events.wire import Incoming, decode
from learning.artefact import manifest_of, read, write
from learning.book import PolicyKey
from learning.encoders import context_map, context_maps
from learning.errors import ArtefactError, ArtefactUnusable, LearningError
from learning.features import ContextMap
from learning.network import Networks, Shelf
from learning.policies import check_network
from learning.policy import Policy
from smolit.audit.choices import sort_log
from smolit.cli.desk import Desk
from smolit.cli.log import log_of, whole_log
from smolit.client import Ask
from smolit.counterfactual.replay import ContextMapMissing
from smolit.errors import CheckFailed, NothingFound
from smolit.folder import claim, networks_in
from smolit.model.build import Made, made, measure
from smolit.model.fold import Folded, Scope, fold
from smolit.model.judge import Verdict, contexts_of, judge
from smolit.search.again import scored_again

Told = Callable[[str], None]


class Wanted(Struct, frozen=True):
    """What is to be registered: a policy on a scope's examples up to an offset (None: all there are now), and what it follows.

    `parent` names a version of the scope; None means the champion, if there is one. `trial` is the one that found the settings.
    """

    scope: Scope
    key: PolicyKey
    upto: int | None = None
    parent: str | None = None
    trial: TrialRef | None = None


def folder_of(desk: Desk) -> Path:
    """Return where artefacts lie."""
    return desk.settings.data_dir / "models"


def shelf(desk: Desk) -> Shelf:
    """Return the trained networks of this data folder."""
    return Shelf(networks_in(desk.settings.data_dir))


async def versions(desk: Desk) -> Registry:
    """Return all that is known of versions, from the log itself."""
    registry, ids = Registry(), set()
    for record in await log_of(desk, (MODELS,)):
        event = decode(record.headers, record.value)
        if event.id not in ids:  # a step run again repeats its facts: the first in the log counts
            ids.add(event.id)
            registry = evolve(registry, event.fact)
    return registry


def need(registry: Registry, scope: Scope, named: str) -> Model:
    """Return the version that an id, a number or an alias names; raises NothingFound."""
    found = registry.find(scope.tenant, scope.name, named)
    if found is None:
        raise NothingFound(f"scope {scope.name!r} has no version {named!r}; `smolit model list` shows them")
    return found


async def prepare(desk: Desk, wanted: Wanted, told: Told = lambda _said: None) -> tuple[Made, RegisterModel]:
    """Make a version from the log, and the request that registers it; nothing is written or sent.

    Raises:
        NothingFound: there is no such parent.
        LearningError: the policy cannot be made, or the log cannot be folded.
    """
    registry, began = await versions(desk), (time.process_time(), time.perf_counter())
    parent = _parent(registry, wanted)
    told("reading the log")
    records = await whole_log(desk)
    used = context_map(desk.settings.encoder)
    networks = shelf(desk)
    folded = fold(records, wanted.scope, wanted.key, used, wanted.upto, networks)
    told(f"{folded.page.sequence:,} examples folded; measuring what it would have earned")
    measured = measure(sort_log(records, networks=networks), context_maps(), wanted.scope, folded)
    cost = {"cpu_s": time.process_time() - began[0], "wall_s": time.perf_counter() - began[1]}
    version = made(folded, used, measured, {name: round(seconds, 3) for name, seconds in cost.items()}, wanted.trial)
    own = version.origin.id_in(*wanted.scope)
    known = registry.models.get(own)
    follows = known.parent if known else parent.id if parent else None
    return version, RegisterModel(scope=wanted.scope.name, origin=version.origin, parent=follows)


async def register(desk: Desk, scope: Scope, version: Made, request: RegisterModel) -> Model:
    """Write the artefact, then ask for the fact: a version that is known has an artefact.

    Raises:
        FolderForeign: the data folder is not ours.
        RequestRefused: intake refused it.
    """
    manifest = manifest_of(*scope, version.origin)
    claim(desk.settings.data_dir)
    if (known := (await versions(desk)).models.get(manifest.model_id)) is not None:
        write(folder_of(desk), manifest_of(*scope, known.origin), version.state)  # a repeat mends what was damaged
        return known
    write(folder_of(desk), manifest, version.state)
    await _ask(desk, scope, request)
    return need(await versions(desk), scope, manifest.model_id)


async def load(desk: Desk, scope: Scope, named: str = "champion") -> Policy:
    """Return the policy of a version as it was registered, by id, number, alias, or the scope's champion.

    Raises:
        NothingFound: there is no such version.
        ArtefactMissing, ArtefactUnusable: its artefact is not what was registered.
    """
    return loaded(desk, need(await versions(desk), scope, named))


def loaded(desk: Desk, model: Model) -> Policy:
    """Return the policy of a version, its artefact compared with its fact, and its network, if it has one, with its name.

    Raises:
        ArtefactMissing, ArtefactUnusable: one of them is not here, or not whole.
    """
    networks = shelf(desk)
    policy = read(folder_of(desk), manifest_of(model.tenant, model.scope, model.origin), networks)
    check_network(policy, networks)
    return policy


def artefact_state(desk: Desk, model: Model) -> str:
    """Return whether the artefact of a version is whole, or what is wrong with it."""
    try:
        loaded(desk, model)
    except ArtefactError as error:
        return str(error)
    return "whole"


async def examine(desk: Desk, model: Model, told: Told = lambda _said: None) -> Verdict:
    """Compare a version with its artefact and with the log; nothing is sent.

    Raises:
        ArtefactMissing: there is no artefact to be judged.
    """
    try:
        policy = loaded(desk, model)
    except ArtefactUnusable as error:
        return Verdict(False, str(error))
    told("the artefact is whole; reading the log")
    records = await whole_log(desk)
    verdict = _refolded(policy, model, records, shelf(desk))
    if not verdict.fine or model.origin.trial is None:
        return verdict
    told("making its trial again")
    return await scored_again(desk, model, policy, records, verdict)


async def judged(desk: Desk, model: Model, verdict: Verdict) -> None:
    """Put a verdict into the log; raises RequestRefused."""
    word: Literal["validated", "rejected"] = "validated" if verdict.fine else "rejected"
    request = JudgeModel(scope=model.scope, model_id=model.id, verdict=word, reason=verdict.reason)
    await _ask(desk, Scope(model.tenant, model.scope), request)


async def promote(desk: Desk, model: Model, alias: Alias, reason: str) -> None:
    """Give a version an alias; as the champion its policy is in force when this returns.

    Raises:
        ArtefactMissing, ArtefactUnusable: its artefact is not what was registered.
        RequestRefused: it was not validated, or has the alias.
    """
    loaded(desk, model)
    await _ask(desk, Scope(model.tenant, model.scope), promotion(model, alias, reason))


def promotion(model: Model, alias: Alias, reason: str) -> PromoteModel:
    """Return the request that promotes a version."""
    return PromoteModel(scope=model.scope, model_id=model.id, alias=alias, reason=reason)


async def restore(desk: Desk, model: Model) -> Path:
    """Fold a version again and write its artefact, if the log still gives what was registered; return where it lies.

    Raises:
        CheckFailed: it does not.
    """
    used = _map_of(model.origin)
    folded = _again(await whole_log(desk), Scope(model.tenant, model.scope), model.origin, used, shelf(desk))
    state = folded.page.policy.dump()
    if sha256(state).hexdigest() != model.origin.artefact_sha256:
        raise CheckFailed(
            f"version {model.id} was not written: the log, or this release, folds to another state than was registered"
        )
    claim(desk.settings.data_dir)
    return write(folder_of(desk), manifest_of(model.tenant, model.scope, model.origin), state)


async def roll_back(desk: Desk, scope: Scope, reason: str) -> Model:
    """Put the champion before in force again, and return it; raises RequestRefused where there is none."""
    await _ask(desk, scope, RollBackModel(scope=scope.name, reason=reason))
    return need(await versions(desk), scope, "champion")


def _refolded(policy: Policy, model: Model, records: Sequence[Incoming], networks: Networks) -> Verdict:
    """Fold a version again and compare."""
    scope, origin = Scope(model.tenant, model.scope), model.origin
    try:
        used = _map_of(origin)
        again = _again(records, scope, origin, used, networks)
    except LearningError as error:
        return Verdict(False, f"the log cannot be folded again: {error}")
    return judge(policy, origin, again, contexts_of(sort_log(records).choices, scope, used))


def _map_of(origin: Origin) -> ContextMap:
    """Return the context map of a version; raises ContextMapMissing."""
    used = context_maps().get(origin.context_map)
    if used is None:
        raise ContextMapMissing(f"context map {origin.context_map[:12]} does not come with this release")
    return used


def _again(records: Sequence[Incoming], scope: Scope, origin: Origin, used: ContextMap, networks: Networks) -> Folded:
    return fold(records, scope, PolicyKey.of(origin.policy, origin.parameters), used, origin.upto, networks)


def _parent(registry: Registry, wanted: Wanted) -> Model | None:
    """Return what a new version follows: the one that is named, else the champion."""
    if wanted.parent is not None:
        return need(registry, wanted.scope, wanted.parent)
    return registry.find(*wanted.scope, "champion")


async def _ask(desk: Desk, scope: Scope, request: Request) -> None:
    """Send a request and wait for its fact; raises RequestRefused."""
    async with desk.client(scope.tenant) as client:
        await client.effect(Ask(request))
