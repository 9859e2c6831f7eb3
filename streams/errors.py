"""What ends a stream; the runner starts the process again.

StreamError
├── SleptTooLong    this process did not run for longer than its group session
└── StreamCrashed   a part of Faust died, and Faust would go on without it
"""


class StreamError(Exception):
    """The stream of a processor cannot go on."""


class SleptTooLong(StreamError):
    """This process did not run for longer than its group session (stopped, or the machine slept): others took over.

    It must not rejoin: with static membership two owners of one identity would push each other out for ever.
    """


class StreamCrashed(StreamError):
    """A part of Faust died; Faust itself would go on, reading nothing more."""
