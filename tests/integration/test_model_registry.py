"""Versions on a real stack: registered from the log, validated, promoted, gone back from, and told apart by what served when."""

import asyncio
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from learning.artefact import MANIFEST, STATE
from learning.book import PolicyKey
from learning.errors import ArtefactUnusable
from smolit.cli import app
from smolit.cli.desk import open_desk
from smolit.model import registry
from smolit.model.fold import Scope
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import Said, Smolit, redirected, until

AGENTS = ("adder", "sums")
SWITCHES = ("promoted", "rolled_back", "set", "given_back")


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes, and two agents that do the same, so that there is something to choose."""
    folder = tmp_path_factory.mktemp("models")
    with all_running(stack, folder) as running:
        for agent in AGENTS:
            spec = folder / f"{agent}.yaml"
            spec.write_text(f"id: {agent}\ndescription: Does sums.\nskills: [sum]\npipeline: arithmetic\n")
            assert app.run(["agent", "register", str(spec)]) == 0
        yield running


@pytest.fixture(scope="module")
def smolit(settings: Settings) -> Smolit:
    """The command line, as a function."""
    return redirected()


class Story(NamedTuple):
    """Two versions, and a task with the moment after it: before any promotion, and after each change."""

    first: Any
    second: Any
    tasks: list[str]
    moments: list[str]
    in_force: Any


@pytest.fixture(scope="module")
def story(smolit: Smolit) -> Story:
    """Two versions are promoted, the second is rolled back, and a person sets a policy; each time a task is done."""
    learned(smolit, "story")
    first = version(smolit, "story", "ridge_igw", "--parameters", '{"gain": 5}')
    second = version(smolit, "story", "uniform", "--parent", "1")
    tasks, moments = [done(smolit, "story")], [moment()]
    for number in ("1", "2"):
        assert smolit("model", "validate", number, "--scope", "story").code == 0
        assert smolit("model", "promote", number, "--scope", "story", "--reason", "better").code == 0
        tasks, moments = [*tasks, done(smolit, "story")], [*moments, moment()]
    in_force = smolit("policy", "show", "--scope", "story", "--json").json["in_force"]
    back = smolit("model", "rollback", "--scope", "story", "--reason", "worse")
    assert (back.code, "version 1 is the champion" in back.err) == (0, True)
    tasks, moments = [*tasks, done(smolit, "story")], [*moments, moment()]
    assert smolit("policy", "set", "uniform", "--scope", "story").code == 0
    tasks, moments = [*tasks, done(smolit, "story")], [*moments, moment()]
    until(lambda: smolit("model", "history", "--scope", "story", "--json"), lambda said: said.json[0]["change"] == "set")
    return Story(first, second, tasks, moments, in_force)


def done(smolit: Smolit, scope: str, number: int = 1) -> str:
    """Have a sum done in a scope, and return the task's id."""
    said = smolit("task", "submit", f"{number} + 1", "--kind", "sum", "--scope", scope, "--wait", "--json")
    assert said.code == 0, said
    return str(said.json["task_id"])


def learned(smolit: Smolit, scope: str, tasks: int = 6) -> None:
    """Have sums done and judged, and wait until all of it was learned."""
    made = [done(smolit, scope, number) for number in range(tasks)]
    for number, task in enumerate(made):
        assert smolit("feedback", "give", task, "--value", str(number / tasks)).code == 0
    for task in made:
        shown = partial(smolit, "task", "show", task, "--json")
        until(shown, lambda said: said.code == 0 and bool(said.json["examples"]))


def choice(smolit: Smolit, task: str) -> Any:
    """Return how a task's agent was chosen, once the read models know."""
    return until(lambda: smolit("policy", "explain", task, "--json"), lambda said: said.code == 0).json[0]


def version(smolit: Smolit, scope: str, policy: str, *more: str) -> Any:
    """Register a version, and return what the command says of it."""
    said = smolit("model", "register", "--policy", policy, "--scope", scope, "--json", *more)
    assert said.code == 0, said
    return said.json


def moment() -> str:
    """Return now, as one types it; what happens next happens later."""
    return datetime.now(UTC).isoformat()


def served(smolit: Smolit, at: str, scope: str) -> Any:
    """Return what `model served-at` says."""
    said = smolit("model", "served-at", at, "--scope", scope, "--json")
    assert said.code == 0, said
    return said.json


