"""Make a version: fold it, measure what it would have earned, and write down where it comes from. Pure; time is told."""

import hashlib
import math
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

import learning
from events.model import Origin, TrialRef
from learning.book import PolicyKey
from learning.errors import LearningError
from learning.features import ContextMap
from learning.statistics import Interval
from smolit.audit.choices import Log, Maps
from smolit.counterfactual.replay import Replay
from smolit.counterfactual.replay import replay as replay_log
from smolit.model.fold import Folded, Scope, known_by

INTERVALS = ("logged_reward", "ips", "snips", "dr", "gain")
CODE = Path(learning.__file__).parent


class Measured(NamedTuple):
    """What a policy would have earned on the log that it was folded from, and why that cannot be told if it cannot."""

    metrics: dict[str, float]
    not_estimated: str | None


class Made(NamedTuple):
    """A version with the bytes of its state."""

    origin: Origin
    state: bytes


def measure(log: Log, maps: Maps, scope: Scope, folded: Folded, told: Callable[[], None] = lambda: None) -> Measured:
    """Return progressive figures: at each choice of the log the policy knows what had been learned then, never its reward."""
    page = folded.page
    known = known_by(log, scope, page.upto)
    if not known.choices:
        return Measured({"decisions": 0.0}, "no choice is recorded that it could have made")
    try:
        found = replay_log(known, maps, PolicyKey.of(page.policy.name, page.policy.settings), told)
    except LearningError as error:
        return Measured({"decisions": float(len(known.choices))}, str(error))
    return Measured(figures(found), found.refused)


def figures(found: Replay) -> dict[str, float]:
    """Return a replay as named numbers: means with their 95 % bounds, all of them finite."""
    counts = {"decisions": found.decisions, "with_reward": found.with_reward}
    numbers = {**counts, "differing_share": found.differing_share, "ess": found.ess, "largest_weight": found.largest_weight}
    for name in INTERVALS:
        interval: Interval | None = getattr(found, name)
        if interval is not None:
            numbers |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {name: float(number) for name, number in numbers.items() if math.isfinite(number)}


def made(folded: Folded, used: ContextMap, measured: Measured, cost: Mapping[str, float], trial: TrialRef | None = None) -> Made:
    """Return the version that a fold is."""
    policy, state = folded.page.policy, folded.page.policy.dump()
    origin = Origin(
        policy=policy.name,
        policy_version=policy.version,
        parameters=dict(policy.settings),
        context_map=used.digest,
        width=used.width,
        first=folded.first,
        upto=folded.page.upto,
        examples=folded.page.sequence,
        data_sha256=folded.data_sha256,
        digest=folded.page.digest,
        artefact_sha256=hashlib.sha256(state).hexdigest(),
        artefact_bytes=len(state),
        code_sha256=code_sha256(CODE),
        seed=None,  # no policy of ours leaves anything to chance: what is drawn is drawn at a choice, and recorded there
        environment=environment(),
        metrics=measured.metrics,
        not_estimated=measured.not_estimated,
        cost=dict(cost),
        trial=trial,
    )
    return Made(origin, state)


def code_sha256(folder: Path) -> str:
    """Return the digest of all Python files below a folder, by name and content."""
    told = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        told.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return told.hexdigest()


def environment() -> dict[str, str]:
    """Return what the code runs on: equal figures are promised where these are equal."""
    return {
        "smolit": version("smolit"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": platform.system(),
        "machine": platform.machine(),
    }
