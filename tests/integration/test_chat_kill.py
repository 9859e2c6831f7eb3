"""kill -9 in the middle of a chat: whoever dies, each turn is answered once, the thread is whole, and the talk goes on."""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import ClassVar

import pytest

from events.conversation import MessageSent
from events.topics import CONVERSATIONS, Names
from handlers.front_port import FRONT
from projections.conversation import MessageRow, thread
from smolit.chat.post import open_post
from smolit.chat.session import Chat, Chose, Heard, Piece, Reply
from smolit.cli import app
from smolit.cli.desk import open_desk
from smolit.client import ends, events_in, places_of, reading
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running, kill
from tests.said import PATIENCE_S
from tests.service import served

POLISH = "Please polish this verse: {}"


class Polisher(BaseHTTPRequestHandler):
    """Polishes a verse once for each key, and lets whoever asked wait where it is told to."""

    calls: ClassVar[Counter[str]] = Counter()
    asked: ClassVar[Event] = Event()
    free: ClassVar[Event] = Event()

    def do_POST(self) -> None:
        """Answer, when it is free."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.calls[self.headers["idempotency-key"]] += 1
        self.asked.set()
        self.free.wait(PATIENCE_S)
        content = json.dumps({"text": f"polished: {body['text'].rpartition(': ')[2]}"}).encode()
        try:
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            return  # whoever asked is dead

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Poet(BaseHTTPRequestHandler):
    """A language model behind an endpoint that says its first words, and the rest when it is free."""

    begun: ClassVar[Event] = Event()
    free: ClassVar[Event] = Event()
    words: ClassVar[list[str]] = ["Waves", " roll", " home", " to", " shore."]

    def do_POST(self) -> None:
        """Answer, streamed or whole."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            self._stream() if body.get("stream") else self._whole(body)
        except OSError:
            return  # whoever asked is dead

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for number, word in enumerate(self.words):
            self._event({"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]})
            if number == 1:
                self.begun.set()
                self.free.wait(PATIENCE_S)
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self._event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _whole(self, body: dict[str, object]) -> None:
        message = {"role": "assistant", "content": "".join(self.words)}
        content = json.dumps(
            {
                "id": "c-1",
                "object": "chat.completion",
                "created": 0,
                "model": body.get("model"),
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14},
            }
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _event(self, chunk: dict[str, object]) -> None:
        told = {"id": "c-1", "object": "chat.completion.chunk", "created": 0, "model": "poet-1", **chunk}
        self.wfile.write(f"data: {json.dumps(told)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes, and one agent that calls the polisher."""
    folder = tmp_path_factory.mktemp("chatkill")
    with (
        served(Polisher) as url,
        served(Poet) as model,
        all_running(
            stack,
            folder,
            webhook_hosts="127.0.0.1",
            lease_s=2.0,
            local_llm="off",
            llm_url=f"there={model}v1",
            llm_model="poet-1",
        ) as running,
    ):
        spec = folder / "polisher.yaml"
        spec.write_text(
            "id: polisher\ndescription: Please polish this verse, a poem, a rhyme.\nskills: [polish]\npipeline: webhook\n"
            f"settings: {{url: '{url}', idempotent: true}}\n"
        )
        assert app.run(["agent", "register", str(spec)]) == 0
        poet = folder / "poet.yaml"
        poet.write_text("id: poet\ndescription: Write a seafaring ballad of storms and waves.\nskills: [ballad]\npipeline: llm\n")
        assert app.run(["agent", "register", str(poet)]) == 0
        yield running


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """Let nobody hang on what an earlier test left."""
    for one in (Polisher.asked, Polisher.free, Poet.begun, Poet.free):
        one.clear()


async def reply_to(chat: Chat, text: str) -> Reply:
    """Say something, and return the answer."""
    heard = [one async for one in chat.say(text)]
    assert isinstance(heard[-1], Reply), heard
    return heard[-1]


async def asked() -> None:
    """Wait until the polisher is at work."""
    assert await asyncio.to_thread(Polisher.asked.wait, PATIENCE_S)


def killed_terminal(text: str, file: Path) -> str:
    """Say something in a chat of its own process, and kill that while it waits; return the conversation's id."""
    argv = [sys.executable, "-P", "-m", "smolit", "chat", "--user", "bo"]
    with file.open("wb") as said:
        terminal = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        assert terminal.stdin is not None
        terminal.stdin.write(f"{text}\n".encode())
        terminal.stdin.flush()
        assert Polisher.asked.wait(PATIENCE_S)
        terminal.kill()
        terminal.communicate()
    return file.read_text().split()[1]


async def whole(conversation_id: str, turns: int) -> list[MessageRow]:
    """Return the thread by its id once it shows as many answers as turns; each turn has one, which follows it."""
    desk, end = open_desk(), time.monotonic() + PATIENCE_S
    async with desk.reading() as connection:
        while True:
            rows = await thread(connection, "default", conversation_id)
            answers = [row for row in rows if row.sender == FRONT and row.delivered_at is not None]
            if len(answers) >= turns or time.monotonic() > end:
                break
            await asyncio.sleep(0.1)
    said = [row.message_id for row in rows if row.sender != FRONT and row.delivered_at is not None]
    assert len(said) == turns
    assert [row.in_reply_to for row in answers] == said
    return rows


async def answers_in_log(settings: Settings, conversation_id: str) -> Counter[str | None]:
    """Return how many answers the log itself holds for each turn, by the facts' own ids: a repeat of one fact is one."""
    desk, names = open_desk(), Names(settings.topic_prefix)
    places = places_of(names, (CONVERSATIONS,))
    until = await ends(desk.endpoints.kafka, places)
    found: dict[str, str | None] = {}
    async with reading(desk.endpoints.kafka, dict.fromkeys(places, 0)) as reader:
        left = {place: end for place, end in until.items() if end}
        while left:
            records = await reader.fetch()
            for event in events_in(records):
                fact = event.fact
                if isinstance(fact, MessageSent) and fact.conversation_id == conversation_id and fact.letter.sender == FRONT:
                    found[event.id] = fact.letter.in_reply_to
            for record in records:
                if record.offset + 1 >= left.get((record.topic, record.partition), sys.maxsize):
                    del left[record.topic, record.partition]
    return Counter(found.values())


@pytest.mark.parametrize("victim", ["worker", "dispatch"])
async def test_whoever_dies_in_a_turn_it_is_answered_once_and_the_talk_goes_on(settings: Settings, victim: str) -> None:
    """The worker that holds the turn and its task, or the postman (in dispatch): the same conversation has every answer."""
    user = f"ann-{victim}"
    async with open_post(open_desk(), "default") as post:
        chat = Chat(post, user, None)
        await chat.begin()
        first = await reply_to(chat, "My name is Ann")
        turn = asyncio.create_task(reply_to(chat, POLISH.format("roses are red")))
        await asked()
        kill(settings, victim)
        Polisher.free.set()
        polished = await turn
        kill(settings, victim)  # and while nothing is said: the next turn waits until it is back
        last = await reply_to(chat, "What is my name?")
        rows = await whole(chat.conversation_id, 3)
        counted = await answers_in_log(settings, chat.conversation_id)

    assert (first.sort, polished.agent, polished.text) == ("note", "polisher", "polished: roses are red")
    assert "My name is Ann" in last.text
    assert set(counted.values()) == {1}
    assert set(counted) == {row.message_id for row in rows if row.sender != FRONT}


async def test_a_task_is_answered_once_whoever_was_shown_half_of_it(settings: Settings) -> None:
    """The worker dies in the middle of an answer that is shown as it is made: the next one begins anew, and one answer stands."""
    async with open_post(open_desk(), "default", watch=True) as post:
        chat = Chat(post, "cy", None, watch=True)
        await chat.begin()
        heard: list[Heard] = []

        async def turn() -> None:
            heard.extend([one async for one in chat.say("Write a seafaring ballad: of storms and waves")])

        under_way = asyncio.create_task(turn())
        assert await asyncio.to_thread(Poet.begun.wait, PATIENCE_S)
        await _until(lambda: "Waves roll" in chat.watched.text)
        kill(settings, "worker")
        Poet.free.set()
        await under_way
        await whole(chat.conversation_id, 1)
        counted = await answers_in_log(settings, chat.conversation_id)

    reply = heard[-1]
    assert isinstance(reply, Reply), heard
    assert (reply.agent, reply.text) == ("poet", "Waves roll home to shore.")
    assert [one.agent for one in heard if isinstance(one, Chose)][:1] == ["poet"]
    assert "".join(one.text for one in heard if isinstance(one, Piece)).startswith("Waves roll")
    assert set(counted.values()) == {1}


async def _until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 what is waited for is a plain value of the chat
            await asyncio.sleep(0.02)


async def test_a_turn_outlives_its_terminal(settings: Settings, tmp_path: Path) -> None:
    """The chat is killed while its turn is worked on: the answer stands in the thread, and another terminal goes on there."""
    conversation_id = await asyncio.to_thread(killed_terminal, POLISH.format("violets are blue"), tmp_path / "said")
    Polisher.free.set()
    rows = await whole(conversation_id, 1)
    async with open_post(open_desk(), "default") as post:
        chat = Chat(post, "bo", conversation_id)
        await chat.begin()
        assert chat.last is not None
        before = chat.last.text
        await reply_to(chat, "Thank you")
        rows = await whole(conversation_id, 2)
        counted = await answers_in_log(settings, conversation_id)

    assert before == "polished: violets are blue"
    assert rows[2].in_reply_to == rows[1].message_id
    assert set(counted.values()) == {1}
