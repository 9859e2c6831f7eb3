"""Fixtures for every folder of tests: the local stack of the run, and each test's own part of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from smolit.settings import Settings
from smolit.stack import local
from tests.stacks import Namespace, guarded, namespace_on, private_settings


@pytest.fixture(scope="session")
def stack_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the run's own stack: its folder, and ports nobody else wants."""
    return private_settings(tmp_path_factory.mktemp("stack") / "data")


@pytest.fixture(scope="session")
def stack(stack_settings: Settings) -> Iterator[local.Endpoints]:
    """A real Kafka and a real Postgres, started once for the run, gone after it."""
    with guarded(stack_settings.data_dir):
        yield local.up(stack_settings)


@pytest.fixture(scope="session")
def kafka(stack: local.Endpoints) -> str:
    """Bootstrap address of the run's Kafka."""
    return stack.kafka


@pytest.fixture(scope="session")
def postgres(stack: local.Endpoints) -> str:
    """URL of the run's Postgres; what it names is shared by all tests, so write to a namespace's database instead."""
    return stack.postgres


@pytest.fixture
def namespace(stack: local.Endpoints, tmp_path: Path) -> Iterator[Namespace]:
    """A topic prefix and an empty database for this test alone, removed after it."""
    with namespace_on(stack, tmp_path / "data") as mine:
        yield mine
