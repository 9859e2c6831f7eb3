"""Does the trial that a version names give the same score again, with the settings that lie in its artefact?"""

from collections.abc import Sequence

from events.model import TrialRef
from events.registry import Model
from events.wire import Incoming
from learning.policy import Policy
from smolit.cli.desk import Desk
from smolit.model.judge import Verdict
from smolit.search.session import known_searches, scorers
from smolit.search.trial import Known

NEAR = 1e-6  # rewards lie in [0, 1]; the same code gives the same bits, another machine's arithmetic nearly so


async def scored_again(desk: Desk, model: Model, policy: Policy, records: Sequence[Incoming], verdict: Verdict) -> Verdict:
    """Make the trial of a version again from its artefact's settings and the log, and add that to what was judged."""
    trial = model.origin.trial
    if trial is None:
        return verdict
    known = (await known_searches(desk)).get((model.tenant, trial.search_id))
    if known is None or known.started.scope != model.scope:
        return Verdict(False, f"scope {model.scope!r} has no search {trial.search_id!r}")
    if wrong := unlike(known, trial, policy):
        return Verdict(False, wrong)
    again = scorers(known.started, records).scoring(policy.settings, ())
    if again.score is None or abs(again.score - trial.score) > NEAR:
        came = again.reason if again.score is None else f"{again.score:.8f}"
        return Verdict(
            False, f"trial {trial.number} of search {trial.search_id} scored {trial.score:.8f}, and comes to {came} now"
        )
    return Verdict(True, f"{verdict.reason}; its trial scores {again.score:.6f} again")


def unlike(known: Known, trial: TrialRef, policy: Policy) -> str | None:
    """Return how a version differs from the trial that it names; None if it does not."""
    told = known.trials.get((trial.arm, trial.number))
    if told is None or told.scored.score != trial.score:
        return f"search {known.started.search_id} has no {trial.arm} trial {trial.number} that scored {trial.score:.8f}"
    if known.started.policy != policy.name or any(policy.settings.get(name) != value for name, value in told.parameters.items()):
        return f"its settings are not those of {trial.arm} trial {trial.number} of search {known.started.search_id}"
    return None
