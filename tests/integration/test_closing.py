"""How long an abandoned attempt took, whichever transaction began first."""

from store import closing
from store.postgres import connect
from tests.integration.hands_kit import asked, chose, floor, task_id
from tests.stacks import Namespace


async def test_an_attempt_started_after_our_transaction_began_took_no_negative_time(namespace: Namespace) -> None:
    """A canceller whose transaction is older than the attempt's start abandons it with a duration that facts allow."""
    async with floor(namespace.postgres) as hall:
        await hall.agent()
        await hall.tell(asked(1), chose(1))
        canceller = await connect(namespace.postgres, "canceller")
        try:
            async with canceller.transaction():
                await canceller.execute("select now()")
                (claimed,) = await hall.claim()
                await closing.lock_open(canceller, [task_id(1)])
                (closed,) = await closing.abandon(canceller, [task_id(1)])
        finally:
            await canceller.close()

        assert closed.abandoned[0].task_id == claimed.hold.task_id
        assert closed.abandoned[0].duration_us >= 0
