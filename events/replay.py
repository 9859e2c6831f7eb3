"""Replays: a dead letter's record goes back to its topic, and says in headers where it first lay and how often it came again."""

from collections.abc import Iterable

from events.wire import Headers, Incoming

# Kept in records for ever, so written down here and nowhere else.
PLACE_HEADER = "smolit_first_place"
COUNT_HEADER = "smolit_replay"


def first_place(record: Incoming) -> str:
    """Return where a record lay before it was ever replayed, as `topic/partition/offset`."""
    return _text(record.headers, PLACE_HEADER) or record.origin


def replays(headers: Iterable[tuple[str, bytes]]) -> int:
    """Return how often a record has been replayed; what is no number was not written by us, and counts as never."""
    told = _text(headers, COUNT_HEADER) or "0"
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else 0


def replayed(record: Incoming) -> Headers:
    """Return a record's headers for its next way through: all that it had, its first place, and the number of this replay."""
    own = tuple(pair for pair in record.headers if pair[0] not in (PLACE_HEADER, COUNT_HEADER))
    count = replays(record.headers) + 1
    return (*own, (PLACE_HEADER, first_place(record).encode()), (COUNT_HEADER, str(count).encode()))


def _text(headers: Iterable[tuple[str, bytes]], wanted: str) -> str | None:
    """Return the first header of a name as text."""
    return next((content.decode("utf-8", "replace") for name, content in headers if name == wanted and content), None)
