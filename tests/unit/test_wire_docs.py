"""The page for producers says what the code does."""

from pathlib import Path

from events.cloudevent import MAX_ATTRIBUTE_CHARS
from events.topics import ANSWERS, REQUESTS, Names

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "clients.md").read_text()


def test_the_page_shows_the_script_as_it_is() -> None:
    """The code in the documentation is the code that is tested."""
    script = (DOCS / "clients" / "submit_librdkafka.py").read_text()

    assert PAGE.split("```python\n")[1].split("```")[0] == script


def test_the_page_names_the_topics_and_limits_there_are() -> None:
    """A producer that follows the page writes to a topic that exists."""
    assert f"`{Names().of(REQUESTS)}`" in PAGE
    assert f"`{Names().of(ANSWERS)}`" in PAGE
    assert f"{MAX_ATTRIBUTE_CHARS:,} characters" in PAGE
