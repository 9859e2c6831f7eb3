"""Where a chat is saved to."""

from pathlib import Path

import pytest

from smolit.chat.speak import HEAD, saved
from smolit.errors import UsageInvalid


def test_a_chat_is_saved_over_itself_and_over_nothing_else(tmp_path: Path) -> None:
    """A file of somebody's stays what it is; an empty one is taken."""
    mine, theirs, empty = tmp_path / "talk.md", tmp_path / "thesis.md", tmp_path / "empty.md"
    theirs.write_text("Chapter 1")
    empty.touch()

    for path in (mine, mine, empty):
        saved(path, f"{HEAD}1\n")
    with pytest.raises(UsageInvalid, match="holds no conversation"):
        saved(theirs, f"{HEAD}1\n")

    assert [one.read_text() for one in (mine, theirs, empty)] == [f"{HEAD}1\n", "Chapter 1", f"{HEAD}1\n"]
