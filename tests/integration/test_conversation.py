"""Conversations on a real stack with all processes running: a chat, its thread, its memory, and who is kept out."""

import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from msgspec.structs import replace

from bench.agents.chat_path import STAGES, run
from bus.producer import Publisher
from events.conversation import Letter, MessageRefused
from events.event import Event
from events.request import SendMessage
from events.topics import PIECES, Names
from handlers.telling import piece
from projections.conversation import thread
from smolit.chat.post import open_post
from smolit.chat.session import Chat, Reply
from smolit.cli import app
from smolit.cli.desk import now, open_desk
from smolit.client import Ask
from smolit.process.keys import keyring
from smolit.settings import Settings
from smolit.stack import local
from store.mailbox import Taken
from tests.processes import all_running
from tests.said import PATIENCE_S, Said, Smolit, redirected, until
from tests.talk import letter, sent

ROOM = 5  # messages of a mailbox


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes, started once for this module in a namespace of their own; they die with this process."""
    with all_running(stack, tmp_path_factory.mktemp("talk"), mailbox_room=ROOM) as running:
        yield running


@pytest.fixture
def smolit(settings: Settings) -> Smolit:
    """The command line, as a function."""
    return redirected()


def chat(*lines: str, user: str = "ann", more: tuple[str, ...] = ()) -> tuple[list[dict[str, Any]], int]:
    """Say lines through a pipe, and return what was heard as JSON, and the exit code."""
    argv = [sys.executable, "-P", "-m", "smolit", "chat", "--user", user, "--json", *more]
    done = subprocess.run(argv, input="\n".join(lines).encode(), capture_output=True, timeout=PATIENCE_S * 2, check=False)
    assert not done.stderr or done.returncode, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode


def chat_here(*lines: str, user: str = "ann") -> list[dict[str, Any]]:
    """Say lines to the chat in this process, and return the answers: it saves Python's start."""
    told = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(told):
        patch.setattr(sys, "stdin", StringIO("\n".join(lines) + "\n"))
        app.run(["chat", "--user", user, "--json"])
    return replies([json.loads(line) for line in told.getvalue().splitlines()])


