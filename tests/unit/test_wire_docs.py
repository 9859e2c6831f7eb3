"""The page for producers says what the code does."""

import re
from pathlib import Path

from events.cloudevent import MAX_ATTRIBUTE_CHARS
from events.topics import ANSWERS, REQUESTS, Names

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS.parent / "examples"
PAGE = (DOCS / "clients.md").read_text()


def test_the_page_shows_every_example_and_its_client() -> None:
    """Each folder of examples with a program stands in the table, with a link to a file that is there."""
    linked = dict(re.findall(r"\[examples/(\w+)\]\(\.\./(examples/[^)]+)\)", PAGE))

    assert set(linked) == {one.name for one in EXAMPLES.iterdir() if any(file.suffix != ".yaml" for file in one.iterdir())}
    assert [path for path in linked.values() if not (EXAMPLES.parent / path).is_file()] == []


def test_the_page_names_the_topics_and_limits_there_are() -> None:
    """A producer that follows the page writes to a topic that exists."""
    assert f"`{Names().of(REQUESTS)}`" in PAGE
    assert f"`{Names().of(ANSWERS)}`" in PAGE
    assert f"{MAX_ATTRIBUTE_CHARS:,} characters" in PAGE
