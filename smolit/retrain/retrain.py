"""From the log to a version that serves by a network: read, split, train, prove, judge; then it is registered like any other."""

import hashlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from events.control import Control
from events.model import Bin, Origin, Trained
from events.request import RegisterModel
from events.wire import Incoming
from learning.book import PolicyKey
from learning.encoders import context_map, context_maps
from learning.features import ContextMap
from learning.network import Graph, Networks, open_graph
from learning.network import write as write_network
from learning.policies import DEFAULT
from smolit.audit.choices import sort_log
from smolit.cli.desk import Desk
from smolit.cli.log import whole_log
from smolit.errors import CheckFailed
from smolit.folder import claim, networks_in
from smolit.model.build import Made, Measured, made
from smolit.model.control import control_of
from smolit.model.fold import Scope, fold
from smolit.model.registry import shelf, versions
from smolit.retrain import child
from smolit.retrain.history import history
from smolit.retrain.judge import Bench, Judged, judge, metrics_of
from smolit.retrain.split import Range, Split, job_of, split
from training.job import Job, Words

Told = Callable[[str], None]
ToldEpoch = Callable[[child.Epoch], None]


class Asked(Struct, frozen=True, kw_only=True):
    """What is to be trained: a scope's examples in a range, how, and with which settings the network is served."""

    scope: Scope
    range: Range
    words: Words
    served: dict[str, float | str] = {}
    processes: int = 1
    resume: bool = False


class Retrained(Struct, frozen=True):
    """A version that is not registered yet: its network, its origin and state, what it is worth, and how the training went.

    `folder` holds the rows and checkpoints.
    """

    folder: Path
    graph: bytes
    version: Made
    request: RegisterModel
    judged: Judged
    result: child.Result


async def retrain(desk: Desk, asked: Asked, told: Told, told_epoch: ToldEpoch) -> Retrained:
    """Train a network on the log and judge it; nothing is registered.

    Raises:
        TooFewRows, OutcomeLeak: the range cannot be trained on.
        TrainingLibraryMissing, TrainingFailed: nothing could be trained.
    """
    began = (time.process_time(), time.perf_counter())
    told("reading the log")
    records, used = await whole_log(desk), context_map(desk.settings.encoder)
    found = split(history(records, asked.scope, used.digest), asked.range)
    job, table = job_of(found, used, asked.words)
    told(f"{len(found.training):,} attempts of {len(job.agents)} agents to train on, {len(found.judging):,} choices to judge by")
    claim(desk.settings.data_dir)
    trained = child.train(folder_of(desk, job), job, table, processes=asked.processes, resume=asked.resume, told=told_epoch)
    told(f"trained in {trained.result.seconds:.0f} s; the graph tells what the network tells, within {trained.result.parity:.1g}")
    key = _key(trained.graph, found, asked.served)
    control = await control_of(desk)
    networks = _with(shelf(desk), hashlib.sha256(trained.graph).hexdigest(), graph := open_graph(trained.graph))
    bench = Bench(
        sort_log(records, networks=networks), context_maps(), asked.scope, control, _in_force(control, asked.scope), key
    )
    judged = judge(found, bench, graph, used)
    seconds = {"cpu_s": time.process_time() - began[0], "wall_s": time.perf_counter() - began[1]}
    cost = {**{name: round(each, 3) for name, each in seconds.items()}, "training_s": round(trained.result.seconds, 3)}
    version = _version(records, asked, found, job, key, used, judged, trained.result, cost)
    parent = (await versions(desk)).find(*asked.scope, "champion")
    own = version.origin.id_in(*asked.scope)
    follows = parent.id if parent and parent.id != own else None
    request = RegisterModel(scope=asked.scope.name, origin=version.origin, parent=follows)
    return Retrained(folder_of(desk, job), trained.graph, version, request, judged, trained.result)


