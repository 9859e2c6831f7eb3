"""The composition root: every process, built from settings, addresses and ports. Nothing else wires parts together."""

import asyncio
import contextlib
import functools
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from agents.pipeline import Toolbox
from events.topics import Names
from handlers import dispatch, relay, watchdog, workshop
from handlers.count import Count
from handlers.ending import Roads
from handlers.worker import Shift
from learning.book import PolicyKey
from learning.encoder import ENCODER_NAME, Encoder
from learning.features import ContextMap
from learning.hashed import HashedEncoder
from learning.language import LanguageTagger
from learning.outcomes import Outcomes
from learning.policies import DEFAULT
from projections.runner import Projector
from smolit.folder import stored_secret
from smolit.process.brain import BrainProcess
from smolit.process.hand import HandProcess
from smolit.process.ports import Ports
from smolit.process.runnable import Runnable
from smolit.settings import PROJECT, Settings
from smolit.stack.local import Endpoints
from store.postgres import Connection
from store.snapshot import newest
from streams.admission import Rules
from streams.app import Brain
from streams.control import ControlReader
from streams.horizon import bury
from streams.intake import Intake
from streams.learning import Learning
from streams.library import Library
from streams.live import LiveAgents
from streams.processor import Processor
from streams.reading import TextReader
from streams.selection import Selection
from streams.snapshots import Snapshots, keep_storing

PROCESSES: tuple[str, ...] = ("intake", "selection", "learning", "dispatch", "relay", "worker", "projections")
HORIZON_PAUSE_S = 60.0


@dataclass(frozen=True)
class Place:
    """Where a process stands: settings, addresses, its instance, and what it touches the world with."""

    settings: Settings
    endpoints: Endpoints
    instance: str
    ports: Ports

    @property
    def names(self) -> Names:
        """Return the names of topics."""
        return Names(self.settings.topic_prefix)

    def connect(self, application: str) -> Callable[[], Awaitable[Connection]]:
        """Return what opens a connection under the application's name."""
        return lambda: self.ports.connect(self.endpoints.postgres, application)


def build(name: str, place: Place) -> Runnable:
    """Return a process by name.

    Raises:
        KeyError: no process is called that.
    """
    return _BUILDERS[name](place)


def default_policy() -> PolicyKey:
    """Return the policy that serves unless somebody says otherwise."""
    return PolicyKey.of(DEFAULT, {})


def library(place: Place, client_id: str) -> Library:
    """Return the states of all policies, to be followed from the learning log."""
    context_map = ContextMap.load(ENCODER_NAME if place.settings.encoder == "minilm" else HashedEncoder().name)
    return Library(
        place.endpoints.kafka,
        client_id,
        place.names,
        default_policy(),
        context_map.width,
        context_map.digest,
        lambda features: context_map.apply(features.embedding, features.surface),
    )


def _intake(place: Place) -> Runnable:
    settings, ports = place.settings, place.ports
    control = ControlReader(place.endpoints.kafka, "intake-control", place.names)
    processor = Intake(
        names=place.names,
        tenants=settings.tenants,
        rules=_rules(place),
        reader=text_reader(settings),
        inline_limit_bytes=settings.inline_limit_bytes,
        clock=ports.clock,
        connect=place.connect("smolit-intake"),
        publisher=ports.publisher(place.endpoints.kafka, "intake"),
        control=control,
        fold=ports.fold,
    )
    return BrainProcess(processor, _brain(place, processor))


def _selection(place: Place) -> Runnable:
    settings, ports, kafka = place.settings, place.ports, place.endpoints.kafka
    processor = Selection(
        names=place.names,
        default=default_policy(),
        secret=choice_secret(settings),
        clock=ports.clock,
        connect=place.connect("smolit-selection"),
        publisher=ports.publisher(kafka, "selection"),
        control=ControlReader(kafka, "selection-control", place.names),
        library=library(place, "selection-library"),
        live=LiveAgents(kafka, "selection-live", place.names, settings.heartbeat_s, ports.clock, time.monotonic),
    )
    return BrainProcess(processor, _brain(place, processor))


def _learning(place: Place) -> Runnable:
    processor = Learning(
        names=place.names, clock=place.ports.clock, connect=place.connect("smolit-learning"), fold=place.ports.fold
    )
    return BrainProcess(processor, _brain(place, processor), [_snapshots(place), _horizon(place)])


def _snapshots(place: Place) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    """Return what keeps snapshots of all policy states, beside the learning fold."""

    async def keep(stopped: asyncio.Event) -> None:
        followed = library(place, "learning-library")
        connection = await place.connect("smolit-snapshots")()
        try:
            await followed.start(await newest(connection))
            snapshots = Snapshots(followed, connection, place.names, place.ports.clock, place.settings.snapshot_every)
            await keep_storing(snapshots, stopped.is_set)
        finally:
            await followed.stop()
            await connection.close()

    return keep


