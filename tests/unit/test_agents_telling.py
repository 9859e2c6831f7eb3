"""A model's answer told piece by piece inside an agent: to whoever watches, by the step that brings the answer, once."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

import httpx
import pytest

from agents.catalog import build
from agents.errors import AgentFailed
from agents.pipeline import Effects, Result, Toolbox, Work
from agents.port import Ask, Said
from agents.telling import Tell, Telling, said
from events.agent import AgentSpec
from handlers.audience import numbered
from handlers.errand import errand_id, message_of
from learning.outcomes import Outcomes
from store.claim import Hold
from tests.builders import moment
from tests.unit.test_telling import taken

ASK = Ask((), moment(60), "default", "poet", "t1")


class Poet:
    """A language model that says words one by one, or the whole; it may break off, or fail at once."""

    def __init__(self, ends: str = "well") -> None:
        self._ends, self.wholes = ends, 0

    async def complete(self, _ask: Ask) -> Said:
        """Answer."""
        self.wholes += 1
        return Said("One two", "poet-1", "here", False, 1, 2, None, 10)

    async def stream(self, _ask: Ask) -> AsyncGenerator[str | Said, None]:
        """Answer word by word."""
        if self._ends == "no_answer":
            raise AgentFailed("no_answer", "nobody is there")
        for word in ("One", " two"):
            yield word
        if self._ends == "broke_off":
            raise AgentFailed("answer_broke_off", "it stopped")
        yield Said("One two", "poet-1", "here", False, 1, 2, None, 10)


def heard_by(pieces: list[list[str]] | None) -> Telling:
    """Return what opens tellings, each to a list of its own; None: nobody watches."""

    @asynccontextmanager
    async def telling() -> AsyncIterator[Tell | None]:
        if pieces is not None:
            pieces.append([])
        yield pieces[-1].append if pieces is not None else None

    return telling


@pytest.mark.parametrize(
    ("ends", "wholes"), [("well", 0), ("broke_off", 1)], ids=["it goes well", "it breaks off and is asked for once more"]
)
async def test_who_watches_is_told_the_pieces_and_the_answer_comes_whole(ends: str, wholes: int) -> None:
    """A stream that breaks off costs no answer."""
    poet, pieces = Poet(ends), list[list[str]]()

    answer = await said(poet, ASK, heard_by(pieces))

    assert (answer.text, pieces, poet.wholes) == ("One two", [["One", " two"]], wholes)


async def test_who_does_not_watch_costs_no_stream() -> None:
    """Neither where there is no conversation nor where its sender does not watch."""
    poet = Poet("no_answer")  # of a stream

    assert [(await said(poet, ASK, one)).text for one in (None, heard_by(None))] == ["One two"] * 2


async def test_a_failure_that_is_no_break_is_the_answer() -> None:
    """Nobody is asked twice for what nobody can say."""
    poet = Poet("no_answer")

    with pytest.raises(AgentFailed, match="nobody is there"):
        await said(poet, ASK, heard_by([]))
    assert poet.wholes == 0


async def worked(spec: AgentSpec, pieces: list[list[str]]) -> Result:
    """Return what an agent with a language model brings, for somebody who watches."""
    async with httpx.AsyncClient(trust_env=False) as http:
        toolbox = Toolbox(
            Path(), frozenset(), http, lambda _path: cast("Outcomes", None), language=Poet(), clock=lambda: moment(0)
        )
        deadline = moment(0) + timedelta(seconds=30)
        work = Work("default", "t1", 1, spec.id, None, "a verse", {}, deadline, spec=spec, telling=heard_by(pieces))
        return await build(spec, toolbox).run(work, cast("Effects", None), lambda: 0.0)


async def test_only_the_step_that_brings_the_answer_tells() -> None:
    """What an earlier step says is no part of the answer."""
    pieces = list[list[str]]()
    two = {"steps": [{"do": "llm", "name": "draft"}, {"do": "llm", "name": "final"}]}
    result = await worked(AgentSpec("poet", "Writes.", ("poem",), "steps", two), pieces)

    assert result.output["text"] == "One two"
    assert pieces == [["One", " two"]]


async def test_members_of_an_ensemble_do_not_tell() -> None:
    """Their words are no answer before the vote."""
    pieces = list[list[str]]()
    members = {"members": [{"pipeline": "llm"}, {"pipeline": "llm"}], "answer": "text", "confidence": "sure", "threshold": 1.0}
    result = await worked(AgentSpec("poets", "Write.", ("poem",), "ensemble", members), pieces)

    assert result.output["text"] == "One two"
    assert pieces == []


def test_a_later_telling_has_a_higher_number() -> None:
    """By call, then claim, then attempt: whoever shows pieces sees that it begins anew."""
    one = taken()
    order = [
        numbered(one, Hold("t1", attempt, epoch), call).epoch
        for attempt, epoch, call in [(1, 1, 0), (1, 1, 1), (1, 2, 0), (1, 3, 0), (2, 1, 0)]
    ]

    assert order == sorted(set(order))
    assert numbered(one, Hold("t1", 1, 1), 0).event == one.event


def test_a_request_of_the_front_names_its_message() -> None:
    """And no other request does."""
    assert message_of(errand_id("m1")) == "m1"
    assert message_of("m1") is None
