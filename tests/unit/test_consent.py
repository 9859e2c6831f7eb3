"""When a person is asked, about what exactly, and who may answer; pure."""

from typing import Any

import pytest

from agents.consent import Consent, approval_id, shown
from agents.signature import Key
from agents.tool import Tool
from agents.tools.call import Grant
from events.approval import Decision, answer_bytes
from events.event import Envelope
from events.request import AnswerApproval
from events.vouched import OPERATOR
from handlers.ending import judge
from streams.admission import Asked, Refused
from streams.approving import approval_fact
from tests.builders import TASK, TENANT, moment
from tests.talk import ANN
from tests.unit.test_ending import finish

BOSS = Key(OPERATOR, b"o" * 32)
SHA = "a" * 64
WHICH = approval_id(TASK, 1, "pay", SHA)


async def nothing(_arguments: Any, _work: Any) -> None:
    """Do nothing."""


def tool(name: str, effect: Any) -> Tool:
    """Return a tool."""
    return Tool(name, "x", {}, {}, nothing, effect=effect)


CALC, LOOK, NOTE, PAY = tool("calc", "none"), tool("look", "read"), tool("note", "write"), tool("pay", "outside")


def test_a_grant_asks_about_what_changes_something_or_about_what_it_names() -> None:
    """Reading and reckoning need nobody unless the spec names them."""
    every, named, none = Grant(frozenset(), ask_all=True), Grant(frozenset(), ask=frozenset({"look"})), Grant(frozenset())

    assert [[grant.asks(one) for one in (CALC, LOOK, NOTE, PAY)] for grant in (every, named, none)] == [
        [False, False, True, True], [False, True, False, False], [False] * 4,
    ]  # fmt: skip


def test_a_tenants_rule_asks_about_effects_outside() -> None:
    """Of that tenant, or of all."""
    acme, all_of_them = Consent(frozenset({"acme"})), Consent(frozenset({"*"}))

    assert [acme.rules("acme", reach) for reach in ("none", "read", "write", "outside")] == [False, False, False, True]
    assert (acme.rules("other", "outside"), all_of_them.rules("other", "outside"), Consent().rules("acme", "outside")) == (
        False, True, False,
    )  # fmt: skip


def test_a_question_is_about_one_exact_call() -> None:
    """Other arguments, another tool, attempt or task: another question."""
    others = {approval_id(TASK, 1, "pay", "b" * 64), approval_id(TASK, 2, "pay", SHA), approval_id("t", 1, "pay", SHA)}

    assert approval_id(TASK, 1, "pay", SHA) == WHICH
    assert len(others | {WHICH, approval_id(TASK, 1, "buy", SHA)}) == 5


def test_long_arguments_are_told_by_their_digest() -> None:
    """And how they begin; what is no JSON by its digest alone."""
    assert shown({"a": 1}, SHA) == {"a": 1}
    assert shown("x" * 30_000, SHA)["sha256"] == SHA
    assert len(shown("x" * 30_000, SHA)["begins"]) == 2_000
    assert shown({1: object()}, SHA) == {"sha256": SHA}


def answer(key: Key, decision: Decision = "granted", signed: Decision = "granted", tenant: str = TENANT) -> Asked:
    """Return an answer by somebody."""
    proof = key.sign(answer_bytes(tenant, WHICH, SHA, signed, "ann", "why not"))
    fields: dict[str, Any] = {"approval_id": WHICH, "task_id": TASK, "arguments_sha256": SHA, "by": "ann", "reason": "why not"}
    envelope = Envelope(id="r", source="tests", subject="s", time=moment(0), correlation_id="r", causation_id="r")
    return Asked(TENANT, envelope, AnswerApproval(decision=decision, proof=proof, **fields))


def test_only_the_operator_answers() -> None:
    """Whoever can write requests can neither grant, nor turn a no into a yes, nor use an answer for another tenant."""
    good = answer(BOSS)
    fact = approval_fact(good, good.request, BOSS.public)  # type: ignore[arg-type]

    assert (fact.decision, fact.by, fact.reason, fact.request_id) == ("granted", "ann", "why not", "r")
    for bad in (answer(ANN), answer(BOSS, "granted", "denied"), answer(BOSS, tenant="acme")):
        with pytest.raises(Refused, match="only the house's operator"):
            approval_fact(bad, bad.request, BOSS.public)  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", ["not_approved", "approval_expired"])
def test_a_no_ends_the_task(reason: str) -> None:
    """Or the next agent would ask the same again."""
    verdict = judge(finish("failed", reason=reason), False, moment(0))

    assert verdict is not None
    assert (verdict.outcome, verdict.reason) == ("failed", reason)
