"""The chain against an endpoint that misbehaves in every way there is: answered by the deadline, named, left alone in time."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from agents.errors import AgentFailed
from agents.llm.backend import Backend
from agents.llm.breaker import MOST_CALLS
from agents.llm.cache import Kept
from agents.llm.chain import Chain
from agents.llm.client import Caller
from agents.llm.price import Price
from agents.llm.purse import Charge, NoPurse, OverBudget
from agents.llm.turn import Backends, Means
from agents.port import Ask, Message, Said
from tests.endpoint import KEY, MODEL, TEXT, Endpoint, Mood, standing

BAD: tuple[Mood, ...] = tuple(mood for mood in get_args(Mood) if mood not in ("well", "one_by_one", "slow", "misfit"))
DEADLINE_S, GRACE_S = 4.0, 3.0
LOCAL_TEXT = "I am small."


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def ask(text: str = "hello", seconds: float = DEADLINE_S, **more: Any) -> Ask:
    """Return a question with a deadline from now."""
    given = {"tenant": "default", "agent": "a", "task_id": "t", "max_tokens": 16, **more}
    return Ask((Message("user", text),), now() + timedelta(seconds=seconds), **given)


class Heap:
    """A cache in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Kept] = {}

    async def get(self, tenant: str, key: str, /) -> Kept | None:
        """Return what is kept."""
        return self.kept.get((tenant, key))

    async def put(self, tenant: str, key: str, kept: Kept, /) -> None:
        """Keep it."""
        self.kept[tenant, key] = kept


class Counting(NoPurse):
    """Notes what is set aside and settled; `most_microusd` is what one call may cost."""

    def __init__(self, most_microusd: int | None = None) -> None:
        self.most_microusd = most_microusd
        self.reserved: list[Charge] = []
        self.settled: list[Charge] = []

    async def reserve(self, _ask: Ask, most: Charge) -> None:
        """Set aside, unless it is too much."""
        if self.most_microusd is not None and (most.microusd is None or most.microusd > self.most_microusd):
            raise OverBudget("the task may cost no more")
        self.reserved.append(most)

    async def settle(self, _ask: Ask, _most: Charge, spent: Charge) -> None:
        """Settle."""
        self.settled.append(spent)


@asynccontextmanager
async def chain_of(
    remote: Sequence[Endpoint], local: Endpoint | None, *, patience_s: float = 30.0, **means: Any
) -> AsyncIterator[Chain]:
    """Yield a chain of these endpoints."""
    members = tuple(Backend(f"r{number}", one.url, KEY, MODEL) for number, one in enumerate(remote))
    last = (lambda: Backend("local", local.url, KEY, "small", local=True)) if local else None
    backends = Backends(members, last, {MODEL: Price(100, 200)}, patience_s)
    caller = Caller(now)
    await caller.load()
    chain = Chain(backends, Means(now, time.monotonic, **means), caller)
    try:
        yield chain
    finally:
        await chain.close()


@asynccontextmanager
async def pair(**more: Any) -> AsyncIterator[tuple[Endpoint, Endpoint, Chain]]:
    """Yield a remote endpoint, a good local one, and the chain of both."""
    async with standing() as remote, standing() as local, chain_of([remote], local, **more) as chain:
        local.text = LOCAL_TEXT
        yield remote, local, chain


async def timed(chain: Chain, asked: Ask) -> tuple[Said, float]:
    """Return the answer, and by how many seconds it came after the deadline (negative: before)."""
    said = await chain.complete(asked)
    return said, (now() - asked.deadline).total_seconds()


async def test_the_first_back_end_answers() -> None:
    """It is named with its model, tokens and cost, and is no fallback; nobody else is asked."""
    async with pair() as (remote, local, chain):
        said = await chain.complete(ask())

    assert (said.text, said.model, said.backend, said.fallback) == (TEXT, MODEL, "r0", False)
    assert (said.tokens_in, said.tokens_out, said.cost_microusd) == (9, 5, 9 * 100 + 5 * 200)
    assert (len(remote.calls), len(local.calls)) == (1, 0)
    assert remote.keys[0]


