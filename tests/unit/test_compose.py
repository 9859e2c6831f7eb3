"""docker-compose.yml: valid by the specification's schema, and every word of it about smolit is true."""

import copy
import json
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
import yaml

from smolit.cli.catalog import COMMANDS
from smolit.process.roster import EXTRAS, PROCESSES
from smolit.settings import PREFIX, PROJECT, Settings
from smolit.stack.jar import kafka_version, read_lock

SCHEMA = Path(__file__).parent.parent / "data" / "compose" / "compose_spec.json"
# The schema names formats that JSON Schema does not know; Compose's own words for them.
FORMATS = {
    "duration": r"^([0-9]+(us|ms|s|m|h))+$",
    "ports": r"^([0-9.]+:)?[0-9-]+(:[0-9-]+)?(/(tcp|udp))?$",
    "expose": r"^[0-9-]+(/[a-z]+)?$",
    "subnet_ip_address": r"^[0-9a-f.:]+/[0-9]+$",
}
VALID = fastjsonschema.compile(json.loads(SCHEMA.read_text()), formats=FORMATS)


@pytest.fixture
def compose() -> dict[str, Any]:
    """The file, with what it merges merged."""
    loaded: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
    return loaded


def of_ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the services that run smolit's image."""
    return {name: one for name, one in compose["services"].items() if one["image"] == "smolit"}


def test_it_is_valid_by_the_specification(compose: dict[str, Any]) -> None:
    """The vendored schema of the Compose specification accepts it."""
    VALID(copy.deepcopy(compose))


@pytest.mark.parametrize(
    "harm",
    [
        {"services": {"relay": {"image": "x", "comand": ["run"]}}},
        {"services": {"relay": {"image": 7}}},
        {"services": {"relay": {"image": "x", "depends_on": {"kafka": {"condition": "service_happy"}}}}},
        {"services": {"relay": {"image": "x", "healthcheck": {"interval": "ten seconds"}}}},
        {"servces": {}},
    ],
    ids=["an unknown key", "a wrong type", "a condition that is none", "no duration", "an unknown part"],
)
def test_the_schema_refuses_what_is_wrong(harm: dict[str, Any]) -> None:
    """A check that cannot fail would be none."""
    with pytest.raises(fastjsonschema.JsonSchemaException):
        VALID(harm)


def test_every_process_has_a_container_and_nothing_else_runs(compose: dict[str, Any]) -> None:
    """The processes of the roster, each under its own identity, after one that prepares."""
    running = {name: one for name, one in of_ours(compose).items() if one.get("command", [""])[0] == "run"}

    assert {one["command"][1] for one in running.values()} == {*PROCESSES, *EXTRAS}
    assert len({tuple(one["command"]) for one in running.values()}) == len(running)
    assert all(one["depends_on"] == {"prepare": {"condition": "service_completed_successfully"}} for one in running.values())
    assert {one["command"][0] for one in of_ours(compose).values() if "command" in one} <= {one.words for one in COMMANDS}


def test_every_setting_is_one_of_smolit(compose: dict[str, Any]) -> None:
    """A misspelled variable would end each process; secrets come from outside."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for one in of_ours(compose).values():
        given = one["environment"]
        assert set(given) <= known
        assert given["SMOLIT_CHOICE_SECRET"].startswith("${SMOLIT_CHOICE_SECRET:?")
        assert ":${POSTGRES_PASSWORD:?" in given["SMOLIT_POSTGRES"]
        assert given["SMOLIT_LOCAL_LLM_AT"].partition(":")[0] in compose["services"]


def test_servers_are_official_images_of_the_versions_that_we_run(compose: dict[str, Any]) -> None:
    """Kafka is the one of the local stack; nothing but it is published, and that on loopback alone."""
    services = compose["services"]

    assert services["kafka"]["image"] == f"apache/kafka:{kafka_version(read_lock())}"
    assert services["postgres"]["image"].startswith("pgvector/pgvector:pg")
    assert [port for one in services.values() for port in one.get("ports", [])] == ["127.0.0.1:9092:9092"]
    assert {name for name, one in services.items() if one.get("privileged") or "build" not in one} == {"kafka", "postgres"}
