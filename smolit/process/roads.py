"""Where the facts of handlers go."""

from handlers.ending import Roads
from smolit.process.place import Place


def roads_of(place: Place, source: str) -> Roads:
    """Return topic names, allowed answer topics, and who writes."""
    return Roads(place.names, frozenset(place.settings.reply_topics), source)
