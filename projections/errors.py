"""What can be wrong with reading the memory.

ProjectionError
└── UnreadableRange   the range holds a record that this release cannot read
"""


class ProjectionError(Exception):
    """The memory cannot answer."""


class UnreadableRange(ProjectionError):
    """The range holds a record that this release cannot read, so what was asked for would be incomplete."""
