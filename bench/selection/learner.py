"""Who is measured: the policies that serve, by name and settings, and what a replay asks of any learner."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from learning.errors import InvalidPolicySetting
from learning.policies import DEFAULT, POLICIES, create, find
from learning.policy import Context, Contexts, Decision, Example, Fits

Settings = Mapping[str, float | str]


class Learner(Protocol):
    """What a replay asks of a learner; every policy of ours is one."""

    def decide(self, context: Context, candidates: Sequence[str], fits: Fits = ..., /) -> Decision:
        """Return every candidate's probability."""
        ...

    def decide_many(self, contexts: Contexts, candidates: Sequence[str], fits: Sequence[Fits] = ..., /) -> list[Decision]:
        """Return the same for each context, a row each."""
        ...

    def learn(self, example: Example) -> None:
        """Take in one example."""
        ...


class Entry(msgspec.Struct, frozen=True):
    """One line of the table: a policy of ours with its settings, or a peer (`kind` names which)."""

    label: str
    kind: str
    settings: dict[str, float | str] = {}


def ours(asked: Sequence[str]) -> list[Entry]:
    """Return the policies to measure, the default first: those asked for as NAME or NAME:{settings}, else all that choose.

    `fixed` is not among them unless asked for: it is the line "best single" with another name. Nor is `neural`, which needs a
    network that somebody trained: `bench.network` measures it.

    Raises:
        UnknownPolicy, InvalidPolicySetting: no such policy, no such setting, or what follows its name is no JSON object.
    """
    default = Entry(f"{DEFAULT} (default)", DEFAULT)
    if not asked:
        names = [policy.name for policy in POLICIES if policy.name not in (DEFAULT, "fixed", "neural")]
        return [default, *(Entry(name, name) for name in names)]
    found = [entry for entry in map(_entry, asked) if (entry.kind, entry.settings) != (DEFAULT, {})]
    for entry in found:
        make(entry, 1)  # a setting that it does not have is told now, not after the default's replays
    return [default, *{entry.label: entry for entry in found}.values()]


def make(entry: Entry, width: int) -> Learner:
    """Return a policy of ours that knows nothing yet."""
    return create(entry.kind, width, entry.settings)


def _entry(asked: str) -> Entry:
    name, _, settings = asked.partition(":")
    find(name)
    try:
        return Entry(asked, name, msgspec.json.decode(settings or "{}", type=dict[str, float | str]))
    except msgspec.DecodeError as error:
        raise InvalidPolicySetting(f"{name}: the settings must be a JSON object: {error}") from error
