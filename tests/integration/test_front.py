"""The front agent on a real Postgres, with a language model and a house that stand in: what a model is told, who answers."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agents.errors import AgentFailed
from agents.front.recollect import Memory
from agents.front.sort import Sorter
from agents.port import Ask, Language, Said
from agents.signature import Keyring
from agents.team.goal import Suit
from events.agent import AgentSpec
from events.conversation import ContextUsed, MemoryCorrected, MemoryLearned, MessageSent, MessageSettled, Scope, Spoken
from events.event import Fact
from events.request import Request, SubmitTask
from events.task import Features
from handlers.errand import Ended
from handlers.front import Front
from handlers.front_port import FRONT, Agent, Heard
from handlers.postroom import Delivered
from handlers.reply import TellingOf
from learning.hashed import HashedEncoder
from store import mailbox, sender_key
from tests.builders import NAMES, TENANT, moment
from tests.integration.hands_kit import now
from tests.integration.test_mailbox import Hall, hall, sent_now
from tests.stacks import Namespace
from tests.talk import letter
from tests.unit.test_postroom import room
from tests.whole import Whole

ANNS = Memory("memory-1", "home", "I live in Oslo", moment(0), 0.9)
BOBS = Memory("memory-2", "home", "I live in Rome", moment(0), 0.9)


class House:
    """Read models and errands that stand in: what was said, what is known of whom, and how tasks end."""

    def __init__(self) -> None:
        self.said: list[Heard] = []
        self.known: dict[str, list[Memory]] = {"ann": [ANNS], "bob": [BOBS]}
        self.asked: list[tuple[Request, str]] = []
        self.was_asked = asyncio.Event()
        self.ends: Callable[[], Any] = lambda: Ended("completed", "arithmetic", {"value": "84"}, None, None, None)

    async def thread(self, _tenant: str, _conversation: str) -> list[Heard]:
        """Return what was said."""
        return self.said

    async def agents(self, _tenant: str) -> list[Agent]:
        """Return one agent."""
        return [Agent("arithmetic", "Calculates numbers", ("arithmetic",), ())]

    async def memories(self, _tenant: str, user: str) -> list[Memory]:
        """Return what is known of a user."""
        return self.known.get(user, [])

    async def recall(self, _tenant: str, user: str, _features: Features, k: int) -> list[Memory]:
        """Return what is known of a user."""
        return self.known.get(user, [])[:k]

    async def spoken(self, _tenant: str, source: str, _memory: str) -> list[Spoken]:
        """Return the message that a memory was read from."""
        return [Spoken(message_id=source, request_id=f"request-{source}")]

    async def ended(self, _tenant: str, _task: str) -> None:
        """Know of no end."""

    async def ask(self, _tenant: str, request: Request, request_id: str) -> None:
        """Note a request."""
        self.asked.append((request, request_id))

    async def do(self, _tenant: str, request: SubmitTask, request_id: str, _until: object) -> Ended:
        """Note a task and end it."""
        self.asked.append((request, request_id))
        self.was_asked.set()
        ended = self.ends()
        return await ended if asyncio.isfuture(ended) else ended


class Mind:
    """Reads texts with the encoder of hashed words."""

    def __init__(self) -> None:
        self._encoder = HashedEncoder()
        self.sorter = Sorter.load(self._encoder.encode)

    def features(self, text: str) -> Features:
        """Return features."""
        return Features("test", self._encoder.encode(text).astype("<f2").tobytes(), b"")

    def alike(self, text: str, other: str) -> float:
        """Return a cosine."""
        return float(self._encoder.encode(text) @ self._encoder.encode(other))

    def suit_of(self, _tenant: str, _specs: tuple[AgentSpec, ...]) -> Suit:
        """Say that nothing suits anybody."""
        return lambda _text: None


class Parrot(Whole):
    """A language model that says what it was told, or fails."""

    def __init__(self, fails: bool = False) -> None:
        self.asked: list[Ask] = []
        self._fails = fails

    async def complete(self, ask: Ask) -> Said:
        """Answer with all that it was told."""
        self.asked.append(ask)
        if self._fails:
            raise AgentFailed("no_backend", "nobody answered")
        told = " | ".join(one.content for one in ask.messages)
        return Said(told, "parrot-1", "here", True, 10, 5, None, 1_000)


async def front(
    here: Hall, folder: Path, house: House, language: Language | None = None, telling: TellingOf | None = None
) -> Front:
    """Return a front agent whose key is known."""
    ring = Keyring(folder / "keys", b"secret")
    key = ring.key(TENANT, FRONT)
    await sender_key.put(here.connection, sender_key.KeyRow(TENANT, FRONT, key.name, key.public, Scope(), None, None))
    errands: Any = house
    return Front(NAMES, house, Mind, language, errands, ring, here.connection, now, here._count, telling)


async def ask(here: Hall, agent: Front, text: str, message_id: str = "m1", **fields: Any) -> list[Fact]:
    """Say something to the front and return every fact that it told."""
    log = type(here.log)(NAMES).add(sent_now(letter(message_id, text=text, **fields)))
    await here.read(log.records)
    (taken,) = await agent.take("w1", 1)
    await agent.answer(taken)
    return [
        fact
        for kind in (MessageSent, ContextUsed, MemoryLearned, MemoryCorrected, MessageSettled)
        for fact in await here.told(kind)
    ]  # type: ignore[misc]


async def test_a_model_is_told_what_its_user_said_and_nothing_of_others(namespace: Namespace, tmp_path: Path) -> None:
    """The answer names the model that spoke and that it is the fallback; memories that went in are on record."""
    house, parrot = House(), Parrot()
    house.said = [Heard("m0", "user:ann", "query", "We spoke of fjords", {}), Heard("r0", FRONT, "response", "Indeed", {})]
    async with hall(namespace) as here:
        facts = await ask(here, await front(here, tmp_path, house, parrot), "Tell me something nice")
    answer = next(one.letter for one in facts if isinstance(one, MessageSent))
    used = next(one for one in facts if isinstance(one, ContextUsed))

    assert (answer.kind, answer.in_reply_to, answer.recipient) == ("response", "m1", "user:ann")
    assert (answer.body["model"], answer.body["fallback"], answer.body["sort"]) == ("parrot-1", True, "talk")
    assert "I live in Oslo" in answer.text
    assert "fjords" in answer.text
    assert "Rome" not in answer.text
    assert used.memories == ("memory-1",)
    assert 0 < used.used_tokens <= used.budget_tokens
    assert [one.outcome for one in facts if isinstance(one, MessageSettled)] == ["handled"]


async def test_the_answer_is_signed_and_gets_through_the_door(namespace: Namespace, tmp_path: Path) -> None:
    """The postman finds nothing wrong with it."""
    async with hall(namespace) as here:
        facts = await ask(here, await front(here, tmp_path, House()), "Hello")
        keys = await sender_key.keys_of(here.connection, TENANT, [FRONT, "user:ann"])
        known = await mailbox.known(here.connection, TENANT, ["m1"])
    sent = next(one for one in facts if isinstance(one, MessageSent))

    assert room(keys=keys, known=known).judge(sent_as(sent)) == Delivered((), "m1")
    assert "No language model is there" in sent.letter.text


def sent_as(fact: MessageSent) -> Any:
    """Return a fact in an envelope of now."""
    event = sent_now(letter())
    return type(event)(event.envelope, fact)


async def test_a_model_that_is_away_is_said_to_be_away(namespace: Namespace, tmp_path: Path) -> None:
    """The turn ends with an error, not with silence."""
    async with hall(namespace) as here:
        facts = await ask(here, await front(here, tmp_path, House(), Parrot(fails=True)), "Hello")
    answer = next(one.letter for one in facts if isinstance(one, MessageSent))

    assert (answer.kind, answer.body["reason"]) == ("error", "no_backend")


async def test_what_contradicts_an_older_memory_corrects_it(namespace: Namespace, tmp_path: Path) -> None:
    """The fact names the memory that it replaces and the message that said it."""
    async with hall(namespace) as here:
        facts = await ask(here, await front(here, tmp_path, House()), "I have moved to Bergen and my name is Ann")
    (corrected,) = [one for one in facts if isinstance(one, MemoryCorrected)]
    (learned,) = [one for one in facts if isinstance(one, MemoryLearned)]

    assert (corrected.replaces, corrected.text, corrected.source) == ("memory-1", "I have moved to Bergen", "m1")
    assert (learned.subject, learned.text) == ("name", "my name is Ann")


async def test_a_front_that_dies_in_a_turn_is_followed_by_one_that_asks_for_the_same_task(
    namespace: Namespace, tmp_path: Path
) -> None:
    """The first never hears an answer and its lease runs out; both name one request, and one of them answers."""
    house = House()
    never: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
    house.ends = lambda: never
    async with hall(namespace) as here:
        agent = await front(here, tmp_path, house)
        await here.read(here.log.add(sent_now(letter(text="What is 12 * (3 + 4)?"))).records)
        (dead,) = await mailbox.take(here.connection, "dead", [FRONT], 1, 0.0)
        lost = asyncio.create_task(agent.answer(dead))
        await house.was_asked.wait()
        house.ends = lambda: Ended("completed", "arithmetic", {"value": "84"}, None, None, None)
        (again,) = await agent.take("next", 1)
        await agent.answer(again)
        never.set_result(Ended("completed", "arithmetic", {"value": "84"}, None, None, None))
        await lost
        answers = [one.letter for one in await here.told(MessageSent) if isinstance(one, MessageSent)]

    assert [one.text for one in answers] == ["84"]
    assert {request_id for _, request_id in house.asked} == {"front-m1"}
    assert here.counts["front.lost_lease"] == 1


async def test_an_agents_mail_is_done_under_its_own_key(namespace: Namespace, tmp_path: Path) -> None:
    """What is asked is a task for that agent alone; an update asks for nothing; mail for nobody here stays where it is."""
    house = House()
    async with hall(namespace) as here:
        agent = await front(here, tmp_path, house)
        key = Keyring(tmp_path / "keys", b"secret").key(TENANT, "arithmetic")
        await sender_key.put(here.connection, sender_key.KeyRow(TENANT, "arithmetic", key.name, key.public, Scope(), None, None))
        mail = (("query", "arithmetic"), ("handoff", "arithmetic"), ("update", "arithmetic"), ("query", "stranger"))
        for number, (kind, to) in enumerate(mail):
            one = letter(f"m{number}", text="What is 12 * 7?", kind=kind, recipient=to)
            await here.read(type(here.log)(NAMES).add(sent_now(one)).records)
        taken = await agent.take_for_agents("w1", 8)
        for one in taken:
            await agent.answer(one)
        answers = [one.letter for one in await here.told(MessageSent) if isinstance(one, MessageSent)]
        ends = [one for one in await here.told(MessageSettled) if isinstance(one, MessageSettled)]
        left = await mailbox.waiting(here.connection, FRONT)

    assert [one.letter.message_id for one in taken] == ["m0", "m1", "m2"]
    assert [(one.sender, one.key_id, one.text, one.in_reply_to) for one in answers] == [
        ("arithmetic", key.name, "84", "m0"),
        ("arithmetic", key.name, "84", "m1"),
    ]
    assert [(one.recipient, one.outcome) for one in ends] == [("arithmetic", "handled")] * 3
    assert [request.agent for request, _ in house.asked if isinstance(request, SubmitTask)] == ["arithmetic"] * 2
    assert [one.recipient for one in left] == ["stranger"]


async def test_a_task_that_fails_is_an_agents_error_and_what_is_no_task_is_none(namespace: Namespace, tmp_path: Path) -> None:
    """The reason stands in the answer; an empty text asks nothing of the house; no key of ours, no answer in its name."""
    house = House()
    house.ends = lambda: Ended("failed", "arithmetic", None, None, "not_arithmetic", "there is no expression")
    async with hall(namespace) as here:
        agent = await front(here, tmp_path, house)
        ring = Keyring(tmp_path / "keys", b"secret")
        key = ring.key(TENANT, "arithmetic")
        await sender_key.put(here.connection, sender_key.KeyRow(TENANT, "arithmetic", key.name, key.public, Scope(), None, None))
        for name, text in (("m1", "Hello?"), ("m2", "")):
            one = letter(name, text=text, kind="query", recipient="arithmetic")
            await here.read(type(here.log)(NAMES).add(sent_now(one)).records)
        for taken in await agent.take_for_agents("w1", 8):
            await agent.answer(taken)
        answers = [one.letter for one in await here.told(MessageSent) if isinstance(one, MessageSent)]

    assert [(one.kind, one.body["reason"]) for one in answers] == [("error", "not_arithmetic"), ("error", "bad_task")]
    assert answers[0].text == "there is no expression"
    assert len(house.asked) == 1


class Teller(Parrot):
    """A language model that says its answer in pieces, and may break off in the middle."""

    def __init__(self, breaks: bool = False) -> None:
        super().__init__()
        self._breaks = breaks

    async def stream(self, ask: Ask) -> AsyncGenerator[str | Said, None]:
        """Say it word by word."""
        for word in ("One", " two", " three"):
            yield word
        if self._breaks:
            raise AgentFailed("answer_broke_off", "it stopped in the middle")
        yield Said("One two three", "parrot-1", "here", True, 10, 5, None, 1_000)


def told_to(pieces: list[str]) -> TellingOf:
    """Return what tells pieces to a list."""

    @asynccontextmanager
    async def telling(_taken: object) -> AsyncIterator[Callable[[str], None]]:
        yield pieces.append

    return telling


def answer_to(facts: list[Fact], message_id: str) -> list[str]:
    """Return the answers to a message."""
    sent = [one.letter for one in facts if isinstance(one, MessageSent)]
    return [one.text for one in sent if one.in_reply_to == message_id]


async def test_who_watches_is_told_the_pieces_and_the_answer_is_one_fact(namespace: Namespace, tmp_path: Path) -> None:
    """Who does not watch is told none, and is answered all the same."""
    pieces: list[str] = []
    async with hall(namespace) as here:
        agent = await front(here, tmp_path, House(), Teller(), told_to(pieces))
        await ask(here, agent, "Tell me something nice", message_id="m1")
        unseen = list(pieces)
        facts = await ask(here, agent, "Tell me something nice", message_id="m2", body={"watched": True})

    assert (unseen, pieces) == ([], ["One", " two", " three"])
    assert answer_to(facts, "m2") == ["One two three"]
    assert len(answer_to(facts, "m1")) == 1


async def test_an_answer_that_broke_off_is_asked_for_once_more_whole(namespace: Namespace, tmp_path: Path) -> None:
    """So whoever watches gets an answer as often as whoever does not."""
    pieces: list[str] = []
    async with hall(namespace) as here:
        agent = await front(here, tmp_path, House(), Teller(breaks=True), told_to(pieces))
        facts = await ask(here, agent, "Tell me something nice", body={"watched": True})
    (answer,) = answer_to(facts, "m1")

    assert pieces == ["One", " two", " three"]
    assert "Tell me something nice" in answer


async def test_a_turn_that_tells_and_asks_is_done_and_remembered(namespace: Namespace, tmp_path: Path) -> None:
    """The task is what stands besides; the answer says what is remembered, and both are written at once."""
    house = House()
    async with hall(namespace) as here:
        facts = await ask(here, await front(here, tmp_path, house), "My name is Ann, what is 3 + 4?")
    (learned,) = [one for one in facts if isinstance(one, MemoryLearned)]
    (answer,) = answer_to(facts, "m1")

    assert [one.text for one, _ in house.asked if isinstance(one, SubmitTask)] == ["what is 3 + 4?"]
    assert (learned.subject, learned.text) == ("name", "My name is Ann")
    assert answer.startswith("84\n")
    assert "My name is Ann" in answer
