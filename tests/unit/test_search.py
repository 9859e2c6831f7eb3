"""A search: which trial is next, when one is given up, what fails, and that nothing depends on what was killed."""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest
from msgspec.structs import replace
from optuna.pruners import MedianPruner
from optuna.storages import InMemoryStorage

from events.model import Arm
from events.search import Budget, Dimension
from learning.book import Page, PolicyKey
from learning.features import ContextMap
from learning.hashed import HashedEncoder
from learning.policies import create
from smolit.audit.choices import Log
from smolit.cli import app
from smolit.errors import NothingFound, SearchLibraryMissing, UsageInvalid
from smolit.model.fold import Scope
from smolit.search import session
from smolit.search.course import Asked, run_arm
from smolit.search.crew import Crew, Work
from smolit.search.judge import judge_on_log
from smolit.search.score import OnLog
from smolit.search.space import SPACES, default_in, holds, space_of
from smolit.search.study import Study
from smolit.search.trial import Scored, Trial, bars, best_of, is_behind, next_round, searches, spent
from smolit.search.window import parts_of, window_of
from tests.builders import TENANT, search_ended, search_started, trial_ended
from tests.choosing import offers, simulated
from tests.searched import SPACE, hill, troubled, weighed

BUDGET = Budget(trials=24, seconds=600.0, workers=2)
PLACE = Scope("default", "default")


def trial(number: int, score: float | None, steps: Sequence[float] = (), arm: Arm = "guided", seconds: float = 1.0) -> Trial:
    """Return a trial that was completed, or failed."""
    state: Any = "failed" if score is None else "completed"
    return Trial(arm, number, {"gain": float(number + 1)}, Scored(state, score, tuple(steps), "", seconds))


async def scored(works: Sequence[Work], _seconds: float) -> list[Scored]:
    """Score in this process."""
    return [hill(parameters, wanted) for parameters, wanted in works]


class Killed(Exception):
    """Stands for a kill at this very place."""


def searched(
    study: Asked, known: Sequence[Trial] = (), arm: Arm = "guided", kill_after: int | None = None, told: bool = True
) -> list[Trial]:
    """Run an arm; killed after so many trials, before or after the study was told of the last one. Return what was written."""
    written = list(known)

    async def write(one: Trial) -> None:
        if kill_after is not None and len(written) - len(known) == kill_after:
            raise Killed
        written.append(one)
        if kill_after == len(written) - len(known) and not told:
            raise Killed

    try:
        asyncio.run(run_arm(arm, BUDGET, study, scored, known, write))
    except Killed:
        assert kill_after is not None
    return sorted(written, key=lambda one: one.number)


def study(storage: optuna.storages.BaseStorage, seed: int = 7, arm: Arm = "guided") -> Study:
    """Open an arm."""
    return Study(storage, "t/s", arm, SPACE, seed, {"gain": 200.0, "trust": 90.0})


def test_equal_seeds_make_equal_trials_and_others_do_not() -> None:
    """Seed, space and budget make a search."""
    one, same, other = (searched(study(InMemoryStorage(), seed)) for seed in (7, 7, 8))

    assert one == same
    assert [each.parameters for each in one] != [each.parameters for each in other]
    assert [each.number for each in one] == list(range(24))
    assert one[0].parameters == {"gain": 200.0, "trust": 90.0}, "the default is tried first"


@pytest.mark.parametrize("kill_after", [0, 1, 4, 5, 11, 23])
@pytest.mark.parametrize("told", [True, False])
def test_killed_and_taken_up_again_it_makes_the_trials_it_would_have_made(kill_after: int, told: bool) -> None:
    """Between rounds, within one, before and after Optuna heard of a trial: the trials are those of a search nobody killed."""
    whole, storage = searched(study(InMemoryStorage())), InMemoryStorage()
    known = searched(study(storage), kill_after=kill_after, told=told)

    again = searched(study(storage), known)

    assert len(known) == kill_after
    assert again == whole


@pytest.mark.parametrize("kept", [0, 5, 10])
def test_a_storage_that_was_lost_is_filled_from_the_facts(kept: int) -> None:
    """Optuna's tables are no record of ours: without them the search goes on as it would have."""
    whole = searched(study(InMemoryStorage()))

    assert searched(study(InMemoryStorage()), whole[:kept]) == whole


