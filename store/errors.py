"""What can be wrong with Postgres.

StoreError
├── PostgresUnreachable  nobody answers at the address
├── Fenced               another process moved our position: this one must stop
└── SchemaMissing        migrations were not run
"""


class StoreError(Exception):
    """Something is wrong with Postgres or with what it holds."""


class PostgresUnreachable(StoreError):
    """Nobody answers at the address in the settings."""


class Fenced(StoreError):
    """Another process owns what this one was working on; it must stop at once and write nothing more."""


class SchemaMissing(StoreError):
    """The tables are not there; `smolit up` makes them."""
