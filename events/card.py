"""Models that agents may use, as data: a card says what one is good for, what does its work, and what it costs. Key: its name."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from events.event import Fact, event
from events.field import Ident, Name, Sentence, says
from events.request import Reason, Request
from events.task import Features
from events.topics import MODELS, REQUESTS

CardKind = Literal["llm", "head", "forecast", "ocr", "rule", "other"]
Price = Annotated[float, Meta(ge=0, le=1e12)]


class ModelPrice(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model costs, in millionths of a dollar; null: nobody says."""

    call: Annotated[Price | None, says("One call.")] = None
    thousand_in: Annotated[Price | None, says("A thousand tokens read.")] = None
    thousand_out: Annotated[Price | None, says("A thousand tokens written.")] = None


class ModelLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model takes; null: no limit. Texts beyond it are not given to it."""

    chars: Annotated[Annotated[int, Meta(ge=1)] | None, says("Characters of a text.")] = None
    seconds: Annotated[Annotated[float, Meta(gt=0, le=86_400)] | None, says("Seconds that one call may take.")] = None


class ModelCard(Struct, frozen=True, forbid_unknown_fields=True):
    """A model as data: what it is (`kind`), what it is good for (`description`, `domains`, `subtasks`), and what does the work.

    `name` and `version` together are what is measured: another version starts without a score.
    """

    name: Annotated[Name, says("Name of the model.")]
    version: Annotated[Ident, says("Version of the model; its scores are its own.")]
    kind: Annotated[CardKind, says("What sort of model it is.")]
    description: Annotated[Sentence, says("What it is good for, in words; compared with each text.")]
    subtasks: Annotated[tuple[Ident, ...], says("What it can do, such as `extraction`.")]
    pipeline: Annotated[Name, says("What does the work.")]
    settings: Annotated[dict[str, Any], says("What the pipeline is told; it checks them.")] = {}
    domains: Annotated[tuple[Ident, ...], says("Domains that it is for, and no others; empty: all.")] = ()
    price: Annotated[ModelPrice | None, says("What it costs; null: nobody says.")] = None
    limits: Annotated[ModelLimits | None, says("What it takes; null: anything.")] = None

    @property
    def label(self) -> str:
        """Return what is measured: name and version."""
        return f"{self.name}/{self.version}"


@event("model_card.registered", version=1, topic=MODELS, key="name")
class CardRegistered(Fact, frozen=True, kw_only=True):
    """A model may be used; `described` are the features of its description."""

    name: str
    request_id: str
    card: ModelCard
    digest: str
    described: Features

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "model_card", self.name, self.request_id)


@event("model_card.changed", version=1, topic=MODELS, key="name")
class CardChanged(Fact, frozen=True, kw_only=True):
    """A model's card changed; what was chosen before keeps the version that it was chosen with."""

    name: str
    request_id: str
    card: ModelCard
    digest: str
    described: Features

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "model_card", self.name, self.request_id)


@event("model_card.retired", version=1, topic=MODELS, key="name")
class CardRetired(Fact, frozen=True, kw_only=True):
    """A model is used for nothing more; what it did stays."""

    name: str
    request_id: str
    reason: str

    def slot(self) -> tuple[str | int, ...]:
        """One fact per request."""
        return (self.tenant, "model_card", self.name, self.request_id)


@event("model_card.register", version=1, topic=REQUESTS, key="name")
class RegisterCard(Request, frozen=True, kw_only=True):
    """Let agents use this model, or change its card if its name is known."""

    card: Annotated[ModelCard, says("The model as data.")]

    @property
    def name(self) -> str:
        """Return the key of the request."""
        return self.card.name


@event("model_card.retire", version=1, topic=REQUESTS, key="name")
class RetireCard(Request, frozen=True, kw_only=True):
    """Let nobody use this model any more."""

    name: Annotated[Name, says("Which model.")]
    reason: Reason = ""