def test_the_guided_arm_finds_more_than_the_random_one() -> None:
    """On a hill, over ten seeds."""
    guided, drawn = (
        [best_of(searched(study(InMemoryStorage(), seed, arm), arm=arm)) for seed in range(10)] for arm in ("guided", "random")
    )
    means = [sum(one.scored.score or 0.0 for one in found if one) / 10 for found in (guided, drawn)]

    assert means[0] > means[1] + 0.05


def test_a_trial_is_given_up_where_the_median_pruner_would() -> None:
    """The bars of our rounds are Optuna's own rule, asked at each step of random histories."""
    pruner = MedianPruner(n_startup_trials=4, n_warmup_steps=0)
    whole = searched(study(InMemoryStorage()))
    asked = 0
    for number in range(0, 24, 2):
        apart = optuna.create_study(direction="maximize", pruner=pruner)
        for one in whole[:number]:
            state = {"completed": optuna.trial.TrialState.COMPLETE, "pruned": optuna.trial.TrialState.PRUNED}[one.scored.state]
            steps = dict(enumerate(one.scored.steps))
            apart.add_trial(optuna.trial.create_trial(state=state, value=one.scored.score, intermediate_values=steps))
        live, wanted = apart.ask(), bars(whole, number)
        for step, reached in enumerate(whole[number].scored.steps):
            live.report(reached, step)
            asked += 1
            assert live.should_prune() == is_behind(whole[number].scored.steps[: step + 1], wanted), (number, step)

    assert asked > 30
    assert {one.scored.state for one in whole} == {"completed", "pruned"}


def test_the_budget_ends_a_search_in_trials_and_in_seconds() -> None:
    """Rounds are made whole, those broken off first; seconds are those of each worker."""
    budget = Budget(trials=5, seconds=4.0, workers=2)
    done = [trial(number, 0.5, seconds=2.0) for number in range(3)]

    assert next_round([], budget) == [0, 1]
    assert next_round(done[:2], budget) == [2, 3]
    assert next_round([done[0], done[2]], budget) == [1]
    assert next_round(done, budget) == [3]
    assert spent([*done, trial(3, None, seconds=2.0)], budget) == 4.0
    assert next_round([*done, trial(3, None, seconds=2.0)], budget) == []
    assert next_round([trial(number, 0.5, seconds=0.1) for number in range(5)], budget) == []


def test_what_crashes_is_killed_or_gives_no_number_has_failed_and_no_more() -> None:
    """In real processes; the next round has whole ones again, and what takes too long is cut."""
    with Crew(troubled, 4) as crew:
        crashed, killed, nan, fine = crew.score([({"gain": gain}, ()) for gain in (1.0, 2.0, 3.0, 9.0)], 60.0)
        before = crew.pids()
        crew.score([({"gain": 9.0}, ())] * 4, 60.0)  # whoever was killed is there again, and has loaded
        again = crew.score([({"gain": gain}, ()) for gain in (9.0, 9.0, 9.0, 4.0)], 4.0)
        after = crew.pids()

    assert [one.state for one in (crashed, killed, nan, fine)] == ["failed", "failed", "failed", "completed"]
    assert "ValueError: this one crashes" in crashed.reason
    assert "killed by signal 9" in killed.reason
    assert "not a number" in nan.reason
    assert [one.state for one in again] == ["completed", "completed", "completed", "failed"]
    assert "seconds" in again[3].reason
    assert (len(before), len(after)) == (3, 3)


def test_who_is_killed_while_it_loads_leaves_nobody_waiting() -> None:
    """A scorer that fits into no pipe is still on its way to a process that is gone: that trial has failed, the next is made."""
    heavy = partial(weighed, b"x" * 4_000_000)
    with Crew(heavy, 1) as crew, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(crew.score, [({"gain": 9.0}, ())], 60.0)
        while not crew.pids():
            time.sleep(0.001)
        os.kill(crew.pids()[0], signal.SIGKILL)
        (failed,), (fine,) = waiting.result(timeout=30), crew.score([({"gain": 9.0, "trust": 1.0}, ())], 60.0)

    assert failed.state == "failed"
    assert "its process" in failed.reason
    assert fine.state == "completed"


