"""Which errors have a name: those whose one sentence tells a person what to do, so that no traceback is needed."""

import psycopg
from aiokafka.errors import KafkaError

from agents.errors import AgentError
from bus.errors import BusError
from events.errors import EventError
from learning.errors import LearningError
from projections.errors import ProjectionError
from smolit.errors import SmolitError
from store.errors import StoreError
from streams.errors import StreamError

NAMED: tuple[type[Exception], ...] = (
    SmolitError,
    BusError,
    StoreError,
    StreamError,
    EventError,
    LearningError,
    AgentError,
    ProjectionError,
    KafkaError,
    psycopg.OperationalError,
    psycopg.errors.IdleInTransactionSessionTimeout,  # this process stood still, and others took over
)


def sentence(error: BaseException) -> str | None:
    """Return what a named error says, on one line; None for one that nobody foresaw.

    A group is named if all of it is; several parts of one process often fail for one reason, which is said once.
    """
    if isinstance(error, BaseExceptionGroup):
        told = [sentence(one) for one in error.exceptions]
        known = [one for one in told if one is not None]
        return "; ".join(dict.fromkeys(known)) if len(known) == len(told) else None
    if not isinstance(error, NAMED):
        return None
    return " ".join(str(error).split()) or type(error).__name__
