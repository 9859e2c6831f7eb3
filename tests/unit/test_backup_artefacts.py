"""Artefacts in a backup: whole ones are kept and come back to the bit, damaged ones are left out, old ones go."""

from pathlib import Path

import pytest

from learning.artefact import STATE, read
from smolit.backup import artefacts
from smolit.stack.jar import sha256
from tests.artefacts import artefact


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Where artefacts lie."""
    return tmp_path / "data" / "models"


def test_what_is_kept_comes_back_to_the_bit(models: Path, tmp_path: Path) -> None:
    """Each file has its digest; one that is there already is not written again, and a damaged one is mended."""
    one, two = artefact(models, 1), artefact(models, 2)
    kept = artefacts.keep(models, tmp_path / "kept")
    before = (tmp_path / "kept" / "models" / one.model_id / STATE).stat().st_ino
    again = artefacts.keep(models, tmp_path / "kept")
    (models / two.model_id / STATE).write_bytes(b"torn")
    count = artefacts.put_back(models, tmp_path / "kept", kept)

    assert kept == again == {file: sha256(tmp_path / "kept" / file) for file in kept}
    assert len(kept) == 4
    assert (tmp_path / "kept" / "models" / one.model_id / STATE).stat().st_ino == before
    assert count == 2
    assert read(models, two).settings["gain"] == 2.0
    assert artefacts.put_back(tmp_path / "elsewhere", tmp_path / "kept", kept) == 2
    assert read(tmp_path / "elsewhere", one).dump() == read(models, one).dump()
    assert not [one for one in models.iterdir() if one.name.startswith(".")]


def test_what_is_damaged_or_a_draft_is_left_out(models: Path, tmp_path: Path) -> None:
    """A backup holds nothing that could not be used; where there are no artefacts it holds none."""
    one, two = artefact(models, 1), artefact(models, 2)
    (models / one.model_id / STATE).write_bytes(b"torn")
    (models / ".new-draft").mkdir()
    kept = artefacts.keep(models, tmp_path / "kept")

    assert {Path(file).parent.name for file in kept} == {two.model_id}
    assert artefacts.keep(tmp_path / "nothing", tmp_path / "other") == {}


def test_what_was_pruned_goes_with_the_next_backup(models: Path, tmp_path: Path) -> None:
    """Only what the manifest names stays."""
    one, two = artefact(models, 1), artefact(models, 2)
    artefacts.keep(models, tmp_path / "kept")
    (models / one.model_id).rename(tmp_path / "gone")
    kept = artefacts.keep(models, tmp_path / "kept")
    artefacts.drop_others(tmp_path / "kept", kept)

    assert [here.name for here in (tmp_path / "kept" / "models").iterdir()] == [two.model_id]
    artefacts.drop_others(tmp_path / "never", {})
