"""`smolit policy replay`: what another policy would have chosen and earned, from the log alone."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.progress import Progress

from bus.reader import Place
from events.topics import AGENTS, TASKS
from events.wire import Incoming
from learning.book import PolicyKey
from learning.encoders import context_maps
from learning.errors import PolicyError
from learning.policies import create, find
from learning.statistics import Interval
from smolit.audit.choices import Log, sort_log
from smolit.cli import fork as fork_words
from smolit.cli import out
from smolit.cli.desk import Desk, now, open_desk
from smolit.cli.estimates import tell_estimates
from smolit.cli.log import log_of, whole_log
from smolit.cli.marks import Marks, marks_at
from smolit.cli.option import Json, Parameters, settings_of
from smolit.client import places_of, reading
from smolit.counterfactual.compared import compared, descriptions
from smolit.counterfactual.fork_report import Fork
from smolit.counterfactual.fork_report import fork as fork_log
from smolit.counterfactual.replay import Differing, Replay, check_offered
from smolit.counterfactual.replay import replay as replay_log
from smolit.errors import CheckFailed, NothingFound, UsageInvalid
from smolit.model.registry import shelf

Candidate = Annotated[str, typer.Option("--policy", metavar="POLICY", help="The policy that would have chosen.")]
OneScope = Annotated[str | None, typer.Option("--scope", help="Only choices of this scope; else of every one.")]
_MARK = "records of each partition, TOPIC/PARTITION=OFFSET,..., or a time."
From = Annotated[str | None, typer.Option("--from", metavar="OFFSET|TIME", help=f"Choices from there on: {_MARK}")]
To = Annotated[str | None, typer.Option("--to", metavar="OFFSET|TIME", help=f"Choices before there: {_MARK}")]

OwnLife = Annotated[
    bool,
    typer.Option(
        "--fork", help="Let the candidate live on by itself: it learns from its own choices alone, where the log knows of them."
    ),
]
Lives = Annotated[
    int | None, typer.Option("--seeds", min=1, max=1000, help="Lives of a fork, each with its own draws; 10 if not said.")
]

_LIVES = 10
_LINE_EVERY = 5_000


def replay(
    policy: Candidate,
    parameters: Parameters = "{}",
    since: From = None,
    until: To = None,
    scope: OneScope = None,
    fork: OwnLife = False,
    seeds: Lives = None,
    as_json: Json = False,
) -> None:
    """Say what another policy would have chosen and earned, from the log alone, or refuse where the log cannot tell."""
    wanted = candidate(policy, parameters)
    if seeds and not fork:
        raise UsageInvalid("--seeds says how often a fork lives: it takes --fork")
    marks = tuple(marks_at(text, now()) if text else None for text in (since, until))
    log = _of_scope(asyncio.run(_read(open_desk(), wanted, *marks)), scope)
    if not log.choices:
        raise NothingFound("no choice is recorded in this range")
    check_offered(log, wanted)
    found = _forked(log, wanted, seeds or _LIVES) if fork else _replayed(log, wanted)
    if as_json:
        out.json(found)
    elif isinstance(found, Fork):
        fork_words.tell(found)
    else:
        _tell(found)
    if found.refused:
        raise CheckFailed(f"no estimate: {found.refused}")


def _replayed(log: Log, wanted: PolicyKey) -> Replay:
    with _progress(len(log.choices)) as walked:
        return replay_log(log, context_maps(), wanted, walked)


def _forked(log: Log, wanted: PolicyKey, seeds: int) -> Fork:
    with _progress(sum(one.attempt == 1 for one in log.choices)) as walked:
        return fork_log(log, context_maps(), wanted, seeds, walked)


def candidate(policy: str, parameters: str) -> PolicyKey:
    """Return what names the candidate; raises UsageInvalid where it cannot be made, before anything is read."""
    settings = settings_of(parameters)
    try:
        create(policy, 1, settings)
    except PolicyError as error:
        raise UsageInvalid(str(error)) from error
    return PolicyKey.of(policy, settings)


async def _read(desk: Desk, candidate: PolicyKey, since: Marks | None, until: Marks | None) -> Log:
    """Read the log whole, since a policy learns from its beginning on, and keep the choices of the range.

    A candidate that looks at descriptions is told how near they lay also where those who chose never asked.
    """
    first, last = await _range(desk, since, until)

    def wanted(record: Incoming) -> bool:
        place = record.topic, record.partition
        return first[place] <= record.offset < last[place]

    log = sort_log(await whole_log(desk), wanted, shelf(desk))
    return compared(log, descriptions(await log_of(desk, (AGENTS,)))) if find(candidate.name).matches else log


async def _range(desk: Desk, since: Marks | None, until: Marks | None) -> tuple[Mapping[Place, int], Mapping[Place, int]]:
    """Return where the range begins and ends in each partition of the tasks; one that is not named is in it whole."""
    start = dict.fromkeys(places_of(desk.names, (TASKS,)), 0)
    async with reading(desk.endpoints.kafka, start) as reader:
        ends = await reader.ends()
        first = await since(reader, ends, start) if since else start
        return first, await until(reader, ends) if until else ends


def _of_scope(log: Log, scope: str | None) -> Log:
    """Return the choices of a scope; of a task that named its agent no policy chooses, so it would only blur the comparison."""
    asked = [one for one in log.choices if one.context.agent is None]
    return log._replace(choices=[one for one in asked if scope in (None, one.context.scope)])


@contextmanager
def _progress(total: int) -> Iterator["Walked"]:
    """Show on standard error how far the walk is."""
    with out.progress(total) as shown:
        yield Walked(shown, total)


class Walked:
    """Says how many choices were made again: a bar that moves where somebody looks, else a line now and then."""

    def __init__(self, shown: Progress, total: int) -> None:
        self._shown, self._total, self._done = shown, total, 0
        self._bar = shown.add_task("choices made again", total=total)

    def __call__(self) -> None:
        """Count one choice."""
        self._done += 1
        self._shown.advance(self._bar)
        if not self._shown.console.is_terminal and self._done % _LINE_EVERY == 0:
            out.say(f"{self._done:,} of {self._total:,} choices made again")


def _tell(found: Replay) -> None:
    """Write what was found for people."""
    out.facts(
        {
            "candidate": f"{found.policy} {found.parameters}",
            "choices": found.decisions,
            "with a reward": found.with_reward,
            "would differ": f"{found.differing_share:.1%}",
        }
    )
    _tell_differing("domain", found.differing_by_domain)
    _tell_differing("agent", found.differing_by_agent)
    rows = [
        (one.task_id, one.attempt, one.agent, one.probability, one.candidate_probability, one.instead, one.reward)
        for one in found.examples
    ]
    if rows:
        columns = ("task", "attempt", "chosen", "probability", "candidate's", "would be", "reward")
        out.table(columns, rows, title="some that differ")
    _tell_rewards(found)


def _tell_differing(what: str, found: tuple[Differing, ...]) -> None:
    rows = [(one.name, one.decisions, one.differing, f"{one.share:.1%}") for one in found]
    out.table((what, "choices", "would differ", "share"), rows)


def _tell_rewards(found: Replay) -> None:
    """Write the mean reward as it was logged, and the candidate's as it is estimated."""
    kinds: dict[str, Interval | None] = {
        "logged": found.logged_reward,
        "logged, had all been judged": found.logged_reward_all_judged,
        "candidate, IPS": found.ips,
        "candidate, SNIPS": found.snips,
        "candidate, doubly robust": found.dr,
        "candidate minus logged": found.gain,
    }
    tell_estimates(kinds, found.ess, found.largest_weight)