def replies(heard: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the answers alone."""
    return [one for one in heard if one["type"] == "reply"]


def test_a_chat_gives_tasks_away_and_remembers_what_it_was_told(smolit: Smolit, tmp_path: Path) -> None:
    """Through a pipe: talk, a note, a task with its choice, why, feedback, history and a file; and after all that it goes on."""
    heard, code = chat(
        "Hello there",
        "My name is Ann and I live in Oslo",
        "What is 12 * (3 + 4)?",
        "/why",
        "/feedback good",
        f"/save {tmp_path / 'talk.md'}",
        f"/save {tmp_path / 'talk.md'}",
        "/history",
    )
    said = replies(heard)
    commands = {one["command"]: one["lines"] for one in heard if one["type"] == "command"}

    assert (code, [one["sort"] for one in said]) == (0, ["talk", "note", "task"])
    assert "No language model is there" in said[0]["text"] or said[0]["model"]
    assert (said[2]["agent"], said[2]["text"]) == ("arithmetic", "84")
    assert [one["agent"] for one in heard if one["type"] == "chosen"] == ["arithmetic"]
    assert commands["why"][0].startswith("Attempt 1: arithmetic was chosen out of ")
    assert commands["feedback"] == [f"feedback on {said[2]['task_id']} is recorded"]
    assert len(commands["history"]) == 6
    assert "**arithmetic**: 84" in (tmp_path / "talk.md").read_text(encoding="utf-8")

    again, _ = chat("What is my name?", "Where do I live?", more=("--conversation", said[0]["conversation_id"]))
    assert [one["text"].partition(": ")[2] for one in replies(again)] == ['"My name is Ann".', '"I live in Oslo".']
    ours = ("conversation", "show", said[0]["conversation_id"], "--json")
    thread = until(lambda: smolit(*ours), lambda shown: len(shown.json["messages"]) >= 10).json["messages"]
    assert len(thread) == 10
    assert smolit("projection", "verify", "--all").code == 0


def test_a_question_back_is_answered_in_the_next_turn(smolit: Smolit) -> None:
    """What nobody fits is asked about, with who is there; the next turn completes the task."""
    said = chat_here(
        "Please read the attached scan",
        "never mind",
        "Is this review positive or negative: this text",
        "It was wonderful, I love it",
    )

    assert [one["kind"] for one in said] == ["clarification", "response", "clarification", "response"]
    assert "/file" in said[0]["text"]
    assert said[3]["agent"] in {"sentiment", "sentiment-lexicon"}


def test_a_turn_that_asks_several_things_goes_to_a_supervisor(smolit: Smolit) -> None:
    """Each of its requests is a part for whom it suits best, and one answer has them all."""
    (said,) = chat_here(
        "Work out 6 * 7, then add 8 to the result. Is this review positive or negative: I love it, great service!"
    )

    assert (said["sort"], said["agent"]) == ("task", "supervisor")
    assert all(word in said["text"] for word in ("42", "50", "positive"))


def test_what_is_forgotten_is_nowhere(smolit: Smolit, settings: Settings) -> None:
    """A canary is in no read table but the copy of the log, nor in any answer; and not after a rebuild either."""
    canary = "Quetzalcoatlus"
    heard = chat_here(f"My cat is called {canary}", "What is my cat called?", user="eve")
    assert [canary in one["text"] for one in heard] == [True, True]
    held = until(lambda: smolit("memory", "show", "--user", "eve", "--json"), lambda said: bool(said.out) and len(said.json) == 1)
    other = chat_here("What is my cat called?", user="bob")

    assert smolit("memory", "forget", held.json[0]["memory_id"], "--user", "eve").code == 0
    until(lambda: smolit("memory", "show", "--user", "eve", "--json"), lambda said: said.json == [])
    after = chat_here("What is my cat called?", user="eve")
    assert not any(canary in one["text"] for one in after + other)
    until(lambda: Said(0, repr(where(settings, canary)), ""), lambda said: said.out == repr({"event_log_v1"}))
    assert smolit("projection", "rebuild", "--all").code == 0
    assert where(settings, canary) == {"event_log_v1"}
    assert smolit("memory", "show", "--user", "eve", "--history", "--json").json[0]["state"] == "forgotten"


def where(settings: Settings, word: str) -> set[str]:
    """Return the tables outside the queues in which a word stands."""
    found = set()
    with psycopg.connect(settings.postgres.get_secret_value()) as connection:
        rows = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE' "
            "and table_schema not in ('pg_catalog', 'information_schema', 'ops')"
        ).fetchall()
        for schema, table in rows:
            query = f'select exists (select from "{schema}"."{table}" as row where row::text like %s)'
            if connection.execute(query.encode(), (f"%{word}%",)).fetchone() == (True,):
                found.add("event_log_v1" if table.startswith("event_log_v1") else table)
    return found


def test_a_newer_fact_wins_and_the_older_one_stays_in_the_history(smolit: Smolit) -> None:
    """Said in a talk, or told by hand."""
    heard = chat_here("I live in Rome", "I have moved to Paris", "Where do I live?", user="carl")
    assert "Paris" in heard[2]["text"]
    assert smolit("memory", "add", "I live in Lima", "--user", "carl").code == 0

    ask = ("memory", "show", "--user", "carl", "--history", "--json")
    known = until(lambda: smolit(*ask), lambda said: len(said.json) == 3).json
    assert [(one["text"], one["state"]) for one in known] == [
        ("I live in Lima", "holds"),
        ("I have moved to Paris", "corrected"),
        ("I live in Rome", "corrected"),
    ]


def test_nobody_reads_or_writes_anothers_conversation(smolit: Smolit) -> None:
    """An unknown one, another user's and another tenant's: the same words; and the attempt is on record."""
    talk = chat_here("Hello", user="dora")[0]["conversation_id"]
    until(lambda: smolit("conversation", "show", talk), lambda said: said.code == 0)
    wrong = [
        smolit("conversation", "show", "no-such-talk"),
        smolit("conversation", "show", talk, "--user", "mallory"),
        smolit("conversation", "show", talk, "--tenant", "acme"),
    ]
    sent = smolit("conversation", "send", "let me in", "--from", "user:mallory", "--to", "front", "--conversation", talk)

    assert {said.err.replace(talk, "X").replace("no-such-talk", "X") for said in wrong} == {
        "Error: no conversation 'X' is known\n"
    }
    assert (sent.code, "not_yours" in sent.err) == (1, True)
    shown = until(lambda: smolit("conversation", "show", talk, "--json"), lambda said: "not_yours" in said.out)
    assert [one["refused"] for one in shown.json["messages"]] == [None, None, "not_yours"]


def test_a_hundred_conversations_at_once_do_not_mix(settings: Settings) -> None:
    """Every thread holds what was said in it, in the order of the log, and nothing else."""
    names = [f"hundred-{number}" for number in range(100)]

    async def go() -> dict[str, list[str | None]]:
        async with open_post(open_desk(), "default") as post:
            await post.sign_in("user:many")
            for turn in range(3):
                letters = [said(f"{name}/{turn}", name, f"{name} turn {turn}") for name in names]
                await asyncio.gather(*(post.send(one) for one in letters))
            threads: dict[str, list[str | None]] = {}
            end = time.monotonic() + PATIENCE_S
            while time.monotonic() < end and sum(map(len, threads.values())) < 300:
                rows = {name: await thread(post.connection, "default", name) for name in names}
                threads = {name: [row.text for row in found if row.delivered_at] for name, found in rows.items()}
            return threads

    threads = asyncio.run(go())
    assert threads == {name: [f"{name} turn {turn}" for turn in range(3)] for name in names}


def test_every_turn_has_exactly_one_answer(settings: Settings) -> None:
    """Tasks through the front agent, five at a time, each stage timed."""
    found = asyncio.run(run(open_desk(), "default", turns=25, window=ROOM))

    assert (found.turns, found.answers, found.outcomes) == (25, {1: 25}, {"completed": 25})
    assert {one.stage for one in found.stages} == set(STAGES)


def test_a_full_mailbox_refuses_its_sender_within_a_second(settings: Settings) -> None:
    """Nobody empties it; each refusal is a fact and comes by itself: within a second, or as fast as a busy machine delivers."""
    refused = 5

    async def go() -> tuple[list[str], list[float]]:
        async with open_post(open_desk(), "default") as post:
            await post.sign_in("user:pushy")
            fates, took = [], []
            for number in range(ROOM + refused):
                letter = said(f"push-{number}", "pushing", "now!", recipient="nobody", sender="user:pushy")
                began = time.monotonic()
                fate = await post.fate(letter, await post.send(letter), PATIENCE_S)
                took.append(time.monotonic() - began)
                fates.append(fate.reason if isinstance(fate, MessageRefused) else type(fate).__name__)
            return fates, took

    fates, took = asyncio.run(go())
    assert fates == ["MessageDelivered"] * ROOM + ["queue_full"] * refused
    assert min(took[ROOM:]) < max(1.0, *took[:ROOM])


def test_an_agent_answers_under_its_own_name_what_is_asked_of_it(smolit: Smolit) -> None:
    """A query by an agent's id is its task; the answer is signed with its key and stands in the thread."""
    sent = smolit("conversation", "send", "What is 3 + 4?", "--from", "user:zoe", "--to", "arithmetic", "--json")
    shown = until(
        lambda: smolit("conversation", "show", sent.json["letter"]["conversation_id"], "--json"),
        lambda told: told.code == 0 and len(told.json["messages"]) > 1,
    )
    answer = shown.json["messages"][1]

    assert (answer["sender"], answer["kind"], answer["text"], answer["refused"]) == ("arithmetic", "response", "7", None)


def said(message_id: str, conversation_id: str, text: str, **fields: Any) -> Letter:
    """Return an update from one person to another, who reads the thread."""
    usual = {"sender": "user:many", "recipient": "user:other", "kind": "update"}
    return Letter(conversation_id=conversation_id, message_id=message_id, text=text, **{**usual, **fields})


def test_what_is_forged_replayed_expired_or_out_of_scope_is_refused_and_on_record(settings: Settings) -> None:
    """Each reaches nobody, and the thread says why; the one that was sent as it should be is delivered."""
    good = said("good", "guarded", "as signed")
    late = said("late", "guarded", "too late", expires_at=now() - timedelta(seconds=1))
    loud = said("loud", "guarded", "to everybody", recipient="*", kind="broadcast")

    async def go() -> list[str | None]:
        async with open_post(open_desk(), "default") as post:
            await post.sign_in("user:many")
            key = keyring(settings).key("default", "user:many")
            signed, *others = (key.signed("default", one) for one in (good, late, loud))
            for one in (signed, signed, replace(signed, message_id="forged", text="not as signed"), *others):
                await post.client.send([Ask(SendMessage(letter=one))])
            end = time.monotonic() + PATIENCE_S
            while time.monotonic() < end:
                rows = await thread(post.connection, "default", "guarded")
                if len(rows) == 5 and all(row.delivered_at or row.refused for row in rows):
                    break
            return [row.refused for row in rows]

    assert asyncio.run(go()) == [None, "replayed", "forged", "expired", "out_of_scope"]


def test_a_key_is_replaced_and_the_thread_goes_on(smolit: Smolit) -> None:
    """The new one signs, and a message signed by nobody known is refused."""
    chat_here("Hello", user="gil")
    assert smolit("conversation", "rotate", "--from", "user:gil").code == 0

    assert len(chat_here("Hello again", user="gil")) == 1


def test_who_can_do_something_is_alive(smolit: Smolit) -> None:
    """Live agents that fit, best first; nobody is an empty list with the reason."""
    found = until(
        lambda: smolit("agent", "who", "calculate an arithmetic expression", "--json"), lambda said: bool(said.json["agents"])
    )
    nobody = smolit("agent", "who", "xylophone zither", "--json")

    assert found.json["agents"][0]["id"] == "arithmetic"
    assert nobody.json["agents"] == []
    assert nobody.json["reason"]


def test_a_terminal_has_a_prompt_and_an_answer(settings: Settings) -> None:
    """Through a real pseudo-terminal: a task, a command, pasted lines, talk shown as it is made, a turn given up, and /quit."""
    main, other = pty.openpty()
    argv = [sys.executable, "-P", "-m", "smolit", "chat", "--user", "ted"]
    process = subprocess.Popen(argv, stdin=other, stdout=other, stderr=other, close_fds=True)
    os.close(other)
    try:
        seen = typed(main, "", "> ")
        seen += typed(main, "What is 2 + 3?\n", "arithmetic: 5")
        seen += typed(main, "/help\n", "/quit")
        typed(main, "\x1b[200~What is\n4 + 4?\x1b[201~\n", "arithmetic: 8")  # as terminals send what is pasted
        talk = typed(main, "Hello there, how are you today?\n", " (local fallback))")
        typed(main, "", "> ")
        typed(main, "Tell me a long story about a lighthouse\n", "lighthouse\r\n")
        typed(main, "", " ")  # the answer has begun
        process.send_signal(signal.SIGINT)
        given_up = typed(main, "", "> ")
        os.write(main, b"/quit\n")
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        os.close(main)
    assert "arithmetic is at work (the only one who can" in seen
    assert "(local fallback): " not in talk  # who spoke stands behind what was shown piece by piece
    assert "no longer waited for" in given_up


def test_what_is_no_text_or_too_long_is_said_to_be_and_the_chat_goes_on(settings: Settings) -> None:
    """Bytes that are no UTF-8 are replaced, a turn that no message can hold is not sent, an empty line is none."""
    argv = [sys.executable, "-P", "-m", "smolit", "chat", "--user", "uta", "--json"]
    lines = b"\n".join([b"My name is Ut\xff", b"", b"x" * 100_001, b"What is my name?"])
    done = subprocess.run(argv, input=lines, capture_output=True, timeout=PATIENCE_S * 2, check=False)
    heard = [json.loads(line) for line in done.stdout.splitlines()]

    assert [one["type"] for one in heard] == ["reply", "failed", "reply"]
    assert heard[1]["detail"].startswith("a turn may have 100000 characters, not 100001")
    assert "My name is Ut\ufffd" in heard[2]["text"]
    assert done.returncode == 1


def test_where_somebody_lives_is_forgotten_when_they_say_so(smolit: Smolit) -> None:
    """In the chat itself: the next question finds nothing, the thread has lost the words, and the read models are true."""
    said = chat_here("I live in Quedlinburg", "Please forget where I live", "Where do I live?", user="wim")
    assert [one["sort"] for one in said] == ["note", "forget", "recall"]
    assert "I do not know that" in said[2]["text"]

    shown = until(
        lambda: smolit("conversation", "show", said[0]["conversation_id"], "--json"),
        lambda told: "Quedlinburg" not in told.out and len(told.json["messages"]) == 6,
    )
    assert [one["text"] is None for one in shown.json["messages"]] == [True, True, True, False, False, False]
    assert smolit("projection", "verify", "--all").code == 0


def test_a_follow_up_goes_on_with_the_result_before(settings: Settings) -> None:
    """Its task stands by itself, with the number in it."""
    said = chat_here("What is 12 * 7?", "and plus 3?", user="xu")

    assert [(one["agent"], one["text"]) for one in said] == [("arithmetic", "84"), ("arithmetic", "87")]


def typed(terminal: int, text: str, wanted: str) -> str:
    """Type something, and return what the terminal showed once it holds what is wanted."""
    os.write(terminal, text.encode())
    seen, end = "", time.monotonic() + PATIENCE_S
    while wanted not in seen:
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 4096).decode(errors="replace")
    return seen