def test_a_search_is_a_fold_of_its_facts() -> None:
    """Told twice, a trial counts once; those of unknown searches are passed over."""
    events = [search_started(), trial_ended(0), trial_ended(2), trial_ended(0, score=0.9), trial_ended(1, search_id="other")]
    found = searches([*events, trial_ended(0, arm="random"), search_ended()])
    known = found[TENANT, "look"]
    best = best_of(known.of("guided"))

    assert list(found) == [(TENANT, "look")]
    assert [(one.number, one.scored.score) for one in known.of("guided")] == [(0, 0.0), (2, 2 / 16)]
    assert best is not None
    assert best.number == 2
    assert len(known.of("random")) == 1
    assert known.ended == search_ended().fact


@pytest.mark.parametrize("policy", [policy for policy in SPACES if policy != "neural"])  # its shapes: test_architecture
def test_what_is_built_in_holds_the_default_and_can_be_made(policy: str) -> None:
    """Every setting is one of the policy's, and both ends are taken."""
    space = space_of(policy, None)
    default = default_in(policy, space)

    assert all(holds(one, default[one.name]) for one in space)
    for ends in ({one.name: one.low for one in space}, {one.name: one.high for one in space}):
        assert ends.items() <= create(policy, 1, ends).settings.items()


@pytest.mark.parametrize(
    "said",
    ["[]", "gain: 3", "gain: {low: 5, high: 1}", "gain: {low: 0, high: 1, log: true}", "speed: {low: 1, high: 2}",
     "gain: {low: -1, high: 2}",
     "{}", "gain: {lowest: 1}", "\x00"],
)  # fmt: skip
def test_a_space_that_cannot_be_meant_is_refused(said: str, tmp_path: Path) -> None:
    """In one sentence."""
    file = tmp_path / "space.yaml"
    file.write_text(said)

    with pytest.raises(UsageInvalid) as raised:
        space_of("ridge_igw", file)
    assert "\n" not in str(raised.value)


def test_a_space_from_a_file(tmp_path: Path) -> None:
    """Numbers between two, by their logarithm, whole, or a few."""
    file = tmp_path / "space.yaml"
    file.write_text("gain: {low: 1, high: 100, log: true}\ntrust: {values: [1, 10]}\n")

    assert space_of("ridge_igw", file) == (
        Dimension(name="gain", low=1.0, high=100.0, log=True),
        Dimension(name="trust", values=(1.0, 10.0)),
    )
    with pytest.raises(UsageInvalid, match="built in"):
        space_of("uniform", None)


@pytest.fixture(scope="module")
def used() -> ContextMap:
    """The map that ships with the hashed encoder."""
    return ContextMap.load(HashedEncoder().name)


@pytest.fixture(scope="module")
def log(used: ContextMap) -> Log:
    """300 choices between two agents, each with the same chance."""
    return simulated(offers(Page(PolicyKey.of("uniform", {}).make(used.width)), used, 300), 1)[0]


def test_no_trial_sees_the_test_part(log: Log, used: ContextMap) -> None:
    """Rewards of the choices kept for the end turned round: the same scores, and another judgement."""
    window = window_of(log, PLACE, used.digest)
    tested = {(one.task_id, one.attempt) for one in parts_of(log, PLACE, window).tested.choices}
    turned = [
        (at, replace(fact, reward=1.0 - fact.reward) if (fact.task_id, fact.attempt) in tested else fact)
        for at, fact in log.examples[PLACE]
    ]
    scores, judged = [], []
    for each in (log, log._replace(examples={PLACE: turned})):
        parts = parts_of(each, PLACE, window_of(each, PLACE, used.digest))
        scorer = OnLog(parts.scored, used, PLACE, "ridge_igw")
        scores.append([replace(scorer(setting, ()), seconds=0.0) for setting in ({}, {"gain": 3.0, "trust": 50.0})])
        judged.append(judge_on_log(OnLog(parts.tested, used, PLACE, "ridge_igw"), {"gain": 3.0}, {"gain": 1.0}))

    assert (window.scored, window.tested) == (120, 120)
    assert not tested & {(one.task_id, one.attempt) for one in parts_of(log, PLACE, window).scored.choices}
    assert scores[0] == scores[1]
    assert scores[0][0].score != scores[0][1].score
    assert judged[0].figures["best"] != judged[1].figures["best"]


