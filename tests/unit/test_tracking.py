"""What the tracker is to hold, as a fold of facts: names, runs, aliases, tags, and what differs."""

import random

import msgspec
import pytest

from events.event import Event, Fact
from events.model import TrialRef
from smolit.apart import address
from smolit.errors import TrackingLibraryMissing
from smolit.tracking import library
from smolit.tracking.content import differences, digest
from smolit.tracking.fold import Told, changed, content, fold, name_of
from tests.builders import (
    SCOPE,
    TENANT,
    model_id,
    model_judged,
    model_promoted,
    model_registered,
    model_rolled_back,
    origin,
    policy_set,
    search_started,
    trial_ended,
)

NAME = name_of(TENANT, SCOPE)
STORY = [
    model_registered(1),
    model_registered(2, at=0.5, parent=model_id(1)),
    model_judged(1),
    model_promoted(1),
    model_judged(2, at=2.5),
    model_promoted(2, at=3),
    model_rolled_back(1, at=4),
    model_judged(2, at=5, fine=False),
    policy_set(None, at=6, scope="elsewhere"),
]


def told(*events: Event[Fact]) -> list[Told]:
    """Return facts with offsets: two apart, as a log has gaps."""
    return [Told(2 * place, event) for place, event in enumerate(events)]


def test_a_version_is_a_run_and_a_model_version_with_our_number() -> None:
    """Settings are parameters, figures and cost metrics; where it comes from and its parent are tags."""
    line = content(fold(told(*STORY)))[NAME]
    run = line.runs[model_id(2)]

    assert (run.name, run.params) == ("version 2 ridge_igw", {"policy": "ridge_igw", "policy_version": "1", "ridge": "2.0"})
    assert run.metrics == {"dr": 2 / 16, "cost.cpu_s": 0.5}
    wanted = {
        "smolit.parent": model_id(1),
        "smolit.parent_number": "1",
        "smolit.first": "3",
        "smolit.upto": "20",
        "smolit.data_sha256": "da" * 32,
        "smolit.code_sha256": "c1" * 32,
        "smolit.environment.python": "3.12",
        "smolit.registered_by": "ann",
    }
    assert wanted.items() <= run.tags.items()
    assert set(line.versions) == {"1", "2"}
    assert line.versions["2"].tags["smolit.verdict"] == "rejected"
    assert line.versions["2"].tags["smolit.why"] == "it is torn"


def test_every_switch_and_its_reason_is_a_tag_of_the_scope() -> None:
    """As many switches as facts that switch, by offset, with alias, version and reason; verdicts are with their version."""
    found = content(fold(told(*STORY)))
    line = found[NAME]
    switches = {key: msgspec.json.decode(text) for key, text in line.tags.items() if key.startswith("smolit.switch.")}

    assert [(key, one["what"], one["version"]) for key, one in sorted(switches.items())] == [
        ("smolit.switch.000000000006", "promoted", "1"),
        ("smolit.switch.000000000010", "promoted", "2"),
        ("smolit.switch.000000000012", "rolled_back", "1"),
    ]
    assert switches["smolit.switch.000000000012"]["reason"] == "it was better"
    assert "smolit.change.000000000014" in line.versions["2"].tags
    assert line.aliases == {"champion": "1"}
    assert [key for key in found[name_of(TENANT, "elsewhere")].tags if "switch" in key] == ["smolit.switch.000000000016"]


def test_order_of_delivery_and_repeats_change_nothing() -> None:
    """Facts that come out of order, or twice under new offsets, give the same content."""
    facts = told(*STORY)
    shuffled = [*facts, *facts[2:5], Told(100, STORY[3])]
    random.Random(1).shuffle(shuffled)

    assert content(fold(shuffled)) == content(fold(facts))
    assert digest(content(fold(shuffled))) == digest(content(fold(facts)))
    assert digest(content(fold(facts[:-2]))) != digest(content(fold(facts)))


