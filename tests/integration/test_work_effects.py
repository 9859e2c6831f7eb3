"""The effect ledger on a real Postgres: a side effect is asked for once, or under one key, whatever dies in between."""

import asyncio
from typing import Any

import pytest

from agents.effects import LedgerEffects
from agents.errors import AgentFailed, EffectRefused, EffectUnanswered, EffectUnknown, EffectUnreached
from agents.pipeline import Effect
from events.task import AttemptEnded, TaskEnded
from handlers.dispatch import Retry
from store import ledger
from store.claim import Claimed
from tests.integration.hands_kit import Floor, asked, chose, done, failed, floor, task_id
from tests.stacks import Namespace

TAKES_KEY = Effect("pay", "https://bank.test", "sha-1", idempotent=True)
TAKES_NONE = Effect("pay", "https://bank.test", "sha-1", idempotent=False)


class Provider:
    """A service that counts what it was asked, and does it or not."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.keys: list[str] = []
        self.error = error

    async def call(self, key: str) -> Any:
        """Do it."""
        self.keys.append(key)
        if self.error:
            raise self.error
        return {"paid": 1}


async def claimed(hall: Floor, number: int = 1, attempt: int = 1, worker: str = "w1") -> Claimed:
    """Return a claim of a new attempt."""
    await hall.agent()
    await hall.tell(asked(number), chose(number, attempt=attempt), retry=Retry(base_s=0.0))
    return (await hall.claim(worker))[0]


async def taken_over(hall: Floor) -> Claimed:
    """Return the claim of the worker that takes over from a dead one."""
    await hall.connection.execute("update ops.work_attempt set lease_until = now() - interval '1 s'")
    await hall.sweep()
    return (await hall.claim("w2"))[0]


async def crash(hall: Floor, claim: Claimed, effect: Effect, provider: Provider) -> None:
    """Ask, and die before the answer is written down."""

    async def call(key: str) -> Any:
        await provider.call(key)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await LedgerEffects(hall.connection, claim.hold).once(effect, call)


async def state(hall: Floor) -> list[str]:
    """Return the states of all effects."""
    return [row[0] for row in await (await hall.connection.execute("select state from ops.effect")).fetchall()]


@pytest.mark.parametrize("effect", [TAKES_KEY, TAKES_NONE])
async def test_what_is_known_is_not_asked_again(namespace: Namespace, effect: Effect) -> None:
    """After a takeover the recorded answer is used; the provider hears nothing."""
    async with floor(namespace.postgres) as hall:
        provider = Provider()
        first = await LedgerEffects(hall.connection, (await claimed(hall)).hold).once(effect, provider.call)

        again = await LedgerEffects(hall.connection, (await taken_over(hall)).hold).once(effect, provider.call)

        assert first == again == {"paid": 1}
        assert (len(provider.keys), await state(hall)) == (1, ["done"])


async def test_the_row_is_committed_before_the_call(namespace: Namespace) -> None:
    """While the provider is asked, everybody can see that it is."""
    async with floor(namespace.postgres) as hall, floor(namespace.postgres) as other:
        seen: list[str] = []

        async def call(_key: str) -> Any:
            seen.extend(await state(other))
            return None

        result = await LedgerEffects(hall.connection, (await claimed(hall)).hold).once(TAKES_NONE, call)

        assert (seen, result, await state(hall)) == (["pending"], None, ["done"])


async def test_a_provider_that_takes_our_key_is_asked_again_under_it(namespace: Namespace) -> None:
    """After a crash in the middle the same key goes out again: the provider does it once."""
    async with floor(namespace.postgres) as hall:
        provider = Provider()
        await crash(hall, await claimed(hall), TAKES_KEY, provider)

        result = await LedgerEffects(hall.connection, (await taken_over(hall)).hold).once(TAKES_KEY, provider.call)

        assert result == {"paid": 1}
        assert len(provider.keys) == 2
        assert len(set(provider.keys)) == 1


async def test_a_provider_without_keys_is_asked_at_most_once(namespace: Namespace) -> None:
    """After a crash in the middle nobody asks again: the effect is unknown, and the task fails for a person to decide."""
    async with floor(namespace.postgres) as hall:
        provider = Provider()
        await crash(hall, await claimed(hall), TAKES_NONE, provider)
        second = await taken_over(hall)

        with pytest.raises(EffectUnknown):
            await LedgerEffects(hall.connection, second.hold).once(TAKES_NONE, provider.call)
        await hall.end(failed(second, "effect_unknown"), worker="w2")

        assert (len(provider.keys), await state(hall)) == (1, ["unknown"])
        (task,) = await hall.sent(TaskEnded)
        assert (task.outcome, task.reason) == ("failed", "effect_unknown")
        assert [row[0] for row in await ledger.unknown(hall.connection, 10)] == [task_id(1)]


async def test_a_timeout_with_an_effect_under_way_bars_another_attempt(namespace: Namespace) -> None:
    """The attempt was cut off while the provider was asked: attempts are left, yet none may be made."""
    async with floor(namespace.postgres) as hall:
        claim = await claimed(hall)
        await crash(hall, claim, TAKES_NONE, Provider())

        await hall.end(failed(claim, "timed_out"))

        (end,), (task,) = await hall.sent(AttemptEnded), await hall.sent(TaskEnded)
        assert (end.context, task.outcome, task.reason) == (None, "failed", "effect_unknown")
        assert await state(hall) == ["unknown"]


async def test_a_timeout_of_a_provider_with_keys_leaves_another_attempt(namespace: Namespace) -> None:
    """The next attempt asks the same provider under the same key, so it may be made."""
    async with floor(namespace.postgres) as hall:
        provider = Provider()
        first = await claimed(hall)
        await crash(hall, first, TAKES_KEY, provider)
        await hall.end(failed(first, "timed_out"))
        await hall.tell(chose(1, attempt=2), retry=Retry(base_s=0.0))
        (second,) = await hall.claim()

        await LedgerEffects(hall.connection, second.hold).once(TAKES_KEY, provider.call)
        await hall.end(done(second))

        assert len(set(provider.keys)) == 1
        assert (await hall.state())[0] == "completed"


@pytest.mark.parametrize(
    ("effect", "error", "reason", "left"),
    [
        (TAKES_NONE, EffectRefused("no"), "effect_refused", "refused"),
        (TAKES_KEY, EffectRefused("no"), "effect_refused", "refused"),
        (TAKES_NONE, EffectUnreached("away"), "provider_unreachable", "refused"),
        (TAKES_KEY, EffectUnreached("away"), "provider_unreachable", "pending"),
        (TAKES_NONE, EffectUnanswered("hm"), "effect_unknown", "unknown"),
        (TAKES_KEY, EffectUnanswered("hm"), "provider_unavailable", "pending"),
    ],
)
async def test_how_a_call_went_is_written_down(
    namespace: Namespace, effect: Effect, error: Exception, reason: str, left: str
) -> None:
    """A no is final, silence is not: it is unknown unless the provider takes our key."""
    async with floor(namespace.postgres) as hall:
        effects = LedgerEffects(hall.connection, (await claimed(hall)).hold)

        with pytest.raises(AgentFailed) as failure:
            await effects.once(effect, Provider(error).call)

        assert (failure.value.reason, await state(hall)) == (reason, [left])


async def test_who_lost_the_attempt_may_not_begin(namespace: Namespace) -> None:
    """A worker that woke after a takeover asks for nothing."""
    async with floor(namespace.postgres) as hall:
        provider = Provider()
        asleep = await claimed(hall)
        await taken_over(hall)

        with pytest.raises(AgentFailed, match="lost_lease"):
            await LedgerEffects(hall.connection, asleep.hold).once(TAKES_NONE, provider.call)

        assert (provider.keys, await state(hall)) == ([], [])


async def test_a_step_that_asks_for_something_else_is_refused(namespace: Namespace) -> None:
    """One step of an attempt is one request: another one under the same key is a defect of the pipeline."""
    async with floor(namespace.postgres) as hall:
        provider = Provider()
        effects = LedgerEffects(hall.connection, (await claimed(hall)).hold)
        await effects.once(TAKES_KEY, provider.call)

        with pytest.raises(AgentFailed, match="effect_changed"):
            await effects.once(Effect("pay", "https://bank.test", "sha-2", True), provider.call)

        assert len(provider.keys) == 1


async def test_tasks_steps_and_targets_have_keys_of_their_own(namespace: Namespace) -> None:
    """Only the same thing for the same task shares a key."""
    async with floor(namespace.postgres) as hall:
        provider = Provider()
        one, two = await claimed(hall, 1), await claimed(hall, 2)
        for hold, effect in [
            (one.hold, TAKES_KEY),
            (one.hold, Effect("ship", "https://bank.test", "sha-1", True)),
            (two.hold, TAKES_KEY),
            (two.hold, Effect("ship", "https://post.test", "sha-1", True)),
        ]:
            await LedgerEffects(hall.connection, hold).once(effect, provider.call)

        assert len(set(provider.keys)) == 4
