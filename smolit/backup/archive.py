"""A backup as an archive: what would be read from Kafka is read from its segments."""

from collections.abc import Mapping
from pathlib import Path

from bus.reader import Place
from events.wire import Incoming
from smolit.backup.manifest import check_digests, need_manifest, records_of
from smolit.errors import BackupUnusable


def archived(folder: Path, positions: Mapping[Place, int]) -> list[Incoming]:
    """Return every archived record before the given positions, in order within each partition.

    Raises:
        BackupUnusable: the archive is damaged, or does not reach that far.
    """
    manifest = need_manifest(folder)
    check_digests(folder, manifest)
    for place, position in positions.items():
        if manifest.ends.get(place, 0) < position:
            end = manifest.ends.get(place, 0)
            raise BackupUnusable(
                f"{folder} ends at {end} of {place[0]}/{place[1]}, before {position}; `smolit backup` adds the rest"
            )
    kept = (one for one in manifest.partitions if one.place in positions)
    return [record for one in kept for record in records_of(folder, one) if record.offset < positions[one.place]]
