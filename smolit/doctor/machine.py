"""What must be right with this machine before anything runs on it."""

import shutil
from pathlib import Path

from smolit.doctor.finding import Finding, finding
from smolit.errors import FolderForeign, JavaMissing
from smolit.folder import require_ours
from smolit.settings import Settings
from smolit.stack import java

LEAST_FREE = 2 * 2**30  # Kafka and Postgres stop when the disk is full; this leaves a day to react


def folder(settings: Settings) -> Finding:
    """Is the data folder there, and ours?"""
    subject, place = "data folder", settings.data_dir
    if not place.exists():
        return Finding(subject, True, f"{place} is not there yet", "`smolit up` makes it")
    try:
        require_ours(place)
    except FolderForeign as error:
        return Finding(subject, False, str(error), "set SMOLIT_DATA_DIR to another folder")
    return Finding(subject, True, str(place))


def disk(settings: Settings, least_free: int = LEAST_FREE) -> Finding:
    """Is there room?"""
    free = shutil.disk_usage(_existing(settings.data_dir)).free
    told = f"{free / 2**30:.1f} GiB free, {least_free / 2**30:.1f} are needed"
    return finding("disk", free >= least_free, told, "make room: Kafka keeps every event for ever")


def java_version() -> Finding:
    """Is there a Java that runs Kafka?"""
    try:
        found = java.find_java()
    except JavaMissing as error:
        old = java.system_java()
        told = f"{error} The one at {old} is version {java.major_version(old)}." if old else str(error)
        return Finding("java", False, told, "run `make install`, or install Java 17 or newer")
    major = java.major_version(found)
    advice = f"install Java {java.OLDEST_JAVA} or newer, or run `make install`"
    return finding("java", major >= java.OLDEST_JAVA, f"version {major} at {found}", advice)


def _existing(place: Path) -> Path:
    """Return the nearest folder that exists."""
    return place if place.exists() else _existing(place.parent)
