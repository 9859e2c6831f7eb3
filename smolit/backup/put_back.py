"""Put a backup back into an empty Kafka and an empty Postgres: digests first, then the log, the tables last.

Every record gets the offset that it had, so positions, claims and origins stay true. Read models begin at offset 0. The
tables come last and in one transaction: until then no process can start, and a restore that was interrupted is begun anew.
"""

from collections.abc import Callable
from pathlib import Path

from bus.cluster import look
from bus.errors import LogChanged
from bus.reader import Place
from bus.refill import Refill, commit_offsets
from events.topics import REQUESTS, Names
from smolit.backup import artefacts
from smolit.backup.manifest import Manifest, check_digests, need_manifest, records_of
from smolit.client import ends
from smolit.errors import BackupUnusable, TargetNotEmpty
from smolit.folder import claim
from smolit.process.prepare import make_topics
from smolit.process.runner import live_runner
from smolit.settings import Settings
from smolit.stack.local import Endpoints
from store import migrate, restored
from store.dump import load
from store.postgres import Connection, connect

Progress = Callable[[str], None]


def checked(settings: Settings, folder: Path, progress: Progress) -> Manifest:
    """Return a backup that is whole and ours.

    Raises:
        BackupUnusable: it is damaged, of another prefix, of tenants that the settings lack, or of a newer release.
    """
    manifest = need_manifest(folder)
    count = check_digests(folder, manifest)
    progress(f"{count} files are as they were written, {manifest.records} records, taken at {manifest.taken_at.isoformat()}")
    if manifest.prefix != settings.topic_prefix:
        raise BackupUnusable(f"the backup is of {manifest.prefix!r}; set SMOLIT_TOPIC_PREFIX to that")
    known = set(Names(settings.topic_prefix).kept(settings.tenants))
    if missing := sorted({one.topic for one in manifest.partitions} - known):
        raise BackupUnusable(f"the backup has topics that SMOLIT_TENANTS does not name: {', '.join(missing)}")
    if not migrate.knows(manifest.tables.revision):
        raise BackupUnusable(f"the backup is of a newer release (schema {manifest.tables.revision})")
    return manifest


async def put_back(settings: Settings, endpoints: Endpoints, folder: Path, progress: Progress) -> Manifest:
    """Restore a backup.

    Raises:
        TargetNotEmpty: there is something already, or processes run.
        BackupUnusable: see `checked`.
        LogChanged: what was written is not what was kept.
    """
    manifest = checked(settings, folder, lambda _said: None)
    await assert_empty(settings, endpoints)
    await make_topics(settings, endpoints, progress)
    await _fill(endpoints.kafka, folder, manifest, progress)
    for group, offsets in manifest.groups.items():
        if places := {(place.rpartition("/")[0], int(place.rpartition("/")[2])): at for place, at in offsets.items()}:
            await commit_offsets(endpoints.kafka, group, places)
    claim(settings.data_dir)
    count = artefacts.put_back(settings.data_dir / artefacts.FOLDER, folder, manifest.artefacts)
    await _load(endpoints.postgres, folder, manifest)
    progress(f"{count} artefacts of versions are back")
    progress(f"{len(manifest.tables.tables)} tables are back, schema at {migrate.head()}")
    return manifest


async def assert_empty(settings: Settings, endpoints: Endpoints) -> None:
    """Refuse a target in which anything is.

    Raises:
        TargetNotEmpty: processes run, a topic has records, or the database has our schema.
    """
    if live_runner(settings.data_dir) is not None:
        raise TargetNotEmpty("the processes of smolit run here; `smolit down` stops them")
    if migrate.current(endpoints.postgres) is not None:
        raise TargetNotEmpty("the database holds tables of smolit already; restore into an empty one")
    ours = set(Names(settings.topic_prefix).all(settings.tenants))
    places = [
        (topic, part) for topic, seen in (await look(endpoints.kafka)).items() if topic in ours for part in range(seen.partitions)
    ]
    full = sorted({topic for (topic, _), end in (await ends(endpoints.kafka, places)).items() if end > 0}) if places else []
    if full:
        raise TargetNotEmpty(f"there are records in Kafka already ({full[0]}); restore into an empty one")


async def _fill(kafka: str, folder: Path, manifest: Manifest, progress: Progress) -> None:
    """Write every partition, and look whether it is as long as it was."""
    async with Refill(kafka) as refill:
        for partition in manifest.partitions:
            await refill.fill(partition.place, records_of(folder, partition), partition.end)
    found = await ends(kafka, manifest.ends)
    if found != manifest.ends:
        wrong = next(place for place, end in manifest.ends.items() if found[place] != end)
        raise LogChanged(f"{wrong[0]}/{wrong[1]} ends at {found[wrong]} instead of {manifest.ends[wrong]}")
    progress(f"{manifest.records} records are back in {len(manifest.partitions)} partitions")


async def _load(dsn: str, folder: Path, manifest: Manifest) -> None:
    """Load the tables under the schema that they are from, then bring it up to date."""
    migrate.upgrade(dsn, manifest.tables.revision)
    connection = await connect(dsn, "smolit-restore")
    try:
        async with connection.transaction():
            await connection.execute("set local idle_in_transaction_session_timeout = 0")
            await _load_all(connection, folder / manifest.tables.folder, manifest)
            await restored.note(connection, _requests(manifest))
    finally:
        await connection.close()
    migrate.upgrade(dsn)


async def _load_all(connection: Connection, folder: Path, manifest: Manifest) -> None:
    """Load and count."""
    counts = await load(connection, folder, manifest.tables.tables)
    for one in manifest.tables.tables:
        if counts[one.table] != one.rows:
            raise BackupUnusable(f"table {one.table} has {counts[one.table]} rows instead of {one.rows}")


def _requests(manifest: Manifest) -> dict[Place, int]:
    """Return where the request logs end: side effects of all before may have happened since the backup was taken."""
    names = Names(manifest.prefix)
    return {place: end for place, end in manifest.ends.items() if _is_request(names, place[0])}


def _is_request(names: Names, topic: str) -> bool:
    """Return whether a topic is the request topic of its tenant."""
    return topic.startswith(f"{names.prefix}.{REQUESTS.entity}.") and names.requests_of(names.tenant_of(topic)) == topic
