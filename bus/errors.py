"""What can be wrong with Kafka.

BusError
├── KafkaUnreachable   nobody answers at the address
├── WrongTopics        topics differ from `events/topics.py`
├── LogChanged         the log is not the one that our positions are from
├── RecordTooLarge     a record is above the limit; nothing of its batch was sent
└── KafkaRefused       Kafka answered with an error that we have no answer to
"""


class BusError(Exception):
    """Something is wrong with Kafka or with what it holds."""


class KafkaUnreachable(BusError):
    """Nobody answers at the address in the settings, or not in time."""


class WrongTopics(BusError):
    """A topic is missing or differs from `events/topics.py`."""


class LogChanged(BusError):
    """A topic was deleted, truncated or made anew under our feet."""


class RecordTooLarge(BusError):
    """A record is above the limit."""


class KafkaRefused(BusError):
    """Kafka answered with an error that we have no answer to; the message names it."""