async def again(desk: Desk, scope: Scope, origin: Origin, told: Told = lambda _said: None) -> None:
    """Train the network of a version anew and write it, if the log still gives what was registered.

    Raises:
        CheckFailed: the rows, or the network, come out otherwise: another log, release, or kind of machine.
    """
    trained = origin.trained
    if trained is None:
        raise CheckFailed("the version was folded on with a network of another version, which has to be restored first")
    used = context_maps().get(origin.context_map)
    if used is None:
        raise CheckFailed(f"context map {origin.context_map[:12]} does not come with this release")
    words = msgspec.convert(trained.words, Words)
    told("reading the log")
    known = history(await whole_log(desk), scope, used.digest)
    job, table = job_of(_split_again(known, trained), used, words)
    if job.table_sha256 != trained.table_sha256:
        raise CheckFailed("the network was not restored: the log gives other rows than it was trained on")
    claim(desk.settings.data_dir)
    found = child.train(folder_of(desk, job), job, table, told=lambda _epoch: None)
    if hashlib.sha256(found.graph).hexdigest() != origin.parameters["model"]:
        raise CheckFailed("the network was not restored: this machine, or release, trains to other bytes than were registered")
    write_network(networks_in(desk.settings.data_dir), found.graph)
    shutil.rmtree(folder_of(desk, job))


def done(found: Retrained) -> None:
    """Remove what only the training needed: its version is registered."""
    shutil.rmtree(found.folder, ignore_errors=True)


def keep(desk: Desk, found: Retrained) -> str:
    """Put the network where what serves finds it, and return its digest."""
    return write_network(networks_in(desk.settings.data_dir), found.graph)


def folder_of(desk: Desk, job: Job) -> Path:
    """Return where a job is trained: the same job again finds its checkpoints."""
    return desk.settings.data_dir / "training" / job.digest[:16]


def _split_again(known: Any, trained: Trained) -> Split:
    """Return the split that a version was trained on."""
    bounds = Range(trained.start, trained.end + 1)
    within = [lesson for lesson in known.lessons if bounds.holds(lesson)]
    at = next((number for number, lesson in enumerate(within, start=1) if lesson.offset == trained.cut), 0)
    # The share that leaves just these before the cut: half a lesson more, so that no rounding takes one away.
    return split(known, Range(trained.start, trained.end + 1, 1.0 - (at + 0.5) / max(len(within), 1)))


def _key(graph: bytes, found: Split, served: dict[str, float | str]) -> PolicyKey:
    model = hashlib.sha256(graph).hexdigest()
    return PolicyKey.of("neural", {**served, "model": model, "trained": float(found.cut.sequence)})


def _with(others: Networks, digest: str, graph: Graph) -> Networks:
    """Return the networks of a shelf and one that does not lie there yet."""
    return lambda wanted: graph if wanted == digest else others(wanted)


def _in_force(control: Control, scope: Scope) -> PolicyKey:
    """Return the policy that a new one would follow: the one set or promoted, else the default."""
    found = control.policies.get((scope.tenant, scope.name))
    return PolicyKey.of(found.policy, found.parameters) if found else PolicyKey.of(DEFAULT, {})


def _version(
    records: list[Incoming],
    asked: Asked,
    found: Split,
    job: Job,
    key: PolicyKey,
    used: ContextMap,
    judged: Judged,
    result: child.Result,
    cost: dict[str, float],
) -> Made:
    """Return the version: the fold up to what the network knows, which is a count and no more, and where it comes from."""
    folded = fold(records, asked.scope, key, used, found.cut.offset)
    version = made(folded, used, Measured({**metrics_of(judged), "graph_off_by": result.parity}, judged.refused), cost)
    trained = Trained(
        kind=job.words.kind,
        start=found.start.offset,
        cut=found.cut.offset,
        end=found.end.offset,
        rows=len(found.training),
        judged=judged.rewarded,
        table_sha256=job.table_sha256,
        words=msgspec.to_builtins(job.words),
        reliability=tuple(Bin(one.told, one.came, one.count) for one in judged.foretold.groups),
    )
    environment = {**version.origin.environment, "torch": result.torch}
    origin = msgspec.structs.replace(version.origin, seed=job.words.seed, environment=environment, trained=trained)
    return Made(origin, version.state)
