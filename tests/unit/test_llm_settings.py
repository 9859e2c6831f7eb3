"""Settings of language models: what is refused at the start, with the variable's name and never the key."""

import asyncio
from pathlib import Path

import pytest

from agents.errors import AgentFailed
from agents.llm.price import BadPrices
from agents.pipeline import Spent, Stopwatch
from agents.port import Said
from smolit.errors import SettingInvalid
from smolit.process.language import backends_of
from smolit.process.llm import Doorplate, local_backend, look, write_plate
from smolit.process.redact import redactor, secrets_of
from smolit.process.roster import environment, extras, slots
from smolit.settings import PREFIX, load_settings

CANARY = "sk-canary-0d9f"
TWO = {"llm_url": "a=https://x.test/v1, b=http://y.test:8080/v1", "llm_model": "a=big, b=small"}


def test_one_endpoint_is_called_remote_and_the_local_model_comes_last() -> None:
    """One address, one model, one key."""
    found = backends_of(load_settings(llm_url="https://x.test/v1", llm_model="big", llm_key=CANARY))

    assert [(one.name, one.url, one.model, one.key) for one in found.remote] == [("remote", "https://x.test/v1", "big", CANARY)]
    assert found.local is not None


def test_several_endpoints_keep_their_order_and_have_their_own_keys() -> None:
    """By name; a key may be for one only, and may hold an equals sign."""
    found = backends_of(load_settings(**TWO, llm_key=f"a={CANARY}=="))

    assert [(one.name, one.model, one.key) for one in found.remote] == [("a", "big", f"{CANARY}=="), ("b", "small", "")]