@pytest.mark.parametrize("mood", BAD)
async def test_every_question_is_answered_by_its_deadline(mood: Mood) -> None:
    """Thirty questions, six at a time: all answered by the fallback, which says so; the breaker is open within ten calls."""
    async with pair() as (remote, _, chain):
        remote.mood, remote.retry_after = mood, "60"
        waves = [
            await asyncio.gather(*(timed(chain, ask(f"{wave} {one}", task_id=f"{wave}-{one}")) for one in range(6)))
            for wave in range(5)
        ]
        standing_ = chain.standings()[0]

    answers = [one for wave in waves for one in wave]
    assert {said.text.strip() for said, _ in answers} == {LOCAL_TEXT}
    assert all(said.fallback and said.backend == "local" and said.model == "small" for said, _ in answers)
    assert max(late for _, late in answers) <= GRACE_S
    if mood in ("refuses", "redirects"):  # the request is at fault, or is sent elsewhere: the back end is well
        assert standing_.state == "closed"
    else:
        assert standing_.state == "open"
        assert len(remote.calls) <= MOST_CALLS


async def test_the_local_model_has_time_for_all_who_wait() -> None:
    """It writes one answer at a time, each for longer than all have: nobody is left without one, and who was cut says so."""
    async with pair() as (remote, local, chain):
        remote.mood, local.mood, local.text = "broken", "one_by_one", "word " * 20
        alone, _ = await timed(chain, ask("alone", 60.0, task_id="alone"))
        local.text = "word " * 600  # 12 s alone
        answers = await asyncio.gather(*(timed(chain, ask(str(one), 8.0 + one % 2, task_id=f"w-{one}")) for one in range(4)))

    assert (alone.cut, alone.text.strip()) == (False, ("word " * 20).strip())
    assert all(said.cut and said.fallback and len(said.text) >= 80 for said, _ in answers)
    assert max(late for _, late in answers) <= GRACE_S


async def test_the_local_model_is_woken_while_a_remote_one_is_slow() -> None:
    """Not for one that answers at once; once for one that hangs."""
    woken: list[float] = []

    async def wake() -> None:
        woken.append(time.monotonic())

    async with standing() as remote, standing() as local:
        last = Backend("local", local.url, KEY, "small", local=True)
        backends = Backends((Backend("r0", remote.url, KEY, MODEL),), lambda: last, wake=wake)
        chain = Chain(backends, Means(now, time.monotonic), Caller(now))
        await chain.complete(ask("1"))
        quick = list(woken)
        remote.mood = "hang"
        said = await chain.complete(ask("2"))
        await chain.close()

    assert quick == []
    assert (len(woken), said.backend) == (1, "local")


async def test_a_server_that_is_down_is_left_alone() -> None:
    """Nobody listens: answered by the fallback, and the breaker opens."""
    async with standing() as gone:
        url = gone.url
    async with standing() as local:
        down = Endpoint()
        down.url = url
        async with chain_of([down], local) as chain:
            answers = [await timed(chain, ask(str(number))) for number in range(8)]
            state = chain.standings()[0].state

    assert all(said.fallback and late <= 0 for said, late in answers)
    assert state == "open"


async def test_calls_are_at_most_a_tenth_more_than_questions() -> None:
    """An endpoint that fails every third call is asked again only within the budget of retries."""
    async with pair() as (remote, _, chain):
        for number in range(60):
            remote.mood = "broken" if number % 3 == 0 else "well"
            await chain.complete(ask(str(number), temperature=0.5))

    assert len(remote.calls) <= 1.1 * 60


async def test_a_back_end_that_is_back_is_used_again() -> None:
    """After its rest one probe goes out, and its success closes the breaker."""
    async with pair() as (remote, _, chain):
        remote.mood, remote.retry_after = "limited", "2"
        first = await chain.complete(ask("1"))
        remote.mood = "well"
        second = await chain.complete(ask("2"))
        await asyncio.sleep(2.1)
        third = await chain.complete(ask("3"))

    assert [one.fallback for one in (first, second, third)] == [True, True, False]


async def test_without_any_back_end_it_says_so() -> None:
    """No remote, no local: one sentence."""
    async with chain_of([], None) as chain:
        with pytest.raises(AgentFailed, match="no language model is set up"):
            await chain.complete(ask())


async def test_nobody_answers_within_the_deadline() -> None:
    """All hang: refused by the deadline, by name, with what each did."""
    async with standing() as one, standing() as other, chain_of([one], other) as chain:
        one.mood = other.mood = "hang"
        began = time.monotonic()
        with pytest.raises(AgentFailed, match=r"r0: no answer within .* local: ") as failed:
            await chain.complete(ask(seconds=1.0))

    assert time.monotonic() - began <= 1.0 + GRACE_S
    assert failed.value.reason == "no_answer"


async def test_a_deadline_that_has_passed_costs_no_call() -> None:
    """Too late is too late."""
    async with pair() as (remote, local, chain):
        with pytest.raises(AgentFailed, match="no time was left"):
            await chain.complete(ask(seconds=-1.0))

    assert not remote.calls
    assert not local.calls


