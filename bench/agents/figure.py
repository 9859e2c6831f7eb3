"""One figure of one worker: what was measured on what, in which direction better lies, and what it is compared with."""

from typing import Literal

from msgspec import Struct

from bench.spread import Range


class Figure(Struct, frozen=True):
    """A figure with its 95 % interval, beside the baseline's on the same data (None: there is none).

    `ahead`: the worker's figure less the baseline's, over the same documents, where both were drawn together.
    """

    worker: str
    metric: str
    unit: str
    better: Literal["higher", "lower"]
    value: Range
    data: str
    n: int
    baseline: str | None = None
    baseline_value: Range | None = None
    asked: str = ""
    ahead: Range | None = None
