"""The parts of the chain by themselves: breaker, retries, prices, personal data, what a reply may look like."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import AgentFailed
from agents.llm import fit, pii, prompt, weights
from agents.llm.allowance import Retries
from agents.llm.backend import BackendFailed
from agents.llm.breaker import MOST_CALLS, MOST_FAILURES, Breaker
from agents.llm.completion import read
from agents.llm.price import BadPrices, Price, load
from agents.llm.trouble import retry_after_s
from agents.port import Ask, Message

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def failing(breaker: Breaker, times: int, at: float = 0.0) -> int:
    """Let so many calls fail one after the other; return how many were let through."""
    through = 0
    for _ in range(times):
        if breaker.allow(at):
            through += 1
            breaker.failed(at)
    return through


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    """Five calls go out; then none until the rest is over; then exactly one at a time; its success closes it."""
    breaker = Breaker(rest_s=10)

    assert failing(breaker, 50) == MOST_FAILURES
    assert breaker.state(9.9) == "open"
    assert breaker.state(10.0) == "half_open"
    assert [breaker.allow(10.0), breaker.allow(10.0)] == [True, False]
    breaker.succeeded()
    assert breaker.state(10.0) == "closed"


def test_a_failed_probe_makes_the_next_rest_longer() -> None:
    """Ten seconds, twenty, forty, and never more than five minutes."""
    breaker, now, rests = Breaker(rest_s=10), 0.0, []
    failing(breaker, MOST_FAILURES)
    for _ in range(8):
        rests.append(breaker.rests_s(now))
        now += breaker.rests_s(now)
        assert failing(breaker, 1, now) == 1

    assert rests == [10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize("at_a_time", [1, 3, 8, MOST_CALLS])
def test_a_breaker_opens_within_ten_calls_however_many_wait(at_a_time: int) -> None:
    """With many calls under way at a time no more than ten reach a back end that fails."""
    breaker, through = Breaker(), 0
    for _ in range(20):
        under_way = sum(breaker.allow(0.0) for _ in range(at_a_time))
        through += under_way
        for _ in range(under_way):
            breaker.failed(0.0)
            through += (again := breaker.allow(0.0))
            if again:
                breaker.failed(0.0)

    assert breaker.state(0.0) == "open"
    assert MOST_FAILURES <= through <= MOST_CALLS


def test_a_wish_to_be_left_alone_is_honoured_at_once() -> None:
    """One 429 with Retry-After is enough."""
    breaker = Breaker()
    assert breaker.allow(0.0)
    breaker.failed(0.0, retry_after_s=7.0)

    assert not breaker.allow(6.9)
    assert breaker.allow(7.0)


def test_a_success_forgets_failures() -> None:
    """Only failures in a row count."""
    breaker = Breaker()
    for _ in range(10):
        assert failing(breaker, MOST_FAILURES - 1) == MOST_FAILURES - 1
        assert breaker.allow(0.0)
        breaker.succeeded()

    assert breaker.state(0.0) == "closed"


@given(st.lists(st.booleans(), max_size=400))
def test_retries_never_exceed_a_tenth_of_the_calls(failures: list[bool]) -> None:
    """Whatever fails: retries <= 0.1 * calls."""
    retries, taken = Retries(), 0
    for failed in failures:
        retries.called()
        taken += failed and retries.take()

    assert taken <= 0.1 * len(failures) + 1e-9


@given(st.lists(st.just(True), min_size=100, max_size=200))
def test_retries_are_granted_where_calls_allow_them(calls: list[bool]) -> None:
    """The budget is not nothing."""
    retries, taken = Retries(), 0
    for _ in calls:
        retries.called()
        taken += retries.take()

    assert taken == len(calls) // 10


def test_costs_are_rounded_up() -> None:
    """0.15 and 0.6 dollars per million tokens: 7 and 3 tokens are 2.85 microdollars, so 3."""
    assert Price(0.15, 0.6).of(7, 3) == 3
    assert Price(0.0, 0.0).of(1000, 1000) == 0


@pytest.mark.parametrize("text", ["a: {input: -1, output: 2}", "a: {input: 1}", "a: {input: x, output: 1}", "- 1", "a: {in: 1"])
def test_wrong_prices_are_refused(tmp_path: Path, text: str) -> None:
    """Negative, missing or senseless prices are refused with the file's name."""
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(BadPrices, match=r"prices\.yaml"):
        load(tmp_path / "prices.yaml")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("write to jane.doe+x@mail.example.org now", "write to [e-mail] now"),
        ("IBAN DE89 3704 0044 0532 0130 00, please", "IBAN [IBAN], please"),
        ("GB82WEST12345698765432", "[IBAN]"),
        ("card 4111 1111 1111 1111.", "card [card]."),
        ("5500-0000-0000-0004", "[card]"),
        ("call +49 170 1234567 or (212) 555-0187", "call [phone] or [phone]"),
        ("ring 0170 1234567", "ring [phone]"),
    ],
)
def test_personal_data_is_hidden(text: str, hidden: str) -> None:
    """What is somebody's does not get into a log."""
    assert pii.hide(text) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "DE00370400440532013000",
        "2030-01-31T12:00:00Z",
        "took 1234567 us, 3.14159",
        "offset 18446744073709551615",
        "127.0.0.1:25081",
        "task 5fabe7b0-0982-5a96-8a43-337026c58bb9",
        "in 10 000 000 cases",
    ],
)
def test_what_is_no_account_is_left_alone(text: str) -> None:
    """Numbers that fail their check, times, ports and ids stay readable."""
    assert pii.hide(text) == text


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("Tue, 01 Jan 2030 00:00:09 GMT", 9.0), ("soon", None), ("nan", None), ("inf", None)],
)
def test_retry_after_is_a_number_or_a_date(said: str, seconds: float | None) -> None:
    """Both forms of the header; anything else is none."""
    assert retry_after_s({"retry-after": said}, NOW) == seconds