async def test_a_chat_goes_on_where_old_pieces_are_gone(settings: Settings) -> None:
    """Kafka deletes them after minutes: under a terminal that sat there, and before one that begins."""
    desk = open_desk()
    names, place = Names(settings.topic_prefix), TopicPartition(Names(settings.topic_prefix).of(PIECES), 0)
    old = taken_of(letter(conversation_id="elsewhere"))
    async with open_post(desk, "default", watch=True) as sitting:
        publisher = Publisher(desk.endpoints.kafka, "test")
        await publisher.start()
        told = await publisher.publish([piece(old, number, "old", names, now()) for number in range(50)])
        await publisher.stop()
        await forget_records(desk.endpoints.kafka, place, told[-1].offset + 1)
        chat = Chat(sitting, "yan", None, watch=True)
        await chat.begin()
        heard = [one async for one in chat.say("What is 2 + 5?")]
    async with open_post(desk, "default", watch=True) as fresh:
        again = Chat(fresh, "yan", chat.conversation_id, watch=True)
        await again.begin()
        more = [one async for one in again.say("and plus 3?")]

    assert [one.text for one in (heard[-1], more[-1]) if isinstance(one, Reply)] == ["7", "10"]


def taken_of(one: Letter) -> Taken:
    """Return a message as the front has taken it."""
    event = sent(one)
    return Taken("front", 1, 5, 1, Event(event.envelope, event.fact))


async def forget_records(kafka: str, place: TopicPartition, before: int) -> None:
    """Have Kafka delete what lies before an offset."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_records({place: RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()
