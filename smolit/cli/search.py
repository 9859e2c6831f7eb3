"""`smolit policy search`: look for better settings of a policy on what really happened, and say whether they are."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from events.model import Arm
from events.request import StartSearch
from events.search import Budget
from events.topics import DEFAULT_TENANT
from learning.book import PolicyKey
from learning.encoders import context_map
from smolit.audit.choices import sort_log
from smolit.cli import out
from smolit.cli.desk import Desk, now, open_desk
from smolit.cli.log import whole_log
from smolit.cli.option import DryRun, Json, Scope, Tenant
from smolit.cli.replay import candidate
from smolit.errors import CheckFailed, NothingFound, UsageInvalid
from smolit.model import registry
from smolit.model.fold import Scope as Place
from smolit.retrain.child import require_library as require_trainer
from smolit.search import architecture, session
from smolit.search.course import ARMS
from smolit.search.space import space_of
from smolit.search.trial import Known, Trial, best_of
from smolit.search.window import LEARN, VALIDATE, window_of

PolicyName = Annotated[str | None, typer.Option("--policy", metavar="POLICY", help="Whose settings are looked for.")]
Space = Annotated[
    Path | None, typer.Option("--space", metavar="FILE", help="What settings may be (YAML); else what is built in.")
]
Trials = Annotated[
    int, typer.Option("--trials", min=1, max=100_000, help="Trials of each arm, the guided one and the random one.")
]
Seconds = Annotated[float, typer.Option("--seconds", min=0.1, help="Seconds that each worker may spend on an arm.")]
Workers = Annotated[int, typer.Option("--workers", min=1, max=64, help="Trials that are made at a time.")]
Seed = Annotated[int, typer.Option("--seed", help="What is left to chance is drawn with it: equal seeds, equal trials.")]
Id = Annotated[str | None, typer.Option("--id", help="Name of the search; else one made of scope and time.")]
Resume = Annotated[str | None, typer.Option("--resume", metavar="SEARCH", help="Go on with one that was broken off.")]
Stop = Annotated[str | None, typer.Option("--stop", metavar="SEARCH", help="End one as it is: judge it, and try no more.")]
Register = Annotated[bool, typer.Option("--register", help="Register the best setting as a version, with its trial as parent.")]
OneId = Annotated[str | None, typer.Option("--id", metavar="SEARCH", help="Show this search and its trials; else list all.")]


def search(
    policy: PolicyName = None,
    space: Space = None,
    trials: Trials = 30,
    seconds: Seconds = 600.0,
    workers: Workers = 2,
    seed: Seed = 0,
    search_id: Id = None,
    resume: Resume = None,
    stop: Stop = None,
    register: Register = False,
    scope: Scope = "default",
    tenant: Tenant = DEFAULT_TENANT,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Look for better settings of a policy on a scope's own log, beside as many drawn at random, and judge both on the rest."""
    if sum(one is not None for one in (policy, resume, stop)) != 1:
        raise UsageInvalid("say whose settings: --policy POLICY; or which search: --resume SEARCH or --stop SEARCH")
    if register and policy == architecture.POLICY:
        raise UsageInvalid("a network is registered by `smolit policy retrain`; the search prints it with the best shape")
    desk = open_desk()
    if policy is not None:
        budget, place = Budget(trials=trials, seconds=seconds, workers=workers), Place(tenant, scope)
        wanted = {"policy": policy, "space": space_of(policy, space), "seed": seed, "budget": budget}
        resume = search_id or f"{scope}-{now():%Y%m%dT%H%M%S}"
        if not _begun(desk, place, resume, wanted, dry_run):
            return
    known = asyncio.run(session.need(desk, tenant, resume or stop or ""))
    if dry_run:
        out.say(f"would {'end' if stop else 'go on with'} search {known.started.search_id} after {len(known.trials)} trial(s)")
        return
    known = _ended(desk, known, stop is not None, register)
    model = _register(desk, known) if register else None
    out.json({**_json(known), "model": model}) if as_json else _tell(known)


def _begun(desk: Desk, place: Place, search_id: str, wanted: dict[str, Any], dry_run: bool) -> bool:
    """Write down what is looked for; with `dry_run` only show it."""
    if wanted["policy"] == architecture.POLICY:
        require_trainer()
    else:
        candidate(wanted["policy"], "{}")
    session.require_library()
    request = asyncio.run(_planned(desk, place, search_id, **wanted))
    if dry_run:
        out.say("would look for:")
        out.json(request)
        return False
    asyncio.run(session.start(desk, place.tenant, request))
    seen = request.window
    out.say(
        f"search {search_id}: {request.budget.trials} trials an arm, scored on {seen.scored} choices, judged on {seen.tested}"
    )
    return True