GOOD = (
    b'{"choices":[{"message":{"content":"yes"},"finish_reason":"stop"}],"model":"m",'
    b'"usage":{"prompt_tokens":1,"completion_tokens":2}}'
)


def test_a_good_reply_is_read() -> None:
    """Text, model and tokens."""
    reply = read(GOOD)
    assert (reply.text, reply.model, reply.tokens_in, reply.tokens_out, reply.cut) == ("yes", "m", 1, 2, False)


def test_what_no_store_can_hold_is_replaced() -> None:
    """NUL would be refused by Postgres, and half a character by everybody; a name is cut to a bearable length."""
    body = GOOD.replace(b'"yes"', b'"y\\u0000s"').replace(b'"m"', b'"' + b"m" * 500 + b'"')
    reply = read(body)

    assert reply.text == "y\ufffds"
    assert len(reply.model) == 128


@given(st.integers(0, len(GOOD) - 1))
def test_half_a_reply_is_none(length: int) -> None:
    """No prefix of a good reply is taken for one."""
    with pytest.raises(BackendFailed):
        read(GOOD[:length])


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "quota"}}',
        b'{"choices": [], "model": "m"}',
        b'{"choices": [{"message": {"content": "  "}}], "model": "m"}',
        b'{"choices": [{"message": {"content": 7}}], "model": "m"}',
        b'{"choices": [{"message": {"content": "x"}}]}',
        b"<html>502 Bad Gateway</html>",
        b"",
    ],
)
def test_an_error_text_is_never_an_answer(body: bytes) -> None:
    """Errors, emptiness and pages of proxies are typed failures."""
    with pytest.raises(BackendFailed) as failed:
        read(body)
    assert failed.value.trouble in ("garbage", "empty")


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def test_answers_are_held_to_their_schema() -> None:
    """JSON that fits, also between fences; what does not fit says where."""
    assert fit.parsed('{"n": 1}', SCHEMA) == {"n": 1}
    assert fit.parsed('```json\n{"n": 1}\n```', SCHEMA) == {"n": 1}
    for text in ('{"n": "1"}', "{}", "n = 1", "[1]", '{"n": 1'):
        with pytest.raises(BackendFailed) as failed:
            fit.parsed(text, SCHEMA)
        assert failed.value.trouble == "misfit"


def test_a_schema_fetches_nothing() -> None:
    """A reference to another document is refused, and no call goes out for it."""
    with pytest.raises(AgentFailed, match="refers to what is not in it"):
        fit.parsed("{}", {"$ref": "http://127.0.0.1:1/schema.json"})
    with pytest.raises(AgentFailed, match="is none"):
        fit.check_schema({"type": "cat"})


def an_ask(text: str = "hello", **more: object) -> Ask:
    """Return a question."""
    given = {"tenant": "default", "agent": "a", "task_id": "t", **more}
    return Ask((Message("user", text),), NOW + timedelta(seconds=9), **given)  # type: ignore[arg-type]


def test_the_same_question_of_the_same_attempt_has_the_same_key() -> None:
    """Task, attempt, purpose and prompt make the key under which a back end knows a call."""
    keys = [
        prompt.call_key(one, prompt.digest(prompt.written(one)))
        for one in (
            an_ask(),
            an_ask(),
            an_ask("other"),
            an_ask(attempt=2),
            an_ask(purpose="plan"),
            an_ask(task_id="u"),
            an_ask(tenant="x"),
        )
    ]

    assert keys[0] == keys[1]
    assert len(set(keys)) == len(keys) - 1


def test_the_weights_are_the_pinned_ones(tmp_path: Path) -> None:
    """The installed file has its hash; another one is refused with both, and nothing is fetched."""
    found = weights.find()
    weights.check(found)
    (tmp_path / found.path.name).write_bytes(b"GGUF but another one")
    with pytest.raises(weights.WeightsUnusable, match="nothing is downloaded"):
        weights.check(weights.Weights(tmp_path / found.path.name))


def test_missing_weights_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the distribution there is one sentence."""
    monkeypatch.setattr(weights, "DISTRIBUTION", "no-such-distribution")
    with pytest.raises(weights.WeightsUnusable, match=r"is missing .*nothing is downloaded"):
        weights.find()
