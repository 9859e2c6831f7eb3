"""Read model `task_features`: what a policy may see of each task; kept apart, since it is written once and is long."""

from collections.abc import Iterator

from sqlalchemy import LargeBinary, Table, Text

from events.task import TaskAdmitted
from projections.column import key, metadata, once
from projections.merge import Row
from projections.projection import Logged, Projection, compared, merging
from projections.view import view_of

_TABLE = Table(
    "task_features_v1",
    metadata,
    key("task_id", Text, "id of the task"),
    once("tenant", Text, "whose task it is"),
    once("features_version", Text, "version of the features"),
    once("embedding", LargeBinary, "embedding of the text: little-endian float16"),
    once("surface", LargeBinary, "surface features of the text: little-endian float16"),
    comment="What a policy may see of each task's text; nothing of its result.",
)


def rows(logged: Logged) -> Iterator[Row]:
    """Yield the row of an admitted task."""
    fact = logged.event.fact
    if isinstance(fact, TaskAdmitted):
        features = fact.context.features
        yield {
            **{"task_id": fact.task_id, "tenant": fact.tenant, "features_version": features.version},
            **{"embedding": features.embedding, "surface": features.surface},
        }


_VIEW = view_of("task_features", _TABLE)
TASK_FEATURES = Projection(
    name="task_features",
    version=1,
    tables=(_TABLE,),
    views=(_VIEW,),
    reads=(TaskAdmitted,),
    compared=(compared(_VIEW, _TABLE),),
    write=merging(_TABLE, rows),
)
