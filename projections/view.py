"""Views: the stable, commented names under which read models are read."""

from collections.abc import Mapping

from msgspec import Struct
from sqlalchemy import Table

ANALYST = "smolit_analyst"


class View(Struct, frozen=True):
    """One view in `public`: its query, what it is for, and what each column means."""

    name: str
    query: str
    comment: str
    columns: Mapping[str, str]

    def statements(self) -> list[str]:
        """Return the SQL that makes the view, comments on it and lets analysts read it."""
        names = ", ".join(self.columns)
        return [
            f"create view public.{self.name} ({names}) as\n{self.query.strip()}",
            f"comment on view public.{self.name} is {_quoted(self.comment)}",
            *(f"comment on column public.{self.name}.{column} is {_quoted(text)}" for column, text in self.columns.items()),
            f"grant select on public.{self.name} to {ANALYST}",
        ]


def view_of(name: str, table: Table, extra: Mapping[str, tuple[str, str]] | None = None) -> View:
    """Return the view that shows a table as it is; `extra` adds columns as name -> (SQL over `known`, comment)."""
    added = extra or {}
    shown = [f"known.{column.name}" for column in table.columns]
    shown += [f"{sql} as {column}" for column, (sql, _) in added.items()]
    comments = {column.name: column.comment or "" for column in table.columns}
    comments |= {column: comment for column, (_, comment) in added.items()}
    query = f"select {', '.join(shown)}\nfrom {table.fullname} as known"
    return View(name, query, table.comment or "", comments)


def _quoted(text: str) -> str:
    """Return text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
