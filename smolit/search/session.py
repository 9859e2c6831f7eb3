"""A search as a session of the command line: begun or taken up again, run, judged, and its best setting registered."""

import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

from msgspec import Struct

from events.event import Event, Message
from events.ids import derived_id
from events.model import Arm, TrialRef
from events.request import EndSearch, EndTrial, StartSearch
from events.search import Dimension, SearchStarted, WhyEnded
from events.topics import MODELS
from events.wire import Incoming, decode
from learning.encoders import context_maps
from learning.features import ContextMap
from smolit.apart import address, connected
from smolit.audit.choices import Log, sort_log
from smolit.cli.desk import Desk
from smolit.cli.log import log_of, whole_log
from smolit.client import Ask, Client
from smolit.counterfactual.replay import ContextMapMissing
from smolit.errors import NothingFound, SearchLibraryMissing, UsageInvalid
from smolit.model.build import CODE, code_sha256, environment
from smolit.model.fold import Scope
from smolit.retrain.history import History, history
from smolit.retrain.split import Range, job_of, split
from smolit.search import architecture
from smolit.search.course import ARMS, in_threads, run_arm
from smolit.search.crew import Crew
from smolit.search.judge import Judgement, judge_on_log
from smolit.search.score import OnLog, Scorer
from smolit.search.space import default_in, holds
from smolit.search.trial import Known, Trial, best_of, searches
from smolit.search.window import Parts, parts_of
from training.job import Words

SCHEMA = "optuna"
Told = Callable[[Trial, int], None]


class Outcome(Struct, frozen=True):
    """What a search came to."""

    why: WhyEnded
    best: Trial | None
    random: Trial | None
    judgement: Judgement


async def known_searches(desk: Desk) -> dict[tuple[str, str], Known]:
    """Return all searches by tenant and id, from the log itself."""
    events, ids = list[Event[Message]](), set[str]()
    for record in await log_of(desk, (MODELS,)):
        event = decode(record.headers, record.value)
        if event.id not in ids:
            ids.add(event.id)
            events.append(event)
    return searches(events)


async def need(desk: Desk, tenant: str, search_id: str) -> Known:
    """Return a search; raises NothingFound."""
    found = (await known_searches(desk)).get((tenant, search_id))
    if found is None:
        raise NothingFound(f"there is no search {search_id!r}; `smolit policy searches` lists them")
    return found


async def start(desk: Desk, tenant: str, request: StartSearch) -> None:
    """Write down what is looked for; raises RequestRefused."""
    async with desk.client(tenant) as client:
        await client.effect(Ask(request))


def wanted(search_id: str, place: Scope, policy: str, space: tuple[Dimension, ...], **more: Any) -> StartSearch:
    """Return the request that starts a search, with what it runs on here; `more` are seed, budget and window."""
    code, runs_on = code_sha256(CODE), environment()
    return StartSearch(
        search_id=search_id, scope=place.name, policy=policy, space=space, code_sha256=code, environment=runs_on, **more
    )


async def run(desk: Desk, known: Known, told: Told, enough: bool = False) -> Outcome:
    """Make the trials that are missing (none if it is `enough`), judge, and write down what it came to.

    Raises:
        SearchLibraryMissing: Optuna is not installed.
        UsageInvalid: it is over, runs elsewhere, or this release would score otherwise than the one that began it.
        RequestRefused, StudyUnusable: something could not be written; the search can be taken up again.
    """
    started = known.started
    if known.ended is not None:
        raise UsageInvalid(f"search {started.search_id} is over; `smolit policy searches --id {started.search_id}` shows it")
    if started.code_sha256 != code_sha256(CODE):
        raise UsageInvalid("the code that learns and chooses is another now, so scores could not be compared; begin a new search")
    found = scorers(started, await whole_log(desk))
    trials: dict[Arm, list[Trial]] = {arm: known.of(arm) for arm in ARMS}
    if not enough:
        with _alone(desk, started):
            known = await need(desk, started.tenant, started.search_id)  # whoever ran it last may have gone on meanwhile
            async with _writing(desk, started) as client:
                trials = await _arms(desk, known, found.scoring, client, told)
    outcome = _outcome(trials, found, "stopped" if enough else "budget_spent")
    async with desk.client(started.tenant) as client:
        await client.effect(Ask(_end(started, outcome), derived_id("search", started.tenant, started.search_id, "end")))
    return outcome


class Scorers(NamedTuple):
    """What scores trials, and what compares the best with the default at the end."""

    scoring: Scorer
    judging: Callable[[Mapping[str, Any], Mapping[str, Any] | None], Judgement]