async def test_several_remote_back_ends_are_asked_in_order() -> None:
    """The second one answers where the first does not, and that is a fallback, too."""
    async with standing() as one, standing() as other, chain_of([one, other], None) as chain:
        one.mood = "broken"
        said = await chain.complete(ask())

    assert (said.backend, said.fallback) == ("r1", True)


async def test_a_wanted_back_end_comes_first_and_an_unknown_one_is_said() -> None:
    """By name; whoever is not there is not silently replaced."""
    async with standing() as one, standing() as other, chain_of([one, other], None) as chain:
        wanted = await chain.complete(ask(model="r1"))
        unknown = await chain.complete(ask(model="gpt-17"))

    assert (wanted.backend, wanted.fallback) == ("r1", False)
    assert (unknown.backend, unknown.fallback) == ("r0", True)


async def test_a_stream_comes_in_pieces_and_ends_with_the_whole() -> None:
    """Pieces add up to the text; tokens are those that the stream tells."""
    async with pair() as (_, _, chain):
        parts = [part async for part in chain.stream(ask())]

    said = parts[-1]
    assert isinstance(said, Said)
    assert "".join(part for part in parts if isinstance(part, str)) == said.text
    assert (said.text.strip(), said.tokens_in, said.tokens_out, len(parts)) == (TEXT, 9, 5, 5)


async def test_a_schema_is_asked_for_and_checked() -> None:
    """What fits comes as data; what does not is mended by whoever fits, or refused."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    async with pair() as (remote, local, chain):
        remote.text, local.text = '{"n": 3}', '{"n": 4}'
        good = await chain.complete(ask(schema=schema))
        remote.text = "three"
        other = await chain.complete(ask("again", schema=schema))

    assert (good.data, good.backend) == ({"n": 3}, "r0")
    assert (other.data, other.backend) == ({"n": 4}, "local")
    assert remote.calls[0]["response_format"]["json_schema"]["schema"] == schema


async def test_the_same_question_is_answered_without_a_call() -> None:
    """Out of the cache: the same text, no tokens, no cost; another tenant is not served with it."""
    heap = Heap()
    async with pair(cache=heap) as (remote, local, chain):
        first = await chain.complete(ask())
        second = await chain.complete(ask())
        other = await chain.complete(ask(tenant="other"))
        chance = [await chain.complete(ask(temperature=0.7)) for _ in range(2)]
        calls = len(remote.calls)

    assert (second.text, second.cached, second.tokens_in, second.tokens_out, second.cost_microusd) == (first.text, True, 0, 0, 0)
    assert [one.cached for one in (first, other, *chance)] == [False] * 4
    assert calls == 4
    assert not local.calls


async def test_what_a_call_may_take_is_set_aside_before_and_settled_after() -> None:
    """The estimate is never below what was spent; a failed call settles, too."""
    purse = Counting()
    async with pair(purse=purse) as (remote, _, chain):
        await chain.complete(ask())
        remote.mood = "broken"
        await chain.complete(ask("2"))

    assert len(purse.reserved) == len(purse.settled) == 3
    first, spent = purse.reserved[0], purse.settled[0]
    assert (spent.tokens, spent.microusd) == (14, 1900)
    assert first.tokens >= spent.tokens
    assert first.microusd is not None
    assert first.microusd >= 1900
    assert purse.settled[1].microusd == 0


async def test_over_budget_takes_the_cheaper_path_or_stops() -> None:
    """Money is out: the local model costs none and answers; without it the refusal has its own name, and no call goes out."""
    async with pair(purse=Counting(most_microusd=10)) as (remote, _, chain):
        said = await chain.complete(ask())
        asked = len(remote.calls)
    async with standing() as alone, chain_of([alone], None, purse=Counting(most_microusd=10)) as chain:
        with pytest.raises(AgentFailed, match="the task may cost no more") as failed:
            await chain.complete(ask())

    assert (said.backend, said.cost_microusd, asked) == ("local", 0, 0)
    assert failed.value.reason == "over_budget"
    assert not alone.calls


async def test_neither_key_nor_personal_data_is_told() -> None:
    """Lines about trouble quote a back end without numbers of people, and never the key."""
    told: list[str] = []
    async with pair(tell=told.append) as (remote, _, chain):
        for number in range(8):
            remote.mood = "error_text" if number % 2 else "echoes"
            await chain.complete(ask(str(number)))
        shown = repr(chain.standings()) + repr(Backend("r", "u", KEY, "m")) + "".join(told)

    assert any("left alone" in line for line in told)
    assert KEY not in shown
    assert "1234567" not in shown
