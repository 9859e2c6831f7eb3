"""Asking a person on a real Postgres: the attempt waits without a lease, what was granted is done once, and silence is no."""

from datetime import timedelta
from typing import Any

import pytest

from agents.consent import AwaitsApproval, Consent
from agents.effects import LedgerEffects
from agents.errors import AgentFailed
from agents.pipeline import Effect
from events.approval import ApprovalAnswered, ApprovalAsked, ApprovalSettled
from events.stamp import stamp
from handlers.attempt import failed
from store import approval
from store.claim import Claimed
from tests.builders import TENANT
from tests.integration.hands_kit import Floor, asked, chose, floor, now, task_id
from tests.stacks import Namespace

PAY = Effect("tool:pay", "pay", "a" * 64, idempotent=False, ask="grant", arguments={"to": "bob"})
MORE = Effect("tool:pay2", "pay", "b" * 64, idempotent=False, ask="grant", arguments={"to": "eve"})
RULED = Effect("call", "https://bank.test", "c" * 64, idempotent=True, arguments={"to": "bob"})


class Bank:
    """Counts what was paid."""

    def __init__(self) -> None:
        self.paid = 0

    async def pay(self, _key: str) -> Any:
        """Pay."""
        self.paid += 1
        return {"paid": self.paid}


async def begun(hall: Floor, deadline_s: float = 3600) -> Claimed:
    """Return a claim of an attempt."""
    await hall.agent()
    await hall.tell(asked(1, deadline_s), chose(1))
    return (await hall.claim())[0]


async def tried(hall: Floor, claim: Claimed, effect: Effect, bank: Bank, consent: Consent | None = None) -> Any:
    """Try an effect; where a person is asked, lay the attempt aside as its worker does, and return the question."""
    effects = LedgerEffects(hall.connection, claim.hold, TENANT, consent or Consent())
    try:
        return await effects.once(effect, bank.pay)
    except AwaitsApproval as error:
        turn = await hall.desk(claim.worker).turn([failed(claim, error, 1)], None, 0)
        assert turn.outcomes == ["rests"]
        return error.question


async def say(hall: Floor, decision: Any, which: str, sha256: str = PAY.request_sha256, by: str = "ann") -> None:
    """Let dispatch read an answer."""
    fact = ApprovalAnswered(
        tenant=TENANT, approval_id=which, task_id=task_id(1), arguments_sha256=sha256, decision=decision, by=by, reason="so",
        request_id=f"r-{decision}-{by}",
    )  # fmt: skip
    await hall.tell(stamp(fact, source="tests", now=now(), correlation="c", cause="r"))


async def test_an_attempt_waits_without_a_lease_and_goes_on_when_granted(namespace: Namespace) -> None:
    """Nobody claims it meanwhile, the watchdog lets it be; after the grant the call is made once, also when its claim is lost."""
    async with floor(namespace.postgres) as hall:
        bank, claim = Bank(), await begun(hall)
        question = await tried(hall, claim, PAY, bank)
        swept, idle = await hall.sweep(), await hall.claim("w2")
        waits = await hall.state()
        await say(hall, "granted", question.approval_id)
        (second,) = await hall.claim("w2")
        first_done = await tried(hall, second, PAY, bank)
        await hall.connection.execute("update ops.work_attempt set lease_until = now() - interval '1 s'")  # w2 was killed
        await hall.sweep()
        (third,) = await hall.claim("w3")
        again = await tried(hall, third, PAY, bank)

        (told,), (settled,) = await hall.sent(ApprovalAsked), await hall.sent(ApprovalSettled)
        assert (swept, idle, waits) == ({}, [], ("open", [(1, "queued", 1)]))
        assert (told.tool, told.arguments, told.why) == ("pay", {"to": "bob"}, "grant")
        assert (settled.outcome, settled.by, settled.reason) == ("granted", "ann", "so")
        assert (first_done, again, bank.paid) == ({"paid": 1}, {"paid": 1}, 1)


async def test_other_arguments_need_another_grant(namespace: Namespace) -> None:
    """What was granted for one call is worth nothing for the next, and an answer that means other arguments does not count."""
    async with floor(namespace.postgres) as hall:
        bank, claim = Bank(), await begun(hall)
        question = await tried(hall, claim, PAY, bank)
        await say(hall, "granted", question.approval_id, MORE.request_sha256)
        unmoved = await approval.state(hall.connection, question.approval_id)
        await say(hall, "granted", question.approval_id)
        (second,) = await hall.claim("w2")
        other = await tried(hall, second, MORE, bank)

        assert (unmoved, hall.counts["dispatch.answered_late"]) == ("open", 1)
        assert other.approval_id != question.approval_id
        assert bank.paid == 0


async def test_the_first_answer_counts(namespace: Namespace) -> None:
    """Who comes second changes nothing."""
    async with floor(namespace.postgres) as hall:
        bank, claim = Bank(), await begun(hall)
        question = await tried(hall, claim, PAY, bank)
        await say(hall, "denied", question.approval_id)
        await say(hall, "granted", question.approval_id, by="eve")
        (second,) = await hall.claim("w2")
        with pytest.raises(AgentFailed, match="not_approved"):
            await tried(hall, second, PAY, bank)

        assert [one.outcome for one in await hall.sent(ApprovalSettled)] == ["denied"]
        assert bank.paid == 0


async def test_silence_is_no(namespace: Namespace) -> None:
    """When the time is up the attempt goes on and is told so; an answer that comes then does not count."""
    async with floor(namespace.postgres) as hall:
        bank, claim = Bank(), await begun(hall)
        question = await tried(hall, claim, PAY, bank, Consent(patience_s=0.0))
        swept = await hall.sweep()
        await say(hall, "granted", question.approval_id)
        (second,) = await hall.claim("w2")
        with pytest.raises(AgentFailed, match="approval_expired"):
            await tried(hall, second, PAY, bank)

        assert swept["lapsed"] == 1
        assert [one.outcome for one in await hall.sent(ApprovalSettled)] == ["expired"]
        assert bank.paid == 0


async def test_a_question_ends_with_its_tasks_deadline(namespace: Namespace) -> None:
    """However patient the house is."""
    async with floor(namespace.postgres) as hall:
        claim = await begun(hall, 60)
        await tried(hall, claim, PAY, Bank())

        (told,) = await hall.sent(ApprovalAsked)
        assert told.expires_at <= now() + timedelta(seconds=60)


async def test_a_tenants_rule_holds_for_every_effect_outside(namespace: Namespace) -> None:
    """Also of an agent whose spec asks nobody."""
    async with floor(namespace.postgres) as hall:
        bank, claim = Bank(), await begun(hall)
        free = await tried(hall, claim, RULED, bank)
        question = await tried(hall, claim, RULED, bank, Consent(frozenset({TENANT})))

        assert (question.why, question.tool) == ("rule", "https://bank.test")
        assert free == {"paid": 1}
