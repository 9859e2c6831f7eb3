"""Pieces of an answer: gathered and numbered on the way out, and shown only as far as they are whole."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from bus.errors import KafkaUnreachable
from bus.producer import Published, Publisher
from events.event import Event
from events.piece import MOST_CHARS, PieceSpoken
from events.topics import PIECES
from events.wire import Outgoing, decode
from handlers import telling
from handlers.telling import Teller
from smolit.chat.watched import Watched
from store.mailbox import Taken
from tests.builders import NAMES, TENANT, moment
from tests.talk import letter, sent


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    while not holds():  # noqa: ASYNC110 what is waited for is a plain value of a stand-in
        await asyncio.sleep(0.005)


class Wire(Publisher):
    """A producer that keeps what it is given, or is cut."""

    def __init__(self, cut: bool = False) -> None:
        self.records: list[Outgoing] = []
        self.starts = self.stops = 0
        self._cut = cut

    async def start(self) -> None:
        """Count."""
        self.starts += 1

    async def stop(self) -> None:
        """Count."""
        self.stops += 1

    async def publish(self, records: Sequence[Outgoing]) -> list[Published]:
        """Keep records."""
        if self._cut:
            raise KafkaUnreachable("nobody answers")
        self.records += records
        return [Published("t", 0, 0) for _ in records]

    @property
    def pieces(self) -> list[PieceSpoken]:
        """Return what was told."""
        facts = [decode(one.headers, one.value).fact for one in self.records]
        return [fact for fact in facts if isinstance(fact, PieceSpoken)]


def taken(epoch: int = 1) -> Taken:
    """Return a message that the front has taken."""
    event = sent(letter())
    return Taken("front", epoch, 5, 1, Event(event.envelope, event.fact))


def teller(wire: Wire, counts: dict[str, int] | None = None) -> Teller:
    """Return a teller over a wire."""
    seen = counts if counts is not None else {}
    return Teller("kafka", "w1", NAMES, lambda _kafka, _who: wire, lambda: moment(0), lambda name, n: seen.update({name: n}))


def piece(number: int, text: str, epoch: int = 1) -> PieceSpoken:
    """Return a piece."""
    return PieceSpoken(tenant=TENANT, conversation_id="c1", message_id="m1", epoch=epoch, number=number, text=text)


async def told(wire: Wire, words: Sequence[str], chars: int) -> None:
    """Tell words one after the other, and wait until so many characters are out."""
    one = teller(wire)
    async with one.telling(taken()) as tell, asyncio.timeout(60):
        for word in words:
            tell(word)
            await asyncio.sleep(0)
        await until(lambda: sum(len(piece.text) for piece in wire.pieces) >= chars)
    await one.stop()


async def test_pieces_are_gathered_and_numbered_without_a_gap() -> None:
    """The first goes at once, what comes meanwhile goes together; all of it, in order, on a topic that is not kept."""
    wire = Wire()
    await told(
        wire, ["  \n", "One", *(f" word{number}" for number in range(50))], 3 + len("".join(f" word{n}" for n in range(50)))
    )

    assert [one.number for one in wire.pieces] == list(range(len(wire.pieces)))
    assert len(wire.pieces) <= 3
    assert "".join(one.text for one in wire.pieces) == "One" + "".join(f" word{number}" for number in range(50))
    assert {one.topic for one in wire.records} == {NAMES.of(PIECES)}
    assert wire.pieces[0].message_id == "m1"


async def test_a_piece_is_never_larger_than_its_topic_takes() -> None:
    """A model that says a book at once is told in parts."""
    wire = Wire()
    await told(wire, ["\U0001f600" * (2 * MOST_CHARS + 1)], 2 * MOST_CHARS + 1)

    assert [len(one.text) for one in wire.pieces] == [MOST_CHARS, MOST_CHARS, 1]
    assert max(len(one.value) for one in wire.records) < 64_000


async def test_nobody_waits_for_a_wire_that_is_cut() -> None:
    """Telling never fails and is given up for this answer; the next one tries with a new producer."""
    wire, counts = Wire(cut=True), dict[str, int]()
    one = teller(wire, counts)
    async with one.telling(taken()) as tell, asyncio.timeout(60):
        tell("One")
        await until(lambda: "front.telling_given_up" in counts)
        tell(" two")
    wire._cut = False
    async with one.telling(taken()) as tell, asyncio.timeout(60):
        tell("again")
        await until(lambda: wire.pieces)
    await one.stop()

    assert [one.text for one in wire.pieces] == ["again"]
    assert (wire.starts, wire.stops) == (2, 2)


async def test_a_slow_wire_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece that would be late is no news."""
    monkeypatch.setattr(telling, "LATE_S", 0.01)
    wire, counts = Wire(), dict[str, int]()

    async def hang(_records: Sequence[Outgoing]) -> list[Published]:
        await asyncio.sleep(3600)
        return []

    monkeypatch.setattr(wire, "publish", hang)
    one = teller(wire, counts)
    async with one.telling(taken()) as tell, asyncio.timeout(60):
        tell("One")
        await until(lambda: "front.telling_given_up" in counts)
    await one.stop()

    assert wire.records == []


async def test_where_nobody_is_told_anything_no_producer_is_opened() -> None:
    """A house in which nobody watches has no connection more."""
    wire = Wire()
    one = teller(wire)
    async with one.telling(taken()):
        pass
    await one.stop()

    assert (wire.starts, wire.stops) == (0, 0)


def test_what_is_shown_is_the_beginning_of_the_answer_and_the_rest_comes_with_it() -> None:
    """A repeat adds nothing; the answer goes on where the pieces ended."""
    seen = Watched()

    assert [seen.take(one) for one in (piece(0, "One"), piece(1, " two"), piece(1, " two"), piece(0, "One"))] == [
        "One", " two", None, None,
    ]  # fmt: skip
    assert seen.rest("One two three") == " three"
    assert seen.rest("One two") == ""


@pytest.mark.parametrize(
    "pieces",
    [
        [piece(0, "One"), piece(2, " three")],
        [piece(3, "late")],
        [piece(0, "One"), piece(0, "Another", epoch=2)],
        [piece(0, "One"), piece(0, "old", epoch=2), piece(1, " two")],
    ],
    ids=["gap", "came late", "another worker", "two tellings at once"],
)
def test_pieces_that_are_not_whole_are_not_shown(pieces: list[PieceSpoken]) -> None:
    """The rest waits for the answer."""
    seen = Watched()
    shown = [text for one in pieces if (text := seen.take(one)) is not None]

    assert shown in (["One"], [])
    assert seen.text == "".join(shown)


def test_an_answer_that_does_not_go_on_where_the_pieces_ended_is_shown_whole() -> None:
    """Another worker answered otherwise; white space at the end is no difference."""
    seen = Watched()
    seen.take(piece(0, "One \n"))

    assert seen.rest("Two") is None
    assert seen.rest("One") == ""
