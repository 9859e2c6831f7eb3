"""What every request is, and fields that several of them have."""

from typing import Annotated

from msgspec import Meta

from events.event import Message
from events.field import Name, Sentence, says

Weight = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=10**15)]
Reason = Annotated[Sentence, says("Why, in words, for whoever reads the history.")]
ScopeName = Annotated[Name, says("Family of tasks that one policy learns on.")]


class Request(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything that an outsider may ask for; unknown fields are refused."""
