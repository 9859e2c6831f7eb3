"""Columns of read models; each says how two facts about the same row come together.

Every rule but `latest` is commutative, and `latest` carries the position it is ordered by: so a read model is the same
whatever the batches and however the topics interleave.
"""

from typing import Any, Literal

from sqlalchemy import Column, MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

GENERATION = 1
SCHEMA = f"g{GENERATION}"
metadata = MetaData(schema=SCHEMA)

Rule = Literal["key", "once", "summed", "earliest", "highest", "latest"]
TIME = postgresql.TIMESTAMP(timezone=True)


def key(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], comment: str) -> Column[Any]:
    """Return a column of the row's key."""
    return Column(name, kind, primary_key=True, autoincrement=False, comment=comment, info={"rule": "key"})


def once(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], comment: str) -> Column[Any]:
    """Return a column that the first fact to say it settles."""
    return Column(name, kind, nullable=True, comment=comment, info={"rule": "once"})


def summed(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], comment: str) -> Column[Any]:
    """Return a column of integers that add up."""
    return Column(name, kind, nullable=False, comment=comment, info={"rule": "summed"})


def earliest(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], comment: str) -> Column[Any]:
    """Return a column that keeps the smallest of what was said."""
    return Column(name, kind, nullable=True, comment=comment, info={"rule": "earliest"})


def highest(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], comment: str) -> Column[Any]:
    """Return a column that keeps the largest of what was said."""
    return Column(name, kind, nullable=True, comment=comment, info={"rule": "highest"})


def latest(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], comment: str, *, by: str) -> Column[Any]:
    """Return a column that follows the highest value of another one, `by`."""
    return Column(name, kind, nullable=True, comment=comment, info={"rule": "latest", "by": by})


def rule_of(column: Column[Any]) -> Rule:
    """Return how a column's values come together."""
    rule: Rule = column.info["rule"]
    return rule
