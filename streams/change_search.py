"""From a request about a search for settings to its fact, or why it has none. Pure."""

from events.control import Control, Searching
from events.event import Fact
from events.request import EndSearch, EndTrial, StartSearch
from events.search import Dimension, SearchEnded, SearchStarted, TrialEnded
from learning.errors import LearningError
from learning.policies import find
from streams.admission import Asked, Refused

SEARCH_CHANGES = (StartSearch, EndTrial, EndSearch)


def search_fact(asked: Asked, request: StartSearch | EndTrial | EndSearch, control: Control) -> Fact:
    """Return the fact of a request about a search.

    Raises:
        Refused: what is named does not exist, exists already, or is over.
    """
    match request:
        case StartSearch():
            return _started(asked, request, control)
        case EndTrial():
            return _tried(asked, request, control)
        case EndSearch():
            return _ended(asked, request, control)


def _started(asked: Asked, request: StartSearch, control: Control) -> SearchStarted:
    if (asked.tenant, request.search_id) in control.searches:
        raise Refused("search_exists", f"search_id: {request.search_id!r} was started before")
    try:
        find(request.policy)
    except LearningError as error:
        raise Refused("bad_policy", f"policy: {error}") from error
    if len({one.name for one in request.space}) < len(request.space):
        raise Refused("bad_space", "space: a setting is named twice")
    for one in request.space:
        _check(one)
    return SearchStarted(
        tenant=asked.tenant,
        scope=request.scope,
        search_id=request.search_id,
        request_id=asked.envelope.id,
        started_by=asked.envelope.source,
        policy=request.policy,
        space=request.space,
        seed=request.seed,
        budget=request.budget,
        window=request.window,
        code_sha256=request.code_sha256,
        environment=request.environment,
    )


def _check(one: Dimension) -> None:
    if one.values:
        return
    if one.low > one.high or (one.log and one.low <= 0.0):
        raise Refused("bad_space", f"space: {one.name} cannot lie between {one.low:g} and {one.high:g}")


def _tried(asked: Asked, request: EndTrial, control: Control) -> TrialEnded:
    _running(asked, request.scope, request.search_id, control)
    if (request.score is None) == (request.state == "completed"):
        raise Refused("bad_trial", "score: a trial has one if it was completed, and only then")
    return TrialEnded(
        tenant=asked.tenant,
        scope=request.scope,
        search_id=request.search_id,
        request_id=asked.envelope.id,
        arm=request.arm,
        number=request.number,
        parameters=request.parameters,
        state=request.state,
        score=request.score,
        steps=request.steps,
        reason=request.reason,
        seconds=request.seconds,
    )


def _ended(asked: Asked, request: EndSearch, control: Control) -> SearchEnded:
    _running(asked, request.scope, request.search_id, control)
    return SearchEnded(
        tenant=asked.tenant,
        scope=request.scope,
        search_id=request.search_id,
        request_id=asked.envelope.id,
        why=request.why,
        best=request.best,
        best_random=request.best_random,
        figures=request.figures,
        verdict=request.verdict,
    )


def _running(asked: Asked, scope: str, search_id: str, control: Control) -> Searching:
    one = control.searches.get((asked.tenant, search_id))
    if one is None or one.started.scope != scope:
        raise Refused("unknown_search", f"search_id: scope {scope!r} has no search {search_id!r}")
    if not one.running:
        raise Refused("search_over", f"search_id: {search_id!r} is over")
    return one
