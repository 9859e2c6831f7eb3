"""The data folder and the secrets made in it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from smolit.errors import FolderForeign
from smolit.folder import choice_secret, claim, stored_secret, wipe
from smolit.settings import load_settings


def test_a_folder_of_ours_can_be_removed(tmp_path: Path) -> None:
    """What was claimed is wiped with all that is in it."""
    folder = tmp_path / "data"
    claim(folder)
    (folder / "something").write_text("x")

    wipe(folder)

    assert not folder.exists()


def test_a_folder_of_others_is_not_removed(tmp_path: Path) -> None:
    """Without our mark nothing is touched."""
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(FolderForeign):
        wipe(tmp_path)

    assert (tmp_path / "thesis.txt").exists()


def test_a_folder_of_others_is_not_claimed(tmp_path: Path) -> None:
    """A folder with something in it does not become ours, so it can never be wiped."""
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(FolderForeign, match="SMOLIT_DATA_DIR"):
        claim(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_way_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """A data folder that cannot be made is an error a person can act on."""
    (tmp_path / "file").touch()

    with pytest.raises(FolderForeign, match="cannot be used as data folder"):
        claim(tmp_path / "file" / "data")


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    """Processes that ask at the same time, and later ones, get the same secret, which only its owner can read."""
    path = tmp_path / "data" / "secret"
    claim(path.parent)
    with ThreadPoolExecutor(8) as pool:
        secrets = {secret.get_secret_value() for secret in pool.map(stored_secret, [path] * 32)}

    assert len(secrets) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in path.parent.iterdir()) == [".made-by-smolit", "secret"]


def test_a_given_choice_secret_wins(tmp_path: Path) -> None:
    """Nothing is made, nor stored, when the settings bring the secret."""
    settings = load_settings(data_dir=tmp_path / "data", choice_secret=SecretStr("given"))

    assert choice_secret(settings).get_secret_value() == "given"
    assert not settings.data_dir.exists()


def test_a_missing_choice_secret_is_made_and_kept(tmp_path: Path) -> None:
    """The draws of one data folder have one secret, run after run."""
    settings = load_settings(data_dir=tmp_path / "data")

    assert choice_secret(settings) == choice_secret(load_settings(data_dir=tmp_path / "data"))
    assert len(choice_secret(settings).get_secret_value()) >= 32