def test_a_version_is_promoted_serves_and_is_gone_back_from(smolit: Smolit, story: Story) -> None:
    """Each choice after a change is made and named by the version in force; what served at each moment is told to the choice."""
    first, second = story.first, story.second
    chosen = [choice(smolit, task) for task in story.tasks]
    told = [served(smolit, at, "story") for at in story.moments]

    names = [None, first["model"], second["model"], first["model"], None]
    assert story.in_force["decided by"] == f"version {second['model']}"
    assert [one["policy_model"] for one in chosen] == names
    assert [one["policy"] for one in chosen] == ["joint_thompson", "ridge_igw", "uniform", "ridge_igw", "uniform"]
    assert [one["policy_parameters"].get("gain") for one in chosen] == [None, 5.0, None, 5.0, None]
    assert [one["model"] for one in told] == names
    assert [one["decided_by"] for one in told] == ["default", "version", "version", "version", "person"]
    for one, made in zip(told, chosen, strict=True):
        state = (one["policy"], one["policy_version"], one["parameters"], one["digest"], one["upto"], one["choice"]["task_id"])
        fields = ("policy", "policy_version", "policy_parameters", "policy_digest", "policy_upto", "task_id")
        assert state == tuple(made[name] for name in fields)
    # Nothing was learned in between: what serves as the version is, to the byte, what was registered.
    assert (chosen[1]["policy_digest"], chosen[1]["policy_upto"]) == (first["origin"]["digest"], first["origin"]["upto"])


def test_what_served_changes_with_the_fact_and_not_before(smolit: Smolit, story: Story) -> None:
    """A moment before a change, the one before still served; at the moment of the change, the new one."""
    history = smolit("model", "history", "--scope", "story", "--json").json
    (rolled,) = [one for one in history if one["change"] == "rolled_back"]
    at = datetime.fromisoformat(rolled["happened_at"])

    before = served(smolit, (at - timedelta(microseconds=1)).isoformat(), "story")
    then = served(smolit, at.isoformat(), "story")

    assert (before["model"], then["model"]) == (story.second["model"], rolled["model_id"])
    assert (then["choice"], then["digest"], then["reason"]) == (None, None, "worse"), "no choice was made so by then"
    assert [one["change"] for one in history] == [
        "set", "rolled_back", "promoted", "validated", "promoted", "validated", "registered", "registered",
    ]  # fmt: skip


def test_versions_are_listed_shown_compared_and_traced(smolit: Smolit, story: Story) -> None:
    """The same log gives each command its figures; a repeat is the same version, and the lineage leads back."""
    again = version(smolit, "story", "ridge_igw", "--parameters", '{"gain": 5}', "--upto", str(story.first["origin"]["upto"]))
    listed = smolit("model", "list", "--scope", "story", "--json").json
    shown = smolit("model", "show", "1", "--scope", "story", "--json").json
    compared = smolit("model", "compare", "1", "2", "--scope", "story", "--json").json
    line = smolit("model", "lineage", "2", "--scope", "story", "--json").json

    assert (again["model"], again["number"]) == (listed[0]["model"], 1)
    assert [(one["number"], one["verdict"], one["aliases"]) for one in listed] == [(1, "validated", []), (2, "validated", [])]
    assert (shown["artefact"], shown["origin"]["examples"], shown["origin"]["metrics"]["with_reward"]) == ("whole", 6, 6.0)
    assert compared["settings"]["gain"] == [5.0, None]
    assert compared["choices"] >= 6
    assert 0 <= compared["differing_share"] <= 1
    assert [one["number"] for one in line] == [2, 1]
    for words in (("list",), ("show", "1"), ("compare", "1", "2"), ("lineage", "2"), ("history",), ("served-at", "1s")):
        assert smolit("model", *words, "--scope", "story").out.strip()


def test_what_was_not_validated_or_is_not_there_is_not_promoted(smolit: Smolit) -> None:
    """Refused with one sentence that says why; nothing changes in force."""
    version(smolit, "fresh", "uniform")
    unjudged = smolit("model", "promote", "1", "--scope", "fresh")
    unknown = smolit("model", "promote", "7", "--scope", "fresh")
    nobody = smolit("model", "rollback", "--scope", "fresh")
    tried = smolit("model", "promote", "1", "--scope", "fresh", "--dry-run")
    dry = smolit("model", "register", "--policy", "ridge_igw", "--scope", "dry", "--dry-run")

    assert [one.code for one in (unjudged, unknown, nobody, tried, dry)] == [1, 1, 1, 0, 0]
    assert "was not validated yet (not_validated)" in unjudged.err
    assert "has no version '7'" in unknown.err
    assert "no champion to go back to" in nobody.err
    assert served(smolit, moment(), "fresh")["decided_by"] == "default"
    assert smolit("model", "list", "--scope", "dry", "--json").json == []
    assert smolit("model", "register", "--policy", "nonsense").code == 2


