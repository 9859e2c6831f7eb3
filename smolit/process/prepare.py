"""What must be there before the processes start: topics, tables, the encoder, and the agents that come with smolit."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from agents import card_file, spec
from bus import admin
from events.agent import AgentSpec
from events.card import ModelCard, RegisterCard
from events.control import Control
from events.ids import derived_id
from events.request import RegisterAgent
from events.topics import Names
from smolit.client import Ask, Client, Origin
from smolit.process.known import assert_known
from smolit.settings import PROJECT, Settings
from smolit.stack.local import Endpoints
from store import migrate
from streams.change import spec_digest
from streams.change_card import card_digest
from streams.control import ControlReader

Progress = Callable[[str], None]

SPECS = PROJECT / "agents" / "specs"
CARDS = PROJECT / "agents" / "cards"
SOURCE = "smolit/up"


async def prepare(settings: Settings, endpoints: Endpoints, progress: Progress) -> None:
    """Make what is missing and check what is there; done twice, it changes nothing.

    Raises:
        WrongTopics: a topic differs from `events/topics.py`.
        LogChanged: a topic was made anew, but the database knows the one before.
        KafkaUnreachable, PostgresUnreachable: nobody answers.
        BadSpecs: a spec that comes with smolit has a fault.
        EncoderError: the sentence encoder cannot be built.
    """
    await make_topics(settings, endpoints, progress)
    await asyncio.to_thread(migrate.upgrade, endpoints.postgres)
    progress(f"schema at {migrate.head()}")
    await assert_known(endpoints, Names(settings.topic_prefix), settings.tenants)
    if settings.encoder == "minilm":
        from learning.encoder_build import ensure_encoder  # what builds graphs takes a second to import

        progress("the sentence encoder is checked, and built where there is none")
        await asyncio.to_thread(ensure_encoder, settings.cache / "encoder")
    await register_missing(settings, endpoints, SPECS, progress, CARDS)


async def make_topics(settings: Settings, endpoints: Endpoints, progress: Progress) -> None:
    """Make the topics that are missing, and assert all of them."""
    topics = Names(settings.topic_prefix).all(settings.tenants)
    made = await admin.provision(endpoints.kafka, topics, settings.kafka_replicas)
    await admin.assert_topics(endpoints.kafka, topics)
    progress(f"{len(topics)} topics as written down, {len(made)} of them new")


async def register_missing(
    settings: Settings, endpoints: Endpoints, folder: Path, progress: Progress, models: Path | None = None
) -> None:
    """Ask for the registration of every agent and model in folders that a tenant does not have; intake does it once it runs.

    An agent that was retired stays so. The request is named after its content, so asking again asks for nothing new.
    """
    specs, names = spec.load(folder), Names(settings.topic_prefix)
    cards = card_file.load(models) if models else ()
    control = await _in_force(endpoints.kafka, names)
    for tenant in sorted(set(settings.tenants) & set(settings.admins)):
        missing = [one for one in specs if (tenant, one.id) not in control.agents]
        asks = [Ask(RegisterAgent(spec=one), _request_id(one)) for one in missing]
        asks += [Ask(RegisterCard(card=one), _card_id(one)) for one in cards if (tenant, one.name) not in control.cards]
        if asks:
            async with Client(endpoints.kafka, Origin(names, tenant, SOURCE), lambda: datetime.now(UTC), os.urandom) as client:
                await client.send(asks)
        progress(f"{len(specs)} agents for {tenant}, {len(missing)} of them new")


async def _in_force(kafka: str, names: Names) -> Control:
    """Return what is in force as of now."""
    reader = ControlReader(kafka, "smolit-prepare", names)
    await reader.start()
    try:
        return reader.control
    finally:
        await reader.stop()


def _card_id(one: ModelCard) -> str:
    return derived_id("register model", one.name, card_digest(one))


def _request_id(one: AgentSpec) -> str:
    return derived_id("register", one.id, spec_digest(one))
