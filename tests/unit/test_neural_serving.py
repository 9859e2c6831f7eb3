"""A network in force: who may be promoted, what happens where one is gone, what it is worth, and which ones nobody needs."""

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from events.control import Control, evolve
from events.event import Fact
from events.model import Trained
from events.registry import Registry
from events.request import PromoteModel, Request, SetPolicy
from events.task import AgentChosen
from learning.book import PolicyKey
from learning.features import ContextMap
from learning.hashed import HashedEncoder
from learning.network import Graph, Networks, none_here, open_graph
from smolit.audit.choices import sort_log
from smolit.model.fold import Scope
from smolit.retrain.judge import Bench, Judged, judge, metrics_of
from smolit.retrain.network import trainer_of, unproven, unused
from smolit.retrain.split import Range, split
from streams.admission import Refused
from streams.change import control_fact
from streams.chooser import Chooser
from streams.errors import ChoiceImpossible
from streams.library import Library
from tests.builders import SCOPE, TENANT, model_judged, model_registered, origin, policy_set
from tests.networks import MODEL, Flat, card, graph, only
from tests.unit.test_admission import RULES, asked, in_force
from tests.unit.test_chooser import NAMES, NOWHERE, chooser, to_context, wanted
from tests.unit.test_retrain import known, records, story

WORDS = {"kind": "linear", "seed": 0}
TRAINED = Trained(kind="linear", start=0, cut=5, end=9, rows=5, judged=4, table_sha256="ab" * 32, words=WORDS)
NEURAL = origin(policy="neural", policy_version=1, parameters={"model": MODEL, "trained": 3.0}, trained=TRAINED)
REGISTERED = model_registered(origin=NEURAL, model_id=NEURAL.id_in(TENANT, SCOPE))
HERE = only(Flat(["a", "b"]))


def changed(request: Request, networks: Networks) -> Fact:
    """Return the fact of a request about a version that was validated."""
    judged = replace(verdict := model_judged(), fact=replace(verdict.fact, model_id=NEURAL.id_in(TENANT, SCOPE)))
    return control_fact(asked(request), in_force(REGISTERED, judged), RULES, lambda _: pytest.fail("no text to read"), networks)


@pytest.mark.parametrize(
    "wish",
    [
        PromoteModel(scope=SCOPE, model_id=NEURAL.id_in(TENANT, SCOPE), reason="x"),
        SetPolicy(scope=SCOPE, policy="neural", parameters={"model": MODEL}, reason="x"),
    ],
    ids=["promoted", "set"],
)
def test_only_a_network_that_is_here_comes_into_force(wish: Request) -> None:
    """Intake looks before it says yes: who served goes on."""
    assert changed(wish, HERE)
    with pytest.raises(Refused, match="there is no network abababababab"):
        changed(wish, none_here)


def neural_chooser(networks: Networks) -> Chooser:
    """Return a chooser in whose scope `legal` a network is in force."""
    made = chooser()
    made._library = Library(NOWHERE, "tests", NAMES, PolicyKey.of("ridge_igw", {}), 2, "map-1", to_context, networks=networks)
    put = policy_set(policy="neural", parameters={"model": MODEL, "trained": 0.0}, scope="legal")
    made.control.control = evolve(made.control.control, put.fact)
    return made


async def test_where_a_network_is_gone_only_its_scope_waits() -> None:
    """Each of its tasks is told why; others are chosen for, and the process lives."""
    every = [wanted(1), wanted(2, scope="legal"), wanted(3)]

    here = await neural_chooser(HERE).choose_many(every)
    gone = await neural_chooser(none_here).choose_many(every)

    assert [type(one) for one in here] == [AgentChosen] * 3
    assert isinstance(here[1], AgentChosen)
    assert here[1].policy.name == "neural"
    assert [type(one) for one in gone] == [AgentChosen, ChoiceImpossible, AgentChosen]
    assert "there is no network" in str(gone[1])


