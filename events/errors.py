"""What can be wrong with a record.

EventError: a record that cannot become an event
├── NotAnEvent                the CloudEvents envelope is missing or broken
├── UnknownEventType          nobody claims this name
│   └── UnknownEventVersion   written by a newer release than this one
├── MalformedPayload          a known type whose fields do not fit
└── MissingUpcaster           a gap between the stored and the current version
"""


class EventError(Exception):
    """A record that cannot become an event."""

    code = "event_error"


class NotAnEvent(EventError):
    """The CloudEvents envelope is missing or broken."""

    code = "not_an_event"


class UnknownEventType(EventError):
    """Nobody claims this event name."""

    code = "unknown_type"


class UnknownEventVersion(UnknownEventType):
    """The event was written by a newer release than this one."""

    code = "unknown_version"


class MalformedPayload(EventError):
    """The type is known, but its fields do not fit."""

    code = "malformed_payload"


class MissingUpcaster(EventError):
    """There is a gap between the stored version and the current one."""

    code = "missing_upcaster"
