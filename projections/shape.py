"""The shape of a generation: a digest of each read model as it was declared when the generation was made.

What a column's comment says is no part of it. A rule that is plain Python shows only in the read model's version.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from projections.errors import GenerationForeign
from projections.event_log import EVENTS_VIEW, event_log
from projections.projection import Projection
from projections.tally import TALLY, TALLY_VIEW
from projections.view import View

_DIGITS = 16


def shape_of(projections: Sequence[Projection]) -> dict[str, str]:
    """Return the digest of each read model by name, with the log and the tally."""
    declared = {EVENTS_VIEW.name: _declared([event_log], [EVENTS_VIEW]), TALLY_VIEW.name: _declared([TALLY], [TALLY_VIEW])}
    for one in projections:
        reads = sorted(fact.event_type.name for fact in one.reads)
        declared[one.name] = [one.version, reads, *_declared(one.tables, one.views)]
    return {name: _digest(content) for name, content in declared.items()}


def changed(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return the read models that are not the same in two shapes, by name."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def require_ours(name: str, shape: Mapping[str, str], projections: Sequence[Projection]) -> None:
    """Refuse a generation that other declarations than ours made: what we fold into it, or read out of it, would be wrong.

    Raises:
        GenerationForeign: some read models differ.
    """
    if other := changed(shape, shape_of(projections)):
        raise GenerationForeign(
            f"generation {name} was made by another release: {', '.join(other)} differ(s) from what this one declares; "
            "`smolit projection rebuild --all` makes ours while that one goes on answering"
        )


def _declared(tables: Iterable[Table], views: Iterable[View]) -> list[Any]:
    """Return tables and views as plain lists."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return [
        [
            [
                table.name,
                [
                    [column.name, column.type.compile(dialect=dialect), column.primary_key, column.info]
                    for column in table.columns
                ],
                sorted([index.name, [column.name for column in index.columns]] for index in table.indexes),
            ]
            for table in tables
        ],
        [[view.name, view.query.split(), list(view.columns)] for view in views],
    ]


def _digest(content: Any) -> str:
    """Return a short digest of plain lists; SQLAlchemy's names are texts."""
    return sha256(msgspec.json.encode(content, order="deterministic", enc_hook=str)).hexdigest()[:_DIGITS]