def _horizon(place: Place) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    """Return what sets aside feedback that has waited too long, now and then."""

    async def keep(stopped: asyncio.Event) -> None:
        connection = await place.connect("smolit-horizon")()
        patience = timedelta(days=place.settings.feedback_horizon_days)
        try:
            while not stopped.is_set():
                await bury(connection, place.names, place.ports.clock(), patience)
                await _pause(stopped, HORIZON_PAUSE_S)
        finally:
            await connection.close()

    return keep


async def _pause(stopped: asyncio.Event, seconds: float) -> None:
    """Wait, but no longer than until told to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()


def _dispatch(place: Place) -> Runnable:
    clock, roads = place.ports.clock, _roads(place, "smolit/dispatch")

    async def body(stopped: asyncio.Event, count: Count) -> None:
        dispatcher = dispatch.Dispatcher(roads, clock, random.random, dispatch.Retry(), count)
        kafka, dsn = place.endpoints.kafka, place.endpoints.postgres
        async with asyncio.TaskGroup() as group:
            group.create_task(dispatch.run(kafka, dsn, place.names, dispatcher, stopped))
            group.create_task(watchdog.run(dsn, roads, stopped, clock, count))

    return HandProcess("dispatch", body)


def _relay(place: Place) -> Runnable:
    async def body(stopped: asyncio.Event, count: Count) -> None:
        relay_id = f"relay-{place.instance}"
        kafka, dsn = place.endpoints.kafka, place.endpoints.postgres
        await relay.run(kafka, dsn, relay_id, stopped, time.monotonic, count, relay.Pace())

    return HandProcess("relay", body)


def _worker(place: Place) -> Runnable:
    settings = place.settings
    shift = Shift(
        worker=f"worker-{place.instance}",
        agents=None,
        capacity=settings.worker_capacity,
        lease_s=settings.lease_s,
        heartbeat_s=settings.heartbeat_s,
    )

    async def body(stopped: asyncio.Event, count: Count) -> None:
        kafka, dsn = place.endpoints.kafka, place.endpoints.postgres
        roads = _roads(place, "smolit/worker")
        async with httpx.AsyncClient() as http:
            toolbox = Toolbox(PROJECT, frozenset(settings.webhook_hosts), http, recordings())
            await workshop.run(kafka, dsn, shift, roads, toolbox, stopped, place.ports.clock, time.monotonic, count)

    return HandProcess("worker", body)


def _projections(place: Place) -> Runnable:
    settings = place.settings
    projector = Projector(place.endpoints.kafka, place.endpoints.postgres, place.names, settings.tenants)

    async def body(stopped: asyncio.Event, _count: Count) -> None:
        await projector.run(stopped.is_set)

    async def is_ready() -> bool:
        return await projector.lag() is not None

    return HandProcess("projections", body, is_ready)


def _roads(place: Place, source: str) -> Roads:
    return Roads(place.names, frozenset(place.settings.reply_topics), source)


def recordings() -> Callable[[Path], Outcomes]:
    """Return what opens recorded outcomes, each file once per process."""
    return functools.cache(lambda path: Outcomes.load(path.parent, path.name))


def _brain(place: Place, processor: Processor) -> Brain:
    """Return the Faust app of a processor; its group and instance names are stored by Kafka, so they are spelled out."""
    return Brain(
        processor,
        kafka=place.endpoints.kafka,
        group=f"{place.settings.topic_prefix}-{processor.name}",
        instance=place.instance,
        data_dir=place.settings.data_dir / "faust",
    )


def _rules(place: Place) -> Rules:
    settings = place.settings
    return Rules(
        task_deadline_s=settings.task_deadline_s,
        max_attempts=settings.max_attempts,
        blob_threshold_bytes=settings.blob_threshold_bytes,
        reply_topics=settings.reply_topics,
        admins=settings.admins,
    )


def text_reader(settings: Settings) -> TextReader:
    """Return what reads texts, with the encoder that the settings name.

    Raises:
        EncoderError: it was not built, or its files are not the ones that were built.
    """
    encoder = Encoder.load(settings.cache / "encoder") if settings.encoder == "minilm" else HashedEncoder()
    return TextReader(encoder, LanguageTagger.load())


def choice_secret(settings: Settings) -> bytes:
    """Return the secret of the random draws: the one in the settings, or the one made once for this data folder."""
    secret = settings.choice_secret or stored_secret(settings.data_dir / "choice.secret")
    return secret.get_secret_value().encode()


_BUILDERS: Mapping[str, Callable[[Place], Runnable]] = {
    "intake": _intake,
    "selection": _selection,
    "learning": _learning,
    "dispatch": _dispatch,
    "relay": _relay,
    "worker": _worker,
    "projections": _projections,
}
