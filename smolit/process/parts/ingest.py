"""Ingest, wired, with what makes vectors of another encoder beside it."""

import asyncio

from agents.document.tokens import counter
from agents.vectors import Encoders
from handlers import ingest, reindex
from handlers.count import Count
from learning.language import LanguageTagger
from smolit.process.hand import HandProcess
from smolit.process.place import Place
from smolit.process.runnable import Runnable


def build(place: Place) -> Runnable:
    """Return the process."""
    settings, ports = place.settings, place.ports

    async def body(stopped: asyncio.Event, count: Count) -> None:
        means = ingest.Means(
            names=place.names,
            clock=ports.clock,
            encoders=Encoders(settings.cache / "encoder"),
            usual=settings.knowledge_encoder,
            count_tokens=counter,
            language=lambda text: LanguageTagger.load().tag(text),
        )
        kafka, dsn = place.endpoints.kafka, place.endpoints.postgres
        async with asyncio.TaskGroup() as group:
            group.create_task(
                ingest.run(
                    kafka,
                    dsn,
                    means,
                    stopped,
                    count,
                    connect=ports.connect,
                    make_reader=ports.reader,
                    make_fold=ports.fold,
                )
            )
            group.create_task(reindex.run(kafka, dsn, means, stopped, count, connect=ports.connect, make_reader=ports.reader))

    return HandProcess("ingest", body)