def test_only_scopes_of_which_something_was_said_are_looked_at() -> None:
    """What came before an offset is passed over."""
    facts = told(*STORY)

    assert changed(-1, facts) == {NAME, name_of(TENANT, "elsewhere")}
    assert changed(14, facts) == {name_of(TENANT, "elsewhere")}
    assert changed(16, facts) == set()
    assert changed(-1, told(trial_ended())) == {f"{NAME} trials"}


def test_trials_are_runs_of_an_experiment_beside() -> None:
    """Each once, with its setting, its score or why it has none; the version that comes of one names it."""
    found = TrialRef(search_id="look", arm="guided", number=1, score=1 / 16)
    events = [
        search_started(),
        trial_ended(1),
        trial_ended(2, score=None, state="failed", reason="it crashed"),
        trial_ended(1, score=0.9),
    ]
    held = content(fold(told(*events, model_registered(1, origin=origin(1, trial=found)))))
    runs = held[f"{NAME} trials"].runs

    assert sorted(runs) == ["look guided 1", "look guided 2"]
    assert runs["look guided 1"].params == {"gain": "2.0"}
    assert runs["look guided 1"].metrics == {"score": 1 / 16, "seconds": 0.5}
    assert runs["look guided 2"].tags["smolit.reason"] == "it crashed"
    assert held[NAME].runs[model_id(1)].tags["smolit.trial"] == "look guided 1"


def test_names_of_scopes_stay_apart_and_fit() -> None:
    """MLflow takes neither / nor : in the name of a model."""
    names = {name_of(*place) for place in (("a", "b/c"), ("a", "b:c"), ("a", "b-c"), ("a.b", "c"), ("a", "b.c"))}

    assert len(names) == 5
    assert not any(sign in name for name in names for sign in "/:")


def test_what_an_outsider_registered_fits_too() -> None:
    """Long texts are cut, odd names of figures and control characters replaced."""
    odd = origin(1, parameters={"ridge": 1.0, "x": "y" * 9_000}, metrics={"a%b": 1.0}, environment={"os\n": "a\x00b"})
    run = content(fold(told(model_registered(1, origin=odd))))[NAME].runs[model_id(1)]

    assert len(run.params["x"]) < 6_000
    assert "a_b" in run.metrics
    assert run.tags["smolit.environment.os_"] == "a\\x00b"


def test_what_differs_is_named() -> None:
    """Missing, other, and what is not in the log."""
    wanted = content(fold(told(*STORY)))
    line = wanted[NAME]
    held = {NAME: msgspec.structs.replace(line, aliases={"champion": "2", "mine": "1"}, runs={})}

    assert differences(wanted, wanted) == []
    assert sorted(differences(wanted, held)) == sorted(
        [
            (NAME, f"runs {model_id(1)}: missing"),
            (NAME, f"runs {model_id(2)}: missing"),
            (NAME, "aliases champion: other than in the log"),
            (NAME, "aliases mine: not in the log"),
            (name_of(TENANT, "elsewhere"), "the whole scope: missing"),
        ]
    )


def test_the_address_keeps_what_the_setting_says() -> None:
    """Password, host and options of either way to write a Postgres address; tables lie in a schema of their own."""
    url = address("postgresql://ann:p%40ss@db:5433/smolit?sslmode=require&options=-cjit%3Doff", "mlflow")
    words = address("host=db port=5433 user=ann password=p@ss dbname=smolit sslmode=require options=-cjit=off", "mlflow")

    assert url == words
    assert url.startswith("postgresql+psycopg://ann:p%40ss@db:5433/smolit?")
    assert "search_path%3Dmlflow" in url
    assert "jit%3Doff" in url
    assert "sslmode=require" in url


def test_where_mlflow_is_not_installed_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the command that installs it."""
    monkeypatch.setattr(library, "find_spec", lambda _name: None)

    with pytest.raises(TrackingLibraryMissing, match="make install-tracking"):
        library.library()
