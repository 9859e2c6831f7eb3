"""Topics and tables: are they as they are written down, and are the logs the ones that we know, and do our read models serve?"""

import asyncio

from bus.errors import BusError
from events.topics import Names
from projections.errors import GenerationForeign
from smolit.cli.desk import Desk, read
from smolit.doctor.finding import Finding, finding
from smolit.process.endpoints import locate
from smolit.process.known import assert_known
from smolit.settings import Settings
from store.errors import StoreError
from store.generation import serving


def topics(settings: Settings) -> Finding:
    """Are the topics as they are written down?"""
    from bus.admin import assert_topics  # brings the admin client, which few commands need

    wanted = Names(settings.topic_prefix).all(settings.tenants)
    try:
        asyncio.run(assert_topics(locate(settings).kafka, wanted))
    except BusError as error:
        return Finding("topics", False, str(error), "`smolit up` makes missing ones; a changed one needs a new major version")
    return Finding("topics", True, f"{len(wanted)} as written down")


def logs(settings: Settings) -> Finding:
    """Are the logs the ones that our positions are from?"""
    try:
        count = asyncio.run(assert_known(locate(settings), Names(settings.topic_prefix), settings.tenants))
    except (BusError, StoreError) as error:
        advice = "bring the topic back with `smolit restore` into an empty Kafka and Postgres, or begin anew in both"
        return Finding("logs", False, str(error), advice)
    return Finding("logs", True, f"{count} are the ones that we read before")


def schema(settings: Settings) -> Finding:
    """Is the database at our newest migration?"""
    from store import migrate  # Alembic is slow to import

    try:
        current, head = migrate.current(locate(settings).postgres), migrate.head()
    except StoreError as error:
        return Finding("schema", False, str(error), "check SMOLIT_POSTGRES")
    return finding("schema", current == head, f"at {current or 'nothing'}, newest is {head}", "`smolit up` migrates")


def read_models(settings: Settings) -> Finding:
    """Do the read models serve that this release declares?"""
    from projections.catalog import PROJECTIONS  # brings SQLAlchemy, which few commands need
    from projections.shape import require_ours

    live = read(Desk(settings, locate(settings)), serving)
    try:
        require_ours(live.name, live.shape, PROJECTIONS)
    except GenerationForeign as error:
        return Finding("read models", False, str(error), "`smolit projection rebuild --all`")
    return Finding("read models", True, f"generation {live.name} serves")
