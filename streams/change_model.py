"""From a request about a version of a policy to its fact, or why it has none. Pure."""

from typing import NamedTuple

from events.event import Fact
from events.model import ModelPromoted, ModelRegistered, ModelRejected, ModelRolledBack, ModelValidated
from events.registry import Model, Registry
from events.request import JudgeModel, PromoteModel, RegisterModel, RollBackModel
from learning.book import PolicyKey, Settings
from learning.errors import LearningError
from learning.network import Networks
from learning.policies import check_network, find
from streams.admission import Asked, Refused

MODEL_CHANGES = (RegisterModel, JudgeModel, PromoteModel, RollBackModel)
Change = RegisterModel | JudgeModel | PromoteModel | RollBackModel


class Here(NamedTuple):
    """What can serve here: where networks lie, and the map that makes contexts (None: not said, so not compared)."""

    networks: Networks
    context_map: str | None = None


def model_fact(asked: Asked, request: Change, registry: Registry, here: Here) -> Fact:
    """Return the fact of a request about versions.

    Raises:
        Refused: what is named does not exist, was not validated, has the alias already, or cannot serve here.
    """
    match request:
        case RegisterModel():
            return _registered(asked, request, registry, here.networks)
        case JudgeModel():
            return _judged(asked, request, registry)
        case PromoteModel():
            return _promoted(asked, request, registry, here)
        case RollBackModel():
            return _rolled_back(asked, request, registry, here)


def check_policy(name: str, parameters: Settings, where: str, networks: Networks) -> None:
    """Refuse a policy that cannot be made, or whose network cannot be had here; the width plays no part in that."""
    try:
        check_network(PolicyKey.of(name, parameters).make(1), networks)
    except LearningError as error:
        raise Refused("bad_policy", f"{where}: {error}") from error
    except (TypeError, ValueError) as error:
        raise Refused("bad_policy", f"{where}: its parameters cannot be read: {error}") from error


def _registered(asked: Asked, request: RegisterModel, registry: Registry, networks: Networks) -> ModelRegistered:
    origin, parent = request.origin, request.parent
    check_policy(origin.policy, origin.parameters, "origin", networks)
    _check_version(origin.policy, origin.policy_version)
    model_id = origin.id_in(asked.tenant, request.scope)
    if parent is not None and (parent == model_id or _known(asked, request.scope, parent, registry) is None):
        raise Refused("unknown_parent", f"parent: scope {request.scope!r} has no other version {parent!r}")
    return ModelRegistered(
        tenant=asked.tenant,
        scope=request.scope,
        model_id=model_id,
        request_id=asked.envelope.id,
        registered_by=asked.envelope.source,
        origin=origin,
        parent=parent,
    )


def _judged(asked: Asked, request: JudgeModel, registry: Registry) -> ModelValidated | ModelRejected:
    model = _need(asked, request.scope, request.model_id, registry)
    fact = ModelValidated if request.verdict == "validated" else ModelRejected
    return fact(
        tenant=asked.tenant,
        scope=request.scope,
        model_id=model.id,
        request_id=asked.envelope.id,
        judged_by=asked.envelope.source,
        reason=request.reason,
    )


def _promoted(asked: Asked, request: PromoteModel, registry: Registry, here: Here) -> ModelPromoted:
    model = _need(asked, request.scope, request.model_id, registry)
    if model.verdict != "validated":
        raise Refused("not_validated", f"model_id: version {model.number} of {model.scope!r} {_verdict(model)}")
    if request.alias in registry.aliases_of(model):
        raise Refused("has_alias", f"alias: version {model.number} of {model.scope!r} is the {request.alias} already")
    _check_serves(model, here)
    return ModelPromoted(
        tenant=asked.tenant,
        scope=request.scope,
        model_id=model.id,
        request_id=asked.envelope.id,
        alias=request.alias,
        policy=model.origin.policy,
        parameters=model.origin.parameters,
        reason=request.reason,
        promoted_by=asked.envelope.source,
    )


def _rolled_back(asked: Asked, request: RollBackModel, registry: Registry, here: Here) -> ModelRolledBack:
    model = registry.before(asked.tenant, request.scope)
    if model is None:
        detail = f"scope: {request.scope!r} has no champion to go back to; `policy set --give-back` gives the choice back"
        raise Refused("no_champion_before", detail)
    _check_serves(model, here)
    return ModelRolledBack(
        tenant=asked.tenant,
        scope=request.scope,
        model_id=model.id,
        request_id=asked.envelope.id,
        policy=model.origin.policy,
        parameters=model.origin.parameters,
        reason=request.reason,
        rolled_back_by=asked.envelope.source,
    )


def _need(asked: Asked, scope: str, model_id: str, registry: Registry) -> Model:
    model = _known(asked, scope, model_id, registry)
    if model is None:
        raise Refused("unknown_model", f"model_id: scope {scope!r} has no version {model_id!r}")
    return model


def _known(asked: Asked, scope: str, model_id: str, registry: Registry) -> Model | None:
    """Return a version of the tenant's scope; those of others are not there."""
    model = registry.models.get(model_id)
    return model if model is not None and (model.tenant, model.scope) == (asked.tenant, scope) else None


def _check_serves(model: Model, here: Here) -> None:
    """Refuse a version whose policy this release does not have, or of another encoder: what served would be something else."""
    check_policy(model.origin.policy, model.origin.parameters, "model_id", here.networks)
    _check_version(model.origin.policy, model.origin.policy_version)
    if here.context_map is not None and model.origin.context_map != here.context_map:
        raise Refused(
            "other_context_map",
            f"it was folded from contexts of width {model.origin.width} by map {model.origin.context_map[:12]}; the encoder that "
            f"serves makes others, by map {here.context_map[:12]}",
        )


def _check_version(policy: str, version: int) -> None:
    ours = find(policy).version
    if ours != version:
        raise Refused("other_policy_version", f"it was folded by version {version} of {policy}; this release has version {ours}")


def _verdict(model: Model) -> str:
    return "was not validated yet" if model.verdict == "unjudged" else f"was rejected: {model.why}"
