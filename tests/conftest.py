"""Fixtures for every folder of tests: the local stack of the run, and each test's own part of it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from smolit.settings import PROJECT, Settings
from smolit.stack import local
from tests.stacks import Namespace, guarded, namespace_on, private_settings

# How long one example takes says how busy the machine is.
hypothesis.settings.register_profile("house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("house")

SYSTEM = "system"


class OneSystem(LoadScopeScheduling):
    """Shares files out among workers, but gives all files that run every process to the same one.

    So two sets of processes never compete for a machine, and what needs none fills the time beside them.
    """

    def _split_scope(self, nodeid: str) -> str:
        """Return what is not divided: a file, or all that run everything."""
        file = nodeid.partition("::")[0]
        return SYSTEM if runs_everything(file) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneSystem:
    """Share out tests in our way, whatever is asked for."""
    return OneSystem(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: runs_everything(item.nodeid.partition("::")[0]), reverse=True)


@cache
def runs_everything(file: str) -> bool:
    """Say whether a file starts all processes, or plays a whole session: it stands in `e2e`, or lends itself `all_running`."""
    return file.startswith("tests/e2e/") or "all_running(" in (PROJECT / file).read_text(encoding="utf-8")


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
