"""Local stacks for tests: guarded, so that none outlives the run, and divided into one namespace per test."""

import asyncio
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from aiokafka.admin import AIOKafkaAdminClient
from psycopg import sql

from bus.address import options
from smolit.settings import Settings, load_settings
from smolit.stack.local import Endpoints

_GUARD = Path(__file__).with_name("guard.py")
_WIPE_S = 180


@dataclass(frozen=True)
class Namespace:
    """What one test has for itself on the shared stack: a topic prefix and an empty database."""

    topic_prefix: str
    kafka: str
    postgres: str = field(repr=False)
    settings: Settings = field(repr=False)


def private_settings(data_dir: Path) -> Settings:
    """Return the settings of a stack that shares nothing with any other one, but for the cache of jars."""
    anything = {"kafka": "", "postgres": "", "kafka_port": 0, "kafka_controller_port": 0, "postgres_port": 0}
    patience = {"stack_timeout_s": 300, "start_timeout_s": 300}  # test machines are small and busy
    return load_settings(data_dir=data_dir, **anything, **patience)


@contextmanager
def guarded(data_dir: Path) -> Iterator[None]:
    """Have the stack in a folder stopped and wiped afterwards, even if this process is killed."""
    data_dir.mkdir(parents=True, exist_ok=True)
    guard = subprocess.Popen(
        [sys.executable, str(_GUARD), str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.communicate(timeout=_WIPE_S)
    assert guard.returncode == 0, "the test stack could not be wiped"


@contextmanager
def namespace_on(stack: Endpoints, data_dir: Path) -> Iterator[Namespace]:
    """Lend a topic prefix and a database of its own; topics and database are removed afterwards."""
    prefix = f"t{secrets.token_hex(4)}"
    url = f"{stack.postgres.rpartition('/')[0]}/{prefix}"
    settings = load_settings(data_dir=data_dir, topic_prefix=prefix, kafka=stack.kafka, postgres=url)
    _statement(stack.postgres, sql.SQL("create database {}").format(sql.Identifier(prefix)))
    try:
        yield Namespace(prefix, stack.kafka, url, settings)
    finally:
        _statement(stack.postgres, sql.SQL("drop database {} with (force)").format(sql.Identifier(prefix)))
        asyncio.run(_drop_topics(stack.kafka, prefix))


def _statement(url: str, statement: sql.Composed) -> None:
    """Run one statement that no transaction may hold."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


async def _drop_topics(bootstrap: str, prefix: str) -> None:
    """Delete a test's topics, so that the broker does not grow with the number of tests."""
    admin = AIOKafkaAdminClient(**options(bootstrap))
    await admin.start()
    try:
        mine = [topic for topic in await admin.list_topics() if topic.startswith(f"{prefix}.")]
        if mine:
            await admin.delete_topics(mine)
    finally:
        await admin.close()
