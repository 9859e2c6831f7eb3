"""Mail of agents: until when a task may take, whoever reads the message and whenever."""

from datetime import timedelta
from typing import Any

import pytest

from events.event import Event
from events.request import SubmitTask
from handlers.agent_mail import AgentMail
from handlers.errand import PATIENCE, Ended
from store.mailbox import Taken
from tests.builders import moment
from tests.talk import letter, sent


class Clerk:
    """Errands that stand in."""

    def __init__(self) -> None:
        self.asked: list[SubmitTask] = []

    async def do(self, _tenant: str, request: SubmitTask, _request_id: str, _until: object) -> Ended:
        """Note a task and end it, with an output in the blob store."""
        self.asked.append(request)
        return Ended("completed", "arithmetic", None, "sha", None, None)


async def stored(_sha256: str) -> bytes:
    """Return a long output."""
    return b'{"value":"7"}'


@pytest.mark.parametrize(
    ("late_s", "expires_s", "ends_s"),
    [(0, None, 240), (100, None, 240), (0, 60, 60), (241, None, None), (90, 60, None)],
)
async def test_a_task_ends_when_its_message_says_or_is_not_begun(
    late_s: float, expires_s: float | None, ends_s: float | None
) -> None:
    """The same time for whoever takes it over; read later than that nothing is asked of the house, and the answer says so."""
    clerk: Any = Clerk()
    event = sent(
        letter(recipient="arithmetic", text="What is 3 + 4?", **({"expires_at": moment(expires_s)} if expires_s else {}))
    )
    taken = Taken("arithmetic", 1, 5, 1, Event(event.envelope, event.fact))
    mail = AgentMail(clerk, clerk, stored, lambda: moment(late_s))

    reply = await mail.reply(taken)

    assert reply is not None
    assert timedelta(seconds=240) == 2 * PATIENCE
    if ends_s is None:
        assert (reply.kind, reply.body["reason"], clerk.asked) == ("error", "too_late", [])
    else:
        assert (reply.kind, reply.text) == ("response", "7")
        assert [(one.agent, one.deadline, one.unit) for one in clerk.asked] == [("arithmetic", moment(ends_s), "user:ann")]
