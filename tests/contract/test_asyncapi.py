"""The AsyncAPI document, by the official parser, where Node is installed."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from events.catalog import FACTS, NOTICES, REQUESTS
from events.contract import DOCUMENT
from tests.golden.publish import published
from tests.toolchain import npm_folder, tool

JS = Path(__file__).with_name("js")
ERROR, WARNING = 0, 1


def spoilt(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with a reference into nothing."""
    document["channels"]["tasks"]["messages"]["lost"] = {"$ref": "#/components/messages/lost"}
    return document


@pytest.fixture(scope="module")
def found() -> list[dict[str, Any]]:
    """What the parser finds in the published document, and in a spoilt one."""
    node = tool("node")
    document = published()[DOCUMENT].decode()
    documents = json.dumps([document, json.dumps(spoilt(json.loads(document)))])
    done = subprocess.run(
        [node, "validate.mjs"], cwd=npm_folder(JS), input=documents, capture_output=True, text=True, check=True, timeout=120
    )
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


def test_the_document_is_valid(found: list[dict[str, Any]]) -> None:
    """The official parser has nothing to say against it, and finds every message and what to do with it."""
    whole = found[0]

    assert [one for one in whole["diagnostics"] if one["severity"] in (ERROR, WARNING)] == []
    assert whole["version"] == "3.0.0"
    assert set(whole["messages"]) == {cls.event_type.wire_name for cls in (*REQUESTS, *FACTS, *NOTICES)}
    assert "send send.requests.task.submit" in whole["operations"]
    assert "receive receive.answers" in whole["operations"]


def test_the_parser_would_find_a_mistake(found: list[dict[str, Any]]) -> None:
    """A reference into nothing is an error, so that silence about ours means something."""
    errors = [(one["code"], one["path"]) for one in found[1]["diagnostics"] if one["severity"] == ERROR]

    assert found[1]["version"] is None
    assert ("invalid-ref", "channels.tasks.messages.lost.$ref") in errors
