"""What can be wrong with reading the memory.

ProjectionError
├── UnreadableRange   the range holds a record that this release cannot read
└── VectorUnfit       a vector that cannot be compared with others
"""


class ProjectionError(Exception):
    """The memory cannot answer."""


class UnreadableRange(ProjectionError):
    """The range holds a record that this release cannot read, so what was asked for would be incomplete."""


class VectorUnfit(ProjectionError):
    """A vector has another width, is not finite or has length zero; `reason` is its code."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"the vector cannot be compared with others: {detail} ({reason})")
        self.reason = reason