def test_a_champion_was_shown_to_be_better() -> None:
    """Its interval above what was in force lies above zero; what no network chooses for needs no such proof."""

    def judged(**figures: float) -> str | None:
        return unproven(origin(trained=TRAINED, metrics=figures))

    above = {"more_than_in_force_now": 0.02, "more_than_in_force_now_low": 0.001, "more_than_in_force_now_high": 0.04}
    assert judged(**above) is None
    assert "not shown" in str(judged(**{**above, "more_than_in_force_now_low": -0.001}))
    assert "cannot tell" in str(judged())
    assert unproven(origin()) is None


def test_networks_that_nothing_chooses_by_are_told(tmp_path: Path) -> None:
    """Those of versions with an artefact, and of policies in force, are needed."""
    networks = tmp_path / "networks"
    for name in (MODEL, "cd" * 32):
        (networks / name).mkdir(parents=True)
    by_hand = policy_set(policy="neural", parameters={"model": "cd" * 32})

    assert unused(Control(), tmp_path, networks) == sorted([MODEL, "cd" * 32])
    assert unused(in_force(REGISTERED, by_hand), tmp_path, networks) == [MODEL]
    (tmp_path / NEURAL.id_in(TENANT, SCOPE)).mkdir()
    assert unused(in_force(REGISTERED, by_hand), tmp_path, networks) == []


def test_who_trained_a_network_is_found() -> None:
    """Also for a version that was folded on with it."""
    later = origin(2, policy="neural", parameters={"model": MODEL, "trained": 3.0, "gain": 5.0})
    registry: Registry = in_force(model_registered(1), REGISTERED).registry

    found = trainer_of(registry, later)
    assert found is not None
    assert found.origin == NEURAL
    assert trainer_of(registry, origin(3, policy="neural", parameters={"model": "cd" * 32})) is None


@pytest.fixture(scope="module")
def used() -> ContextMap:
    """The map that ships with the hashed encoder."""
    return ContextMap.load(HashedEncoder().name)


def judged_with(used: ContextMap, slope: float) -> Judged:
    """Judge a network that tells bert this much more than anna, on a log in which either had the same chance."""
    slopes = np.zeros((2, used.width))
    slopes[:, -1] = (-slope, slope)
    network: Graph = open_graph(graph(slopes, card(width=used.width)))
    events = story(used, tasks=600)
    key = PolicyKey.of("neural", {"model": MODEL, "trained": 450.0})
    log = sort_log(records(events), networks=only(network))
    bench = Bench(log, {used.digest: used}, Scope(TENANT, SCOPE), Control(), PolicyKey.of("uniform", {}), key)
    return judge(split(known(used, tasks=600), Range()), bench, network, used)


def test_a_network_is_judged_by_what_came_later(used: ContextMap) -> None:
    """One that knows who is good earns what that one earns, more than what is in force, and its chances come true."""
    found = judged_with(used, 4.0)
    rivals = {one.name: one for one in found.rivals}
    figures = metrics_of(found)

    assert (found.choices, found.rewarded) == (150, 150)
    assert found.earned is not None
    assert found.earned.value > 0.85
    assert rivals["in force now"].network_more is not None
    assert rivals["in force now"].network_more.low > 0.2
    assert rivals["best single"].policy == 'fixed {"agent":"bert"}'
    assert rivals["cosine"].refused == "agent anna has no description"
    assert found.foretold.calibration_error < 0.05
    assert 0.0 < figures["success_error_by_chance"] < 0.05
    assert found.foretold.brier < 0.01
    assert figures["more_than_in_force_now_low"] > 0.2


def test_a_network_that_is_wrong_is_found_out(used: ContextMap) -> None:
    """Its chances are off by nearly one, and their score is worse than that of each agent's mean."""
    found = judged_with(used, -4.0)

    assert found.foretold.calibration_error > 0.9
    assert found.foretold.brier > found.foretold.brier_of_means + 0.5
