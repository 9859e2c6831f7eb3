"""Which policy serves, and the versions of policies that may: registered, judged, put in force. Key: the scope.

A version ("model") is a policy's state as a fold of the log, with all that tells where it came from. Its id is derived from
what it is, so whoever folds the same examples with the same policy and settings means the same version.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from events.event import Fact, event
from events.field import Ident, Name, Sentence, says
from events.ids import derived_id
from events.topics import MODELS

Alias = Literal["champion", "challenger", "shadow"]
ModelId = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$(?!\n)"), says("Id of the version, derived from what it is.")
]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
Offset = Annotated[int, Meta(ge=-1, le=2**62)]
Seed = Annotated[int, Meta(ge=-(2**62), le=2**62)]
Count = Annotated[int, Meta(ge=0, le=2**62)]
Arm = Literal["guided", "random"]
Number = Annotated[int, Meta(ge=0, le=1_000_000)]


class TrialRef(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The trial that a version comes from, with its score."""

    search_id: Annotated[Name, says("The search.")]
    arm: Annotated[Arm, says("Which of its arms.")]
    number: Annotated[Number, says("Number of the trial in its arm.")]
    score: Annotated[float, says("What the trial was scored.")]


class Bin(Struct, frozen=True, forbid_unknown_fields=True):
    """Held-out attempts whose chance of success was told alike: what was told in the mean, what came, how many there are."""

    told: Annotated[float, Meta(ge=0.0, le=1.0), says("Mean chance of success that was told.")]
    came: Annotated[float, Meta(ge=0.0, le=1.0), says("Share that succeeded.")]
    count: Annotated[Count, says("How many attempts these are.")]


class Trained(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a network came about; the same rows and words give the same network on a machine of the same kind."""

    kind: Annotated[Name, says("Which network: linear, mlp or multitask.")]
    start: Annotated[Offset, says("Offset of the first example that rows were made of.")]
    cut: Annotated[Offset, says("Offset of the last one: the network knows nothing of what came later.")]
    end: Annotated[Offset, says("Offset of the last example that it was judged by.")]
    rows: Annotated[Count, says("Attempts that it was trained on.")]
    judged: Annotated[Count, says("Choices with a reward that it was judged by.")]
    table_sha256: Annotated[Sha256, says("Digest of the rows.")]
    words: Annotated[dict[str, Any], says("What was asked for: seed, epochs, batch and so on.")]
    reliability: Annotated[tuple[Bin, ...], says("Chance of success as told and as it came, on choices it never saw.")] = ()


class Origin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a version comes from: the policy, the examples that it is the fold of, what folded them, and what came out."""

    policy: Annotated[Name, says("Name of the policy.")]
    policy_version: Annotated[int, Meta(ge=1, le=1_000_000), says("Version of the policy.")]
    parameters: Annotated[dict[str, Any], says("All settings of the policy, those left at their defaults too.")]
    context_map: Annotated[Sha256, says("Digest of the map that made contexts of features.")]
    width: Annotated[int, Meta(ge=1, le=1_000_000), says("How many numbers a context has.")]
    first: Annotated[Offset, says("Offset of the first example, in the scope's learning partition; -1: none.")]
    upto: Annotated[Offset, says("Offset of the last example that is folded in; -1: none.")]
    examples: Annotated[Count, says("How many examples are folded in, corrections included.")]
    data_sha256: Annotated[Sha256, says("Digest of those examples, byte for byte as they lie in the log.")]
    digest: Annotated[Sha256, says("Digest of the state, as a choice names it.")]
    artefact_sha256: Annotated[Sha256, says("Digest of the artefact's bytes.")]
    artefact_bytes: Annotated[Count, says("Size of the artefact.")]
    code_sha256: Annotated[Sha256, says("Digest of the code that folded.")]
    seed: Annotated[Seed | None, says("Seed of what is left to chance; null: nothing is.")] = None
    environment: Annotated[dict[Ident, Ident], says("What the code ran on, name by name.")] = {}
    metrics: Annotated[dict[Ident, float], says("What the policy would have earned on that log, learning along it.")] = {}
    not_estimated: Annotated[Sentence | None, says("Why there are no estimates; null: there are.")] = None
    cost: Annotated[dict[Ident, float], says("What it took to make: seconds of processor and of waiting.")] = {}
    trained: Annotated[Trained | None, says("How its network was trained; null: it has none, or was folded on.")] = None
    trial: Annotated[TrialRef | None, says("The trial of a search that found these settings; null: none did.")] = None

    def id_in(self, tenant: str, scope: str) -> str:
        """Return the id of the version that this is in a scope; measurements and surroundings are no part of it."""
        place = (tenant, scope, self.policy, self.policy_version, self.context_map)
        return derived_id("model", *place, self.first, self.upto, self.data_sha256, self.artefact_sha256)


@event("policy.set", version=1, topic=MODELS, key="scope")
class PolicySet(Fact, frozen=True, kw_only=True):
    """A person put a policy in force for a scope. It beats a running experiment; None gives the choice back."""

    scope: str
    request_id: str
    policy: str | None
    parameters: dict[str, Any]
    reason: str
    set_by: str

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "policy", self.scope, self.request_id)


@event("model.registered", version=1, topic=MODELS, key="scope")
class ModelRegistered(Fact, frozen=True, kw_only=True):
    """A version is known, with where it comes from; its number is its place among those of its scope, in the order of the log."""

    scope: str
    model_id: ModelId
    request_id: str
    registered_by: str
    origin: Origin
    parent: Annotated[str | None, says("The version that it follows; null: it is the first of its line.")] = None

    def slot(self) -> tuple[str | int, ...]:
        """A version is registered once, whoever asks."""
        return (self.tenant, "model_registered", self.scope, self.model_id)


@event("model.validated", version=1, topic=MODELS, key="scope")
class ModelValidated(Fact, frozen=True, kw_only=True):
    """A version was checked and found to be what it says it is: it may be promoted."""

    scope: str
    model_id: ModelId
    request_id: str
    judged_by: str
    reason: Annotated[str, says("What was checked.")]

    def slot(self) -> tuple[str | int, ...]:
        """One verdict per request."""
        return (self.tenant, "model_judged", self.scope, self.model_id, self.request_id)


@event("model.rejected", version=1, topic=MODELS, key="scope")
class ModelRejected(Fact, frozen=True, kw_only=True):
    """A version was checked and is not what it says it is: it cannot be promoted until it is validated."""

    scope: str
    model_id: ModelId
    request_id: str
    judged_by: str
    reason: Annotated[str, says("What is wrong.")]

    def slot(self) -> tuple[str | int, ...]:
        """One verdict per request."""
        return (self.tenant, "model_judged", self.scope, self.model_id, self.request_id)


@event("model.promoted", version=1, topic=MODELS, key="scope")
class ModelPromoted(Fact, frozen=True, kw_only=True):
    """A version has an alias from here on. The champion's policy is in force, as if set by hand, and goes on learning."""

    scope: str
    model_id: ModelId
    request_id: str
    alias: Alias
    policy: str
    parameters: dict[str, Any]
    reason: str
    promoted_by: str

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "model_promoted", self.scope, self.request_id)


@event("model.rolled_back", version=1, topic=MODELS, key="scope")
class ModelRolledBack(Fact, frozen=True, kw_only=True):
    """The champion before is in force again."""

    scope: str
    model_id: ModelId
    request_id: str
    policy: str
    parameters: dict[str, Any]
    reason: str
    rolled_back_by: str

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "model_rolled_back", self.scope, self.request_id)
