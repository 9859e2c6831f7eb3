"""Views: the stable, commented names under which read models are read."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from sqlalchemy import Table

ANALYST = "smolit_analyst"


class View(Struct, frozen=True):
    """One view: its query, what it is for, and what each column means.

    Tables in the query are not qualified: the search path says of which generation they are.
    """

    name: str
    query: str
    comment: str
    columns: Mapping[str, str]

    def statements(self, schema: str = "public", there: Sequence[str] = ()) -> list[str]:
        """Return the SQL that makes the view, or changes it in place, comments on it and lets analysts read it.

        `there` are the columns that it has already: they stay where they are, as Postgres demands, and new ones follow.
        """
        name = f"{schema}.{self.name}"
        return [
            f"create or replace view {name} ({', '.join(self._order(there))}) as\n{self.ordered(there)}",
            f"comment on view {name} is {_quoted(self.comment)}",
            *(f"comment on column {name}.{column} is {_quoted(text)}" for column, text in self.columns.items()),
            f"grant select on {name} to {ANALYST}",
        ]

    def ordered(self, there: Sequence[str] = ()) -> str:
        """Return the query with the columns that are there already in their places."""
        names = self._order(there)
        if names == list(self.columns):
            return self.query.strip()
        return f"select {', '.join(names)} from {self.relation()}"  # noqa: S608 the names are ours

    def relation(self) -> str:
        """Return the query as a relation with the view's name, which works in any generation."""
        return f"(\n{self.query.strip()}\n) as {self.name} ({', '.join(self.columns)})"

    def _order(self, there: Sequence[str]) -> list[str]:
        """Return the columns, first those that are there already."""
        return [*there, *(column for column in self.columns if column not in there)]


def view_of(name: str, table: Table, extra: Mapping[str, tuple[str, str]] | None = None) -> View:
    """Return the view that shows a table as it is; `extra` adds columns as name -> (SQL over `known`, comment)."""
    added = extra or {}
    shown = [f"known.{column.name}" for column in table.columns]
    shown += [f"{sql} as {column}" for column, (sql, _) in added.items()]
    comments = {column.name: column.comment or "" for column in table.columns}
    comments |= {column: comment for column, (_, comment) in added.items()}
    query = f"select {', '.join(shown)}\nfrom {table.name} as known"
    return View(name, query, table.comment or "", comments)


def _quoted(text: str) -> str:
    """Return text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