def scorers(started: SearchStarted, records: Sequence[Incoming]) -> Scorers:
    """Return what scores and judges on a log.

    Raises:
        ContextMapMissing: the map of the choices does not come with this release.
        TooFewRows: the log does not hold enough for a network before the choices that score.
    """
    place, parts = Scope(started.tenant, started.scope), _parts(started, sort_log(records))
    used = _map(started.window.context_map)
    scored, tested = (OnLog(part, used, place, started.policy) for part in parts)
    if started.policy != architecture.POLICY:
        return Scorers(scored, partial(judge_on_log, tested))
    known = history(records, place, used.digest)
    first, later = (
        _on_network(known, one, bound)
        for one, bound in ((scored, started.window.validate_from), (tested, started.window.test_from))
    )
    return Scorers(first, partial(architecture.judge, later))


def _on_network(known: History, on: OnLog, before: int) -> architecture.OnNetwork:
    """Return what scores networks trained on the examples before an offset."""
    found = split(known, Range(None, before, 0.0))
    return architecture.OnNetwork(on, *job_of(found, on.used, Words()), found.cut.sequence)


def ref(started: SearchStarted, best: Trial) -> TrialRef:
    """Return the name of a completed trial, as a version that comes from it has it."""
    if best.scored.score is None:
        raise UsageInvalid(f"trial {best.number} was not completed")
    return TrialRef(search_id=started.search_id, arm=best.arm, number=best.number, score=best.scored.score)


async def _arms(desk: Desk, known: Known, scorer: Scorer, client: Client, told: Told) -> dict[Arm, list[Trial]]:
    from smolit.search.study import Study, open_storage  # Optuna takes a second to import: only a search needs it

    started = known.started
    default = default_in(started.policy, started.space)
    first = default if all(holds(one, default[one.name]) for one in started.space) else None
    found: dict[Arm, list[Trial]] = {}

    async def written(trial: Trial) -> None:
        request_id = derived_id("trial", started.tenant, started.search_id, trial.arm, trial.number)
        await client.effect(Ask(_trial(started, trial), request_id))
        told(trial, started.budget.trials)

    with open_storage(address(desk.endpoints.postgres, SCHEMA)) as storage, Crew(scorer, started.budget.workers) as crew:
        for arm in ARMS:
            study = Study(storage, f"{started.tenant}/{started.search_id}", arm, started.space, started.seed, first)
            found[arm] = await run_arm(arm, started.budget, study, in_threads(crew), known.of(arm), written)
    return found


def _outcome(trials: Mapping[Arm, list[Trial]], found: Scorers, why: WhyEnded) -> Outcome:
    best, random = (best_of(trials[arm]) for arm in ARMS)
    if best is None:
        reasons = sorted({one.scored.reason for one in trials["guided"]}) or ["none was made"]
        return Outcome(why, None, random, Judgement({}, f"No trial was completed: {reasons[0]}"))
    return Outcome(why, best, random, found.judging(best.parameters, random.parameters if random else None))


def _trial(started: SearchStarted, trial: Trial) -> EndTrial:
    scored = trial.scored
    return EndTrial(
        scope=started.scope,
        search_id=started.search_id,
        arm=trial.arm,
        number=trial.number,
        parameters=trial.parameters,
        state=scored.state,
        score=scored.score,
        steps=scored.steps,
        reason=scored.reason,
        seconds=round(scored.seconds, 3),
    )


def _end(started: SearchStarted, outcome: Outcome) -> EndSearch:
    return EndSearch(
        scope=started.scope,
        search_id=started.search_id,
        why=outcome.why,
        best=outcome.best.number if outcome.best else None,
        best_random=outcome.random.number if outcome.random else None,
        figures=outcome.judgement.figures,
        verdict=outcome.judgement.verdict,
    )


def _parts(started: SearchStarted, log: Log) -> Parts:
    return parts_of(log, Scope(started.tenant, started.scope), started.window)


def _map(digest: str) -> ContextMap:
    found = context_maps().get(digest)
    if found is None:
        raise ContextMapMissing(f"context map {digest[:12]} does not come with this release")
    return found


def require_library() -> None:
    """Raise SearchLibraryMissing where Optuna is not installed."""
    if find_spec("optuna") is None:
        raise SearchLibraryMissing("Optuna is not installed; `make install-search` installs it, and nothing else needs it")


@asynccontextmanager
async def _writing(desk: Desk, started: SearchStarted) -> AsyncIterator[Client]:
    """Yield a client; raises SearchLibraryMissing before anything is begun."""
    require_library()
    async with desk.client(started.tenant) as client:
        yield client


@contextmanager
def _alone(desk: Desk, started: SearchStarted) -> Iterator[None]:
    """Hold the search's lock while the context lasts: Postgres lets it go with whoever is killed."""
    key = zlib.crc32(f"{started.tenant}/{started.search_id}".encode())
    with connected(desk.endpoints.postgres) as connection:
        (mine,) = connection.execute("select pg_try_advisory_lock(%s)", (key,)).fetchone() or (False,)
        if not mine:
            raise UsageInvalid(f"search {started.search_id} is being run by somebody else just now")
        connection.execute(f"create schema if not exists {SCHEMA}")
        yield
