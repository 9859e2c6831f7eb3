"""What ends a stream; the runner starts the process again.

StreamError
├── SleptTooLong    this process did not run for longer than its group session
├── StreamCrashed   a part of Faust died, and Faust would go on without it
└── BatchBefore     a batch that came before this one failed
ChoiceImpossible    the policy in force cannot choose; the stream goes on without this one choice
"""


class StreamError(Exception):
    """The stream of a processor cannot go on."""


class SleptTooLong(StreamError):
    """This process did not run for longer than its group session (stopped, or the machine slept): others took over.

    It must not rejoin: with static membership two owners of one identity would push each other out for ever.
    """


class StreamCrashed(StreamError):
    """A part of Faust died; Faust itself would go on, reading nothing more."""


class BatchBefore(StreamError):
    """A batch before this one failed: what came later must not be decided first."""


class ChoiceImpossible(Exception):
    """The policy in force cannot choose for this task, whatever else goes well."""

    code = "no_choice"