def _ended(desk: Desk, known: Known, enough: bool, register: bool) -> Known:
    """Run a search to its end; one that is over has nothing left but to register its best setting."""
    if known.ended is None:
        asyncio.run(session.run(desk, known, _told, enough))
        return asyncio.run(session.need(desk, known.started.tenant, known.started.search_id))
    if not register:
        raise UsageInvalid(f"search {known.started.search_id} is over; --register registers its best setting")
    return known


def list_searches(search_id: OneId = None, tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """List searches with what they came to, or show one with its trials."""
    found = {key: one for key, one in asyncio.run(session.known_searches(open_desk())).items() if key[0] == tenant}
    if search_id is not None:
        if (tenant, search_id) not in found:
            raise NothingFound(f"there is no search {search_id!r}")
        out.json(_json(found[tenant, search_id])) if as_json else _tell(found[tenant, search_id])
        return
    if as_json:
        out.json([_json(one) for one in found.values()])
        return
    rows = [(one.started.scope, key[1], one.started.policy, len(one.trials), _state(one)) for key, one in found.items()]
    out.table(("scope", "search", "policy", "trials", "state"), rows)


async def _planned(desk: Desk, place: Place, search_id: str, **more: Any) -> StartSearch:
    """Read the log, and say what would be looked at."""
    out.say("reading the log")
    used = context_map(desk.settings.encoder)
    shares = (architecture.LEARN, architecture.VALIDATE) if more["policy"] == architecture.POLICY else (LEARN, VALIDATE)
    window = window_of(sort_log(await whole_log(desk)), place, used.digest, shares)
    return session.wanted(search_id, place, window=window, **more)


def _register(desk: Desk, known: Known) -> str:
    """Register the best setting as a version that names its trial, and validate it: its score must come out again."""
    started, best = known.started, best_of(known.of("guided"))
    if started.policy == architecture.POLICY:
        raise UsageInvalid("a network is registered by `smolit policy retrain`; `smolit policy searches --id` prints it")
    if best is None:
        raise NothingFound(f"search {started.search_id} has no completed trial to register")
    place = Place(started.tenant, started.scope)
    wanted = registry.Wanted(place, PolicyKey.of(started.policy, best.parameters), trial=session.ref(started, best))
    version, request = asyncio.run(registry.prepare(desk, wanted, out.say))
    model = asyncio.run(registry.register(desk, place, version, request))
    if model.origin.trial is None:
        out.say(f"version {model.number} is these settings already, registered before; it names no trial")
    verdict = asyncio.run(registry.examine(desk, model, out.say))
    asyncio.run(registry.judged(desk, model, verdict))
    if not verdict.fine:
        raise CheckFailed(f"version {model.number} of scope {model.scope} was rejected: {verdict.reason}")
    out.say(f"version {model.number} of scope {model.scope} was validated: {verdict.reason}")
    return model.id


def _told(trial: Trial, of: int) -> None:
    scored = trial.scored
    came = f"{scored.score:.4f}" if scored.score is not None else f"{scored.state}: {scored.reason}"
    out.say(f"{trial.arm} trial {trial.number + 1} of {of}: {came} in {scored.seconds:.1f} s")


def _state(known: Known) -> str:
    return "not ended; --resume goes on" if known.ended is None else known.ended.verdict


def _json(known: Known) -> dict[str, Any]:
    bests: dict[Arm, Trial | None] = {arm: best_of(known.of(arm)) for arm in ARMS}
    return {
        "search": known.started.search_id,
        "started": known.started,
        "trials": [trial for arm in ARMS for trial in known.of(arm)],
        "best": bests["guided"],
        "best_random": bests["random"],
        "ended": known.ended,
    }


def _tell(known: Known) -> None:
    """Write a search for people: its trials, the best first, then what it came to."""
    names = [one.name for one in known.started.space]
    trials = [trial for arm in ARMS for trial in known.of(arm)]
    trials.sort(key=lambda one: (one.scored.score is None, -(one.scored.score or 0.0)))
    rows = [
        (
            one.arm,
            one.number,
            *(one.parameters.get(name) for name in names),
            one.scored.state,
            one.scored.score,
            one.scored.reason,
        )
        for one in trials[:20]
    ]
    out.table(("arm", "trial", *names, "state", "score", "reason"), rows)
    out.line(_state(known))
    best = best_of(known.of("guided"))
    if known.started.policy == architecture.POLICY and best is not None:
        out.line(f"A network of the best shape: `{architecture.typed(best.parameters)} --scope {known.started.scope}`")
