"""What can be wrong with reading the memory, or with making it anew.

ProjectionError
├── UnreadableRange     the range holds a record that this release cannot read
├── GenerationMoved     a generation was switched or dropped while we folded it
├── GenerationForeign   the serving generation was made by another release's read models
├── RebuildRefused      a rebuild, a switch or a drop that cannot be done as it was asked for
└── VectorUnfit         a vector that cannot be compared with others
"""


class ProjectionError(Exception):
    """The memory cannot answer."""


class UnreadableRange(ProjectionError):
    """The range holds a record that this release cannot read, so what was asked for would be incomplete."""


class GenerationMoved(ProjectionError):
    """A generation was switched or dropped while we folded it; the step that noticed wrote nothing."""


class GenerationForeign(ProjectionError):
    """The serving generation was made by another release's read models; the message says how to make ours."""


class RebuildRefused(ProjectionError):
    """A rebuild, a switch or a drop cannot be done as it was asked for; the message says why and what can be."""


class VectorUnfit(ProjectionError):
    """A vector has another width, is not finite or has length zero; `reason` is its code."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"the vector cannot be compared with others: {detail} ({reason})")
        self.reason = reason
