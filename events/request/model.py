"""Requests about policies and their versions: which is in force, which are known, what was checked."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from events.event import event
from events.field import Name, says
from events.model import Alias, ModelId
from events.model import Origin as ModelOrigin
from events.request.request import Request, ScopeName
from events.topics import REQUESTS


@event("policy.put", version=1, topic=REQUESTS, key="scope")
class SetPolicy(Request, frozen=True, kw_only=True):
    """Put this policy in force for the scope, above any experiment; None gives the choice back."""

    scope: ScopeName = "default"
    policy: Annotated[Name | None, says("Name of the policy; null gives the choice back.")]
    parameters: Annotated[dict[str, Any], says("Its parameters; what is left out has the policy's default.")] = {}
    reason: Annotated[str, Meta(min_length=1, max_length=10_000), says("Why, in words, for whoever reads the history.")]


@event("model.register", version=1, topic=REQUESTS, key="scope")
class RegisterModel(Request, frozen=True, kw_only=True):
    """Know this version of a policy from now on; one that is known already stays as it is."""

    scope: ScopeName = "default"
    origin: Annotated[ModelOrigin, says("Where it comes from: its id follows from that.")]
    parent: Annotated[ModelId | None, says("The version that it follows, of the same scope; null: none.")] = None


@event("model.judge", version=1, topic=REQUESTS, key="scope")
class JudgeModel(Request, frozen=True, kw_only=True):
    """This version was checked, and this came out; the last verdict counts."""

    scope: ScopeName = "default"
    model_id: ModelId
    verdict: Annotated[Literal["validated", "rejected"], says("Whether it is what it says it is.")]
    reason: Annotated[str, Meta(min_length=1, max_length=10_000), says("What was checked, or what is wrong.")]


@event("model.promote", version=1, topic=REQUESTS, key="scope")
class PromoteModel(Request, frozen=True, kw_only=True):
    """Give a version that was validated an alias; as the champion its policy is in force at once, above any experiment."""

    scope: ScopeName = "default"
    model_id: ModelId
    alias: Annotated[Alias, says("What it is from now on.")] = "champion"
    reason: Annotated[str, Meta(min_length=1, max_length=10_000), says("Why, in words, for whoever reads the history.")]


@event("model.roll_back", version=1, topic=REQUESTS, key="scope")
class RollBackModel(Request, frozen=True, kw_only=True):
    """Put the champion before in force again."""

    scope: ScopeName = "default"
    reason: Annotated[str, Meta(min_length=1, max_length=10_000), says("Why, in words, for whoever reads the history.")]
