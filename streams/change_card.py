"""From a request about a model card to its fact, or why it has none. Pure."""

import hashlib
from collections.abc import Callable

import msgspec

from events.card import CardChanged, CardRegistered, CardRetired, ModelCard, RegisterCard, RetireCard
from events.control import Control
from events.event import Fact
from events.task import Features
from streams.admission import Asked, Refused

CARD_CHANGES = (RegisterCard, RetireCard)


def card_digest(card: ModelCard) -> str:
    """Return the sha256 of a card's canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(card, order="deterministic")).hexdigest()


def card_fact(asked: Asked, request: RegisterCard | RetireCard, control: Control, read: Callable[[str], Features]) -> Fact:
    """Return the fact of a request about a model card.

    Raises:
        Refused: the card says nothing, or there is none of this name to retire.
    """
    known = (asked.tenant, request.name) in control.cards
    if isinstance(request, RetireCard):
        if not known:
            raise Refused("unknown_model", f"name: no model {request.name!r} may be used by tenant {asked.tenant!r}")
        return CardRetired(tenant=asked.tenant, name=request.name, request_id=asked.envelope.id, reason=request.reason)
    card = request.card
    if not card.description.strip() or not card.subtasks:
        raise Refused("bad_card", "card: description and subtasks must not be empty")
    cls = CardChanged if known else CardRegistered
    return cls(
        tenant=asked.tenant,
        name=card.name,
        request_id=asked.envelope.id,
        card=card,
        digest=card_digest(card),
        described=read(card.description),
    )
