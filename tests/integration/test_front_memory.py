"""What the front remembers on a real Postgres: by a model at a stand-in endpoint, by the rules where it fails, and forgotten."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agents.front.remember import METHOD
from agents.llm.backend import Backend
from agents.llm.chain import Chain
from agents.llm.client import Caller
from agents.llm.turn import Backends, Means
from agents.signature import Keyring
from events.conversation import MemoryCorrected, MemoryLearned, MessageSent, Scope, Spoken
from events.request import ForgetMemory, Request
from handlers.front import Front
from handlers.front_port import FRONT
from store import sender_key
from tests.builders import NAMES, TENANT
from tests.endpoint import KEY, MODEL, Endpoint, standing
from tests.integration.hands_kit import now
from tests.integration.test_front import House, Mind, ask
from tests.integration.test_mailbox import Hall, hall
from tests.stacks import Namespace


@asynccontextmanager
async def chain() -> AsyncIterator[tuple[Chain, Endpoint]]:
    """Yield a real chain whose only back end is a stand-in that can misbehave."""
    async with standing() as endpoint:
        made = Chain(Backends((Backend("big", endpoint.url, KEY, MODEL),)), Means(now, time.monotonic), Caller(now))
        try:
            yield made, endpoint
        finally:
            await made.close()


async def front(here: Hall, folder: Path, house: House, language: Chain | None) -> Front:
    """Return a front agent that has `big` read facts out."""
    ring = Keyring(folder / "keys", b"secret")
    key = ring.key(TENANT, FRONT)
    await sender_key.put(here.connection, sender_key.KeyRow(TENANT, FRONT, key.name, key.public, Scope(), None, None))
    errands: Any = house
    return Front(NAMES, house, Mind, language, errands, ring, here.connection, now, here._count, None, "big")


def proposed(*facts: tuple[str, str, str, str]) -> str:
    """Return what the model at the endpoint says: facts as (about, what, value, quote)."""
    names = ("about", "what", "value", "quote")
    return json.dumps({"facts": [dict(zip(names, one, strict=True)) for one in facts]})


async def test_a_model_reads_out_what_the_rules_do_not_and_nothing_that_was_not_said(
    namespace: Namespace, tmp_path: Path
) -> None:
    """`It's Graz these days` corrects where Ann lives; the wife that the model made up is dropped; the method names it."""
    text = "It's Graz these days, I moved, and my cat is called Momo"
    async with hall(namespace) as here, chain() as (language, endpoint):
        endpoint.text = proposed(
            ("home", "", "Graz", "I live in Graz with my wife"),
            ("other", "wife", "Eva", "my wife Eva"),
            ("other", "cat", "Momo", "my cat is called Momo"),
        )
        facts = await ask(here, await front(here, tmp_path, House(), language), text)
    (corrected,) = [one for one in facts if isinstance(one, MemoryCorrected)]
    (learned,) = [one for one in facts if isinstance(one, MemoryLearned)]
    (asked,) = endpoint.calls

    assert (corrected.replaces, corrected.subject, corrected.text) == ("memory-1", "home", "I live in Graz")
    assert (learned.subject, learned.text, learned.method) == ("my:cat", "my cat is called Momo", f"model/1 {MODEL}")
    assert asked["response_format"]["json_schema"]["schema"]["required"] == ["facts"]
    assert "I live in Oslo" in asked["messages"][1]["content"]


@pytest.mark.parametrize("mood", ["broken", "garbage", "misfit", "refuses"])
async def test_where_the_model_fails_the_rules_word_holds(namespace: Namespace, tmp_path: Path, mood: Any) -> None:
    """A correction by rules, of what whoever it was read out, and no other model is asked in its place."""
    async with hall(namespace) as here, chain() as (language, endpoint):
        endpoint.mood, endpoint.text = mood, "no JSON"
        facts = await ask(here, await front(here, tmp_path, House(), language), "No, I moved to Graz")
    (corrected,) = [one for one in facts if isinstance(one, MemoryCorrected)]

    assert (corrected.replaces, corrected.text, corrected.method) == ("memory-1", "I moved to Graz", METHOD)


async def test_a_model_that_finds_nothing_has_the_last_word_but_not_on_what_is_to_be_remembered(
    namespace: Namespace, tmp_path: Path
) -> None:
    """`my question is ...` is no fact; `remember that ...` is one whatever the model makes of it."""
    async with hall(namespace) as here, chain() as (language, endpoint):
        endpoint.text = proposed()
        agent = await front(here, tmp_path, House(), language)
        nothing = await ask(here, agent, "My question is a hard one", message_id="m1")
        noted = await ask(here, agent, "Remember that it rains", message_id="m2")

    assert not [one for one in nothing if isinstance(one, MemoryLearned)]
    assert [(one.text, one.method) for one in noted if isinstance(one, MemoryLearned)] == [("it rains", METHOD)]


async def test_what_is_to_be_forgotten_is_asked_for_with_every_message_that_holds_it(
    namespace: Namespace, tmp_path: Path
) -> None:
    """Also with the wish itself, which names it; the answer does not repeat it, whoever read it out."""
    house = House()

    async def forgets(_tenant: str, request: Request, request_id: str) -> None:
        house.asked.append((request, request_id))
        house.known["ann"] = []

    house.ask = forgets  # type: ignore[method-assign]
    async with hall(namespace) as here:
        facts = await ask(here, await front(here, tmp_path, house, None), "Please forget that I live in Oslo")
    ((request, _),) = house.asked
    answer = next(one.letter for one in facts if isinstance(one, MessageSent))

    assert isinstance(request, ForgetMemory)
    assert (request.user, request.memory_id) == ("ann", "memory-1")
    assert Spoken(message_id="m1", request_id="request-m1") in request.messages
    assert (answer.body["sort"], "Oslo" in answer.text) == ("forget", False)


async def test_what_is_not_known_is_not_forgotten(namespace: Namespace, tmp_path: Path) -> None:
    """Nothing is asked for, and the answer says so."""
    house = House()
    async with hall(namespace) as here:
        facts = await ask(here, await front(here, tmp_path, house, None), "Forget my shoe size")
    answer = next(one.letter for one in facts if isinstance(one, MessageSent))

    assert house.asked == []
    assert answer.text.startswith("I remember nothing of the kind")
