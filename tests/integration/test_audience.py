"""Who watches a task's answer being made, on a real Postgres: the sender of the message that lies in the front's mailbox."""

from typing import Any, cast

import pytest

from events.agent import AgentSpec
from events.event import Envelope
from events.task import ChoiceContext, TaskSubmitted
from handlers.audience import Audience
from handlers.errand import SOURCE, errand_id
from handlers.front_port import FRONT
from store import mailbox
from store.claim import Claimed, Hold
from tests.builders import submitted
from tests.integration.test_mailbox import hall, sent_now
from tests.stacks import Namespace
from tests.talk import letter
from tests.unit.test_telling import Wire, teller, until


def claimed(epoch: int = 1, **fields: Any) -> Claimed:
    """Return an attempt at the task that the front submitted for message m1."""
    task = submitted(**{"request_id": errand_id("m1"), "requested_by": SOURCE, **fields}).fact
    spec = AgentSpec("poet", "Writes.", ("poem",), "llm", {})
    about = cast("ChoiceContext", None), cast("Envelope", None)
    return Claimed(Hold("t1", 1, epoch), "w1", cast("TaskSubmitted", task), spec, *about)


async def test_the_sender_of_the_message_is_told_and_a_second_claim_begins_anew(namespace: Namespace) -> None:
    """Each piece says which turn it answers and which telling it is of."""
    wire = Wire()
    async with hall(namespace) as here:
        here.log.add(sent_now(letter("m1", body={"watched": True})))
        await here.read(here.log.records)
        audience = Audience(here.connection, teller(wire))
        for epoch in (1, 2):
            telling = audience.of(claimed(epoch))
            assert telling is not None
            async with telling() as tell:
                assert tell is not None
                tell(f"said {epoch}")
                await until(lambda: len(wire.pieces) >= epoch)  # noqa: B023 waited for within the round

    assert [(one.message_id, one.conversation_id, one.number, one.text) for one in wire.pieces] == [
        ("m1", "c1", 0, "said 1"),
        ("m1", "c1", 0, "said 2"),
    ]
    assert wire.pieces[0].epoch < wire.pieces[1].epoch


@pytest.mark.parametrize("body", [{}, {"watched": "yes"}], ids=["not asked for", "asked for wrongly"])
async def test_who_does_not_watch_is_not_told(namespace: Namespace, body: dict[str, Any]) -> None:
    """The agent is told that nobody does."""
    async with hall(namespace) as here:
        here.log.add(sent_now(letter("m1", body=body)))
        await here.read(here.log.records)
        telling = Audience(here.connection, teller(Wire())).of(claimed())
        assert telling is not None
        async with telling() as tell:
            assert tell is None


async def test_once_the_turn_is_answered_nobody_watches(namespace: Namespace) -> None:
    """The message has left its mailbox, so a late attempt tells nothing."""
    async with hall(namespace) as here:
        here.log.add(sent_now(letter("m1", body={"watched": True})))
        await here.read(here.log.records)
        (taken,) = await mailbox.take(here.connection, "w", [FRONT], 1, 60)
        assert await here.settle(here.connection, taken)
        telling = Audience(here.connection, teller(Wire())).of(claimed())
        assert telling is not None
        async with telling() as tell:
            assert tell is None


async def test_other_tasks_have_no_audience(namespace: Namespace) -> None:
    """Neither what somebody else submits under such an id, nor what the front asks for besides turns."""
    async with hall(namespace) as here:
        audience = Audience(here.connection, teller(Wire()))
        assert audience.of(claimed(requested_by="smolit/cli")) is None
        assert audience.of(claimed(request_id="something else")) is None