def test_a_child_process_gets_the_same_endpoints() -> None:
    """They travel through the environment."""
    given = load_settings(**TWO, llm_key=CANARY, llm_tokens_per_day="100", llm_agent_tokens_per_day="x=5, *=9")
    passed = {name.removeprefix(PREFIX).lower(): text for name, text in environment(given, {}).items()}
    passed.pop("health_port")

    again = load_settings(**passed)
    assert backends_of(again).remote == backends_of(given).remote
    assert (again.llm_tokens_per_day, again.llm_agent_tokens_per_day) == ({"": 100.0}, {"x": "5", "*": "9"})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"llm_key": CANARY}, "SMOLIT_LLM_KEY: there is no back end"),
        ({**TWO, "llm_key": f"a={CANARY} x"}, "SMOLIT_LLM_KEY: a key must be printable"),
        ({**TWO, "llm_key": f"{CANARY}\n"  "x"}, "SMOLIT_LLM_KEY: a key must be printable"),
        ({**TWO, "llm_key": f"a={CANARY}, c={CANARY}"}, "SMOLIT_LLM_KEY: c is no back end"),
        ({"llm_url": "https://x.test/v1"}, "SMOLIT_LLM_MODEL: says no model for remote"),
        ({"llm_url": TWO["llm_url"], "llm_model": "a=big, c=small"}, "SMOLIT_LLM_MODEL: c is no back end"),
        ({"llm_url": "ftp://x.test", "llm_model": "m"}, "SMOLIT_LLM_URL: the address of remote must be http"),
        ({"llm_url": "https://u:p@x.test/v1", "llm_model": "m"}, "SMOLIT_LLM_URL: the address of remote must be http"),
        ({"llm_url": "local=https://x.test/v1", "llm_model": "m"}, "SMOLIT_LLM_URL: 'local' is no name"),
        ({"llm_url": "a=https://x.test/v1, a=https://y.test/v1", "llm_model": "m"}, "SMOLIT_LLM_URL: must be one, or several"),
        ({"llm_tokens_per_day": "-1"}, "SMOLIT_LLM_TOKENS_PER_DAY: must be numbers from 0"),
        ({"llm_tokens_per_day": "nan"}, "SMOLIT_LLM_TOKENS_PER_DAY: must be numbers from 0"),
        ({"llm_microusd_per_day": "5, nobody=1"}, "SMOLIT_LLM_MICROUSD_PER_DAY: nobody is no tenant"),
        ({"llm_agent_tokens_per_day": "a=-5"}, "SMOLIT_LLM_AGENT_TOKENS_PER_DAY: must be whole numbers"),
        ({"llm_agent_tokens_per_day": "5"}, "SMOLIT_LLM_AGENT_TOKENS_PER_DAY: must be whole numbers"),
        ({"llm_prices": "/no/such/file"}, "SMOLIT_LLM_PRICES: is not a file"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(given: dict[str, str], told: str) -> None:
    """One sentence with the variable; a key is never in it."""
    with pytest.raises(SettingInvalid) as refused:
        load_settings(**given)

    assert told in str(refused.value)
    assert CANARY not in str(refused.value)


def test_each_of_several_keys_is_blotted_out() -> None:
    """A key may turn up without the name that it has in the setting."""
    settings = load_settings(**TWO, llm_key=f"a={CANARY}, b=other-key-77")
    hide = redactor(secrets_of(settings, {}))

    assert hide(f"401 for {CANARY} and other-key-77") == "401 for [hidden] and [hidden]"


def test_wrong_prices_refuse_the_start(tmp_path: Path) -> None:
    """A negative price is no price."""
    (tmp_path / "p.yaml").write_text("big: {input: -1, output: 1}")
    with pytest.raises(BadPrices):
        backends_of(load_settings(**TWO, llm_prices=tmp_path / "p.yaml"))


def test_the_local_model_can_be_left_out() -> None:
    """No process, no back end."""
    on, off = load_settings(), load_settings(local_llm="off")

    assert [slot.name for slot in extras(on)] == ["llm"]
    assert extras(off) == []
    assert backends_of(off).local is None
    assert "llm" not in {slot.name for slot in slots(2)}


def test_missing_weights_are_told_by_whoever_looks(tmp_path: Path) -> None:
    """The process writes down why there is no local model, and status says so; without the process, that."""
    settings = load_settings(data_dir=tmp_path / "data")
    (tmp_path / "data").mkdir()
    gone = asyncio.run(look(settings, wake=False))
    write_plate(settings.data_dir, Doorplate(0, "the weights are missing; nothing is downloaded"))
    missing = asyncio.run(look(settings))

    assert [(one.answers, one.told) for one in gone] == [(False, "the process `llm` does not run; `smolit up` starts it")]
    assert [(one.answers, one.told) for one in missing] == [(False, "the weights are missing; nothing is downloaded")]
    with pytest.raises(Exception, match="nothing is downloaded"):
        local_backend(settings)


def test_the_local_model_may_be_in_another_container(tmp_path: Path) -> None:
    """All who share the secret make the same key, and ask at the given place; without the secret nothing starts."""
    one, other = (load_settings(data_dir=tmp_path / name, local_llm_at="llm:8091", choice_secret="s") for name in "ab")

    assert local_backend(one) == local_backend(other)
    assert local_backend(one).url == "http://llm:8091/v1"
    assert local_backend(one).key != local_backend(load_settings(local_llm_at="llm:8091", choice_secret="t")).key
    with pytest.raises(SettingInvalid, match="SMOLIT_CHOICE_SECRET"):
        load_settings(local_llm_at="llm:8091")
    with pytest.raises(SettingInvalid, match="HOST:PORT"):
        load_settings(local_llm_at="llm", choice_secret="s")


def said(cost: int | None, tokens: int = 5) -> Said:
    """Return an answer."""
    return Said("x", "m", "b", False, tokens, 1, cost, 10, prompt_sha256="p", answer_sha256="a")


def test_a_step_adds_up_what_it_used() -> None:
    """Tokens of all calls; a cost only where every call's is known; the attempt's cost is that of its steps."""
    watch = Stopwatch(iter(range(100)).__next__)
    with watch.step("one") as spent:
        spent.on(said(3))
        spent.on(said(4, tokens=7))
    with watch.step("other") as spent:
        spent.on(said(None))
        spent.on(said(4))
    with watch.step("silent"):
        pass

    one, other, silent = watch.steps
    assert (one.tokens_in, one.tokens_out, one.cost_microusd, one.prompt_sha256) == (12, 2, 7, "p")
    assert (other.tokens_in, other.cost_microusd) == (10, None)
    assert (silent.model, silent.tokens_in, silent.cost_microusd) == (None, None, None)
    assert watch.cost_microusd == 7
    assert Spent().cost_microusd is None


def test_a_failed_attempt_keeps_its_steps() -> None:
    """What was used before it failed is not forgotten."""
    watch = Stopwatch(iter(range(100)).__next__)
    with watch.step("plan") as spent:
        spent.on(said(3))
    with pytest.raises(AgentFailed) as failed, watch.step("answer"):
        raise AgentFailed("no_answer", "nobody")

    assert [step.name for step in failed.value.steps] == ["plan", "answer"]
    assert failed.value.steps[0].cost_microusd == 3
