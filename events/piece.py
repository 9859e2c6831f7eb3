"""Pieces of an answer while it is being made: shown, never kept; the answer itself is the message that follows.

Key: the conversation, so that the pieces of one answer stay in order.
"""

from typing import Annotated

from msgspec import Meta

from events.conversation import ConversationId, MessageId
from events.event import Message, event
from events.field import says
from events.topics import PIECES

MOST_CHARS = 4_000


@event("piece.spoken", version=1, topic=PIECES, key="conversation_id")
class PieceSpoken(Message, frozen=True, kw_only=True):
    """A language model said this much more; whoever missed a piece waits for the whole answer."""

    tenant: Annotated[str, says("Whose it is.")]
    conversation_id: ConversationId
    message_id: Annotated[MessageId, says("The message that is being answered.")]
    epoch: Annotated[
        int,
        Meta(ge=1),
        says("Which telling it is: a later one, by whoever took message or attempt over, has a higher number and begins anew."),
    ]
    number: Annotated[int, Meta(ge=0), says("Place in this telling, from 0 on without a gap.")]
    text: Annotated[str, Meta(max_length=MOST_CHARS), says("What was said since the piece before.")]