def truncated(here: Path) -> None:
    """Cut the state short."""
    (here / STATE).write_bytes((here / STATE).read_bytes()[:-8])


def flipped(here: Path) -> None:
    """Turn one bit of the state round."""
    state = (here / STATE).read_bytes()
    (here / STATE).write_bytes(state[:-1] + bytes([state[-1] ^ 1]))


def poisoned(here: Path) -> None:
    """Put a number that is none into the state, and its digest into the manifest."""
    _replaced(here, (here / STATE).read_bytes()[:-8] + b"\x00" * 6 + b"\xf8\x7f")


def pickled(here: Path) -> None:
    """Put a pickle where the state should be, with its digest in the manifest."""
    _replaced(here, pickle.dumps({"any": "thing"}))


def _replaced(here: Path, state: bytes) -> None:
    manifest = json.loads((here / MANIFEST).read_text())
    manifest["origin"] |= {"artefact_sha256": sha256(state).hexdigest(), "artefact_bytes": len(state)}
    (here / STATE).write_bytes(state)
    (here / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("damage", [truncated, flipped, poisoned, pickled])
def test_a_damaged_artefact_is_refused_rejected_and_restored(smolit: Smolit, settings: Settings, damage: Any) -> None:
    """It is not promoted though it was validated; judged again it is rejected; folded again it is whole and may be promoted."""
    scope = f"torn.{damage.__name__}"
    learned(smolit, scope, 2)
    model = version(smolit, scope, "ridge_igw", "--alias", "shadow")["model"]
    here = settings.data_dir / "models" / model
    damage(here)

    promoted = smolit("model", "promote", model)
    with pytest.raises(ArtefactUnusable):
        asyncio.run(registry.load(open_desk(), Scope("default", scope), "shadow"))
    validated = smolit("model", "validate", model)
    rejected = smolit("model", "show", model, "--json").json
    restored, refused = smolit("model", "restore", model), smolit("model", "promote", model)
    again = (smolit("model", "validate", model).code, smolit("model", "promote", model).code)

    for said in (promoted, validated):
        assert (said.code, said.err.count("\n")) == (1, 1), said
        assert f"artefact {model}" in said.err
    assert rejected["verdict"] == "rejected"
    assert (restored.code, restored.out.strip()) == (0, str(here))
    assert "was rejected" in refused.err
    assert again == (0, 0)
    assert asyncio.run(registry.load(open_desk(), Scope("default", scope))).settings["gain"] == 20.0


def test_versions_may_be_registered_at_once(smolit: Smolit) -> None:
    """Equal ones are one version; different ones have different numbers; each has a whole artefact."""
    learned(smolit, "crowd", 2)
    gains = [1.0, 2.0, 3.0, 3.0, 3.0, 4.0]

    def register(gain: float) -> str:
        desk, scope = open_desk(), Scope("default", "crowd")

        async def go() -> str:
            wanted = registry.Wanted(scope, PolicyKey.of("ridge_igw", {"gain": gain}))
            made, request = await registry.prepare(desk, wanted)
            return (await registry.register(desk, scope, made, request)).id

        return asyncio.run(go())

    with ThreadPoolExecutor(len(gains)) as pool:
        ids = list(pool.map(register, gains))
    listed = smolit("model", "list", "--scope", "crowd", "--json").json

    assert len(set(ids)) == 4
    assert ids[2] == ids[3] == ids[4]
    assert sorted(one["number"] for one in listed) == [1, 2, 3, 4]
    assert {one["model"] for one in listed} == set(ids)
    assert [smolit("model", "show", model, "--json").json["artefact"] for model in sorted(set(ids))] == ["whole"] * 4


def test_old_artefacts_go_but_not_the_best_nor_what_serves(smolit: Smolit, settings: Settings) -> None:
    """A version without its artefact keeps its facts, and is folded again by `model restore`."""
    for gain in (1, 2, 3, 4):
        version(
            smolit, "attic", "ridge_igw", "--parameters", f'{{"gain": {gain}}}', *(("--alias", "champion") if gain == 2 else ())
        )

    planned = smolit("model", "prune", "--scope", "attic", "--keep", "1", "--dry-run", "--json").json
    gone = smolit("model", "prune", "--scope", "attic", "--keep", "1", "--json").json
    missing = smolit("model", "promote", "1", "--scope", "attic")

    folder = settings.data_dir / "models"
    listed = {one["model"]: one["number"] for one in smolit("model", "list", "--scope", "attic", "--json").json}
    assert planned == gone
    assert {number for model, number in listed.items() if (folder / model).exists()} == {2, 4}
    assert (missing.code, "`smolit model restore` folds it anew" in missing.err) == (1, True)
    assert smolit("model", "restore", gone[0]).code == 0
    assert (folder / gone[0] / STATE).exists()
    assert not [name for name in os.listdir(folder) if name.startswith(".")]


def test_the_tracker_has_every_switch_and_nothing_waits_for_it(smolit: Smolit, settings: Settings) -> None:
    """What was promoted and rolled back is in MLflow's tables; while they are locked a promotion goes on, and is caught up."""
    learned(smolit, "tracked", 1)
    version(smolit, "tracked", "ridge_igw", "--alias", "champion")
    second = version(smolit, "tracked", "uniform", "--alias", "challenger")["model"]
    assert smolit("model", "track").code == 0
    with psycopg.connect(settings.postgres.get_secret_value()) as connection, ThreadPoolExecutor(1) as pool:
        connection.execute("lock table mlflow.runs, mlflow.model_versions, mlflow.experiment_tags in access exclusive mode")
        waiting = pool.submit(in_a_child, "model", "track")
        promoted = smolit("model", "promote", second, "--scope", "tracked", "--reason", "while the tracker stood still")
        served_by = choice(smolit, done(smolit, "tracked"))["policy_model"]
        stood_still = not waiting.done()
        connection.rollback()
        assert waiting.result() == 0
    assert smolit("model", "rollback", "--scope", "tracked", "--reason", "worse").code == 0
    assert smolit("model", "track").code == 0
    found = smolit("model", "track", "--verify", "--json").json
    history = until(
        partial(smolit, "model", "history", "--scope", "tracked", "--json"),
        lambda said: sum(one["change"] in SWITCHES for one in said.json) == 4,
    ).json
    query = """select value from mlflow.registered_model_tags
        where name = 'default tracked' and key like 'smolit.switch.%' order by key"""
    with psycopg.connect(settings.postgres.get_secret_value()) as connection:
        told = [json.loads(text) for (text,) in connection.execute(query)]

    assert (promoted.code, served_by, stood_still) == (0, second, True)
    assert (found["equal"], found["behind"]) == (True, 0)
    in_the_log = [(one["change"], one["reason"], one["happened_at"]) for one in history if one["change"] in SWITCHES]
    assert [(one["what"], one["reason"], one["at"]) for one in told] == in_the_log[::-1]
    assert len(told) == 4


def test_the_tracker_made_anew_holds_the_same(smolit: Smolit) -> None:
    """Its content is a fold of the facts; what cannot be meant is refused."""
    assert smolit("model", "track").code == 0
    before = smolit("model", "track", "--verify", "--json").json
    dry, anew = smolit("model", "track", "--rebuild", "--dry-run"), smolit("model", "track", "--rebuild", "--json")
    after = smolit("model", "track", "--verify", "--json").json

    assert (dry.code, anew.code) == (0, 0), anew
    assert (after["equal"], after["tracker_sha256"]) == (True, before["tracker_sha256"])
    assert smolit("model", "track", "--address").out.startswith("postgresql+psycopg://")
    assert smolit("model", "track", "--verify", "--follow").code == 2


def test_the_tracker_is_followed(smolit: Smolit) -> None:
    """Facts that come while somebody follows are tracked without being asked for."""
    with subprocess.Popen([sys.executable, "-m", "smolit", "model", "track", "--follow"], stderr=subprocess.DEVNULL) as follower:
        try:
            version(smolit, "followed", "uniform", "--alias", "shadow")
            verify = partial(smolit, "model", "track", "--verify", "--json")
            found = until(verify, lambda said: said.code == 0 and not said.json["behind"])
        finally:
            follower.terminate()

    assert found.json["equal"]
    assert found.json["facts"] >= 3
    assert found.json["scopes"] >= 1


def in_a_child(*words: str) -> int:
    """Run a command in a process of its own, and return how it ended."""
    return subprocess.run([sys.executable, "-m", "smolit", *words], check=False, timeout=400).returncode


def test_everything_is_in_the_read_models_and_true(smolit: Smolit, story: Story) -> None:
    """`models` and `model_history` are what a naive fold of Kafka gives; every choice comes out again to the bit."""
    known = len(smolit("model", "list", "--json").json)
    verify = partial(smolit, "projection", "verify", "--all", "--json", "-")
    found = until(verify, lambda said: _rows(said, "models") == known)
    choices = smolit("policy", "verify", "--json", "-")

    assert (found.code, choices.code, found.json["equal"], choices.json["equal"]) == (0, 0, True, True)
    assert _rows(found, "model_history") > known >= 2


def _rows(said: Said, name: str) -> int:
    """Return how many rows a read model has."""
    return next(int(one["live_rows"]) for one in said.json["models"] if one["name"] == name)
