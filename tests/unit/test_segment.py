"""Segments and manifests of a backup: nothing is lost in them, and damage is seen."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.segment import SegmentWriter, read_segment
from events.wire import Incoming
from smolit.backup.archive import archived
from smolit.backup.manifest import (
    Manifest,
    Partition,
    Segment,
    Tables,
    check_digests,
    need_manifest,
    read_manifest,
    write_manifest,
)
from smolit.errors import BackupUnusable
from smolit.stack.jar import sha256

PLACE = ("smolit.tasks.v1", 3)
SOME = st.lists(
    st.tuples(
        st.none() | st.binary(max_size=9),
        st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=3).map(tuple),
        st.none() | st.binary(max_size=50),
    ),
    max_size=8,
)


def records(contents: list[tuple[bytes | None, tuple[tuple[str, bytes], ...], bytes | None]], first: int = 0) -> list[Incoming]:
    """Return records of one partition, at every second offset."""
    return [Incoming(*PLACE, first + 2 * number, *content) for number, content in enumerate(contents)]


def written(path: Path, content: list[Incoming]) -> Path:
    """Write a segment."""
    writer = SegmentWriter(path)
    for record in content:
        writer.write(record)
    writer.close()
    return path


def a_backup(folder: Path, content: list[Incoming]) -> Manifest:
    """Write a backup of one partition, in two segments, and an empty table."""
    half = len(content) // 2
    segments = []
    for number, part in enumerate((content[:half], content[half:])):
        file = written(folder / f"log/{number}.gz", part)
        segments.append(
            Segment(file=f"log/{number}.gz", first=0, end=0, records=len(part), sha256=sha256(file)),
        )
    end = content[-1].offset + 1
    made = Manifest(
        taken_at=datetime(2030, 1, 1, tzinfo=UTC),
        prefix="smolit",
        logs={PLACE[0]: "a"},
        partitions=(Partition(topic=PLACE[0], partition=PLACE[1], end=end, segments=tuple(segments)),),
        tables=Tables(folder="tables-1", revision="0005", tables=(), sha256={}),
        groups={},
    )
    write_manifest(folder, made)
    return made


@given(SOME)
def test_a_segment_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, contents: list[tuple[bytes | None, tuple[tuple[str, bytes], ...], bytes | None]]
) -> None:
    """Keys, headers and values of any bytes, at their offsets, gaps included; the same records are the same bytes."""
    folder = tmp_path_factory.mktemp("segment")
    content = records(contents)

    one, other = written(folder / "a.gz", content), written(folder / "b.gz", content)

    assert list(read_segment(one, PLACE)) == content
    assert one.read_bytes() == other.read_bytes()


def test_a_segment_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    """A backup that was killed leaves nothing that looks like one."""
    writer = SegmentWriter(tmp_path / "a.gz")
    writer.write(records([(b"k", (), b"v")])[0])

    assert not (tmp_path / "a.gz").exists()
    writer.close()
    assert (tmp_path / "a.gz").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_damage_is_seen(tmp_path: Path, harm: str) -> None:
    """One bit, one byte too few, or a file that is gone: the backup is refused, and the file is named."""
    made = a_backup(tmp_path, records([(b"k", (), b"v" * 100)] * 4))
    assert check_digests(tmp_path, made) == 2
    file = tmp_path / "log/1.gz"
    whole = bytearray(file.read_bytes())
    if harm == "remove":
        file.unlink()
    else:
        whole[len(whole) // 2] ^= 1
        file.write_bytes(whole if harm == "flip" else whole[:-1])

    with pytest.raises(BackupUnusable, match=r"1 file\(s\) .* the first is log/1\.gz"):
        check_digests(tmp_path, made)


def test_an_archive_is_read_up_to_positions(tmp_path: Path) -> None:
    """Segments follow each other; what ends before the position is refused, for the rest would be missing in silence."""
    content = records([(b"k", (), b"%d" % number) for number in range(6)])
    a_backup(tmp_path, content)

    assert archived(tmp_path, {PLACE: 7}) == content[:4]
    assert archived(tmp_path, {}) == []
    with pytest.raises(BackupUnusable, match="ends at 11"):
        archived(tmp_path, {PLACE: 12})


def test_a_folder_without_a_backup_is_none(tmp_path: Path) -> None:
    """Nothing there is no backup; something else is no backup either, and says so."""
    assert read_manifest(tmp_path) is None
    with pytest.raises(BackupUnusable, match="holds no backup"):
        need_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(BackupUnusable, match="cannot be read"):
        read_manifest(tmp_path)
