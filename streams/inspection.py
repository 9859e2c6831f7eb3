"""The first look at a record of a request topic: is it a request at all, and can we keep it?"""

import hashlib
from collections.abc import Mapping

from msgspec import Struct

from events.errors import EventError
from events.event import Envelope
from events.ids import request_key, task_id
from events.request import AnswerApproval, CancelTask, ForgetTask, GiveFeedback, Request, ReviseFeedback, SubmitTask
from events.text import unstorable
from events.wire import Incoming, decode, envelope_of
from store.intake import Claim
from streams.admission import Asked


class Sick(Struct, frozen=True):
    """A record that becomes no fact, with the reason as a code and as a sentence."""

    record: Incoming
    reason: str
    detail: str
    envelope: Envelope | None = None


class Healthy(Struct, frozen=True):
    """A request that was understood; `named` are the tasks that it names, by the field that does."""

    record: Incoming
    asked: Asked
    claim: Claim
    named: Mapping[str, str]

    def refused(self, reason: str, detail: str) -> Sick:
        """Return it as a record that becomes no fact."""
        return Sick(self.record, reason, detail, self.asked.envelope)


def inspect(record: Incoming, tenant: str, inline_limit_bytes: int) -> Healthy | Sick:
    """Return the request in a record, or why there is none."""
    value = record.value or b""
    if len(value) > inline_limit_bytes:
        sender = envelope_of(record.headers, value)
        return Sick(record, "too_large", f"the request has {len(value)} bytes; {inline_limit_bytes} are allowed", sender)
    try:
        event = decode(record.headers, value)
    except EventError as error:
        return Sick(record, error.code, str(error), envelope_of(record.headers, value))
    if not isinstance(event.fact, Request):
        return Sick(record, "not_a_request", f"{event.fact.event_type.name} is not a request", event.envelope)
    if why := unstorable(event.fact):
        return Sick(record, "unstorable_text", why, event.envelope)
    asked = Asked(tenant, event.envelope, event.fact)
    return Healthy(record, asked, _claim(record, asked), _named(event.fact))


def _claim(record: Incoming, asked: Asked) -> Claim:
    """Return the record's claim to its request key; the payload's hash covers its type, so a reused id shows."""
    source, request_id = asked.envelope.source, asked.envelope.id
    named = asked.request.event_type.wire_name.encode() + b"\n" + (record.value or b"")
    return Claim(
        request_key=request_key(asked.tenant, source, request_id),
        tenant=asked.tenant,
        payload_sha256=hashlib.sha256(named).hexdigest(),
        origin=record.origin,
        task_id=task_id(asked.tenant, source, request_id) if isinstance(asked.request, SubmitTask) else None,
    )


_OF_A_TASK = CancelTask | ForgetTask | GiveFeedback | ReviseFeedback | AnswerApproval


def _named(request: Request) -> dict[str, str]:
    """Return the tasks that a request names, which must be its tenant's."""
    named = {"task_id": request.task_id} if isinstance(request, _OF_A_TASK) else {}
    if isinstance(request, GiveFeedback | ReviseFeedback) and request.against and request.against.task_id:
        named["against.task_id"] = request.against.task_id
    return named