def test_a_score_is_the_estimate_of_a_replay(log: Log, used: ContextMap) -> None:
    """The same choices through `policy replay`: the same figure; and more of the log changes nothing."""
    from smolit.counterfactual.replay import replay as replay_log

    window = window_of(log, PLACE, used.digest)
    part = parts_of(log, PLACE, window).scored
    scored = OnLog(part, used, PLACE, "ridge_igw")({"gain": 5.0}, ())
    found = replay_log(part, {used.digest: used}, PolicyKey.of("ridge_igw", {"gain": 5.0}))
    grown = log._replace(choices=[*log.choices, *log.choices[:3]])

    assert found.dr is not None
    assert scored.score == pytest.approx(found.dr.value, abs=1e-12)
    assert scored.steps[-1] == scored.score
    assert len(scored.steps) == 5
    assert parts_of(grown, PLACE, window).tested.choices == parts_of(log, PLACE, window).tested.choices


def test_a_setting_that_the_log_cannot_tell_of_has_failed(log: Log, used: ContextMap) -> None:
    """Refused by the same rule as a replay; so has one that the policy does not take, and one that falls behind is pruned."""
    part = parts_of(log, PLACE, window_of(log, PLACE, used.digest)).scored
    narrow = [
        replace(
            one,
            candidates=tuple(replace(who, probability=0.0005 if who.agent != one.agent else 0.9995) for who in one.candidates),
        )
        for one in part.choices
    ]
    unknown = OnLog(part._replace(choices=narrow), used, PLACE, "ridge_igw")({}, ())
    bad = OnLog(part, used, PLACE, "ridge_igw")({"gain": -1.0}, ())
    behind = OnLog(part, used, PLACE, "ridge_igw")({}, (2.0, 2.0, 2.0, 2.0, 2.0))

    assert (unknown.state, unknown.score) == ("failed", None)
    assert "whose chance was below" in unknown.reason
    assert (bad.state, "must be a positive number" in bad.reason) == ("failed", True)
    assert (behind.state, len(behind.steps)) == ("pruned", 1)


def test_too_few_choices_are_refused(log: Log, used: ContextMap) -> None:
    """Both parts need as many as an estimate needs."""
    with pytest.raises(NothingFound, match="it takes 50 of each"):
        window_of(log._replace(choices=log.choices[:100]), PLACE, used.digest)
    with pytest.raises(NothingFound, match="no choice with a reward"):
        window_of(log, Scope("default", "elsewhere"), used.digest)


def test_the_judgement_says_what_the_figures_say(log: Log, used: ContextMap) -> None:
    """Against itself there is no difference; a bound above zero is a win, one below a loss."""
    tested = parts_of(log, PLACE, window_of(log, PLACE, used.digest)).tested
    scorer = OnLog(tested, used, PLACE, "ridge_igw")
    same, none = judge_on_log(scorer, {}, {}), judge_on_log(scorer, {"gain": 400.0}, None)

    assert same.figures["over_default"] == same.figures["over_random"] == 0.0
    assert "is the default one, or does as it does" in same.verdict
    assert "over_random" not in none.figures
    low, high = none.figures["over_default_low"], none.figures["over_default_high"]
    word = "which it beats" if low > 0 else "to which it loses" if high < 0 else "no difference that can be told"
    assert word in none.verdict
    assert none.figures["choices"] == 120


def test_where_optuna_is_not_installed_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read or begun, on recorded outcomes too."""
    monkeypatch.setattr(session, "find_spec", lambda _name: None)

    with pytest.raises(SearchLibraryMissing, match="make install-search"):
        session.require_library()
    assert app.run(["bench", "search", "--policy", "ridge_igw"]) == 1
