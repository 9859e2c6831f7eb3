"""`smolit agent workers`: who works elsewhere, for which pool, and when it was last heard of."""

from events.topics import DEFAULT_TENANT
from smolit.cli import out
from smolit.cli.desk import open_desk, read
from smolit.cli.option import Json, Tenant
from store.remote import Seen, workers


def list_workers(tenant: Tenant = DEFAULT_TENANT, as_json: Json = False) -> None:
    """List workers that live elsewhere, as they announced themselves; one that is silent for a week is forgotten."""
    found = read(open_desk(), lambda connection: workers(connection, tenant))
    if as_json:
        out.json(found)
        return
    columns = tuple(name for name in Seen.__struct_fields__ if name != "tenant")
    out.table(columns, [[getattr(one, name) for name in columns] for one in found])
