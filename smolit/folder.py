"""The data folder: made and marked by smolit, so that it may be removed again; generated secrets live in it."""

import hmac
import os
import secrets
import shutil
from pathlib import Path

from pydantic import SecretStr

from smolit.errors import FolderForeign
from smolit.settings import Settings

MARKER = ".made-by-smolit"
_MARKER_TEXT = "smolit made this folder and may remove it: `smolit down --wipe`.\n"
_SECRET_BYTES = 32


def claim(folder: Path) -> None:
    """Make the folder ours: create and mark it, or find our mark; raises FolderForeign if it holds something else."""
    if (folder / MARKER).exists():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / MARKER).exists():
            raise FolderForeign(f"{folder} is not empty and was not made by smolit; point SMOLIT_DATA_DIR elsewhere.")
        folder.chmod(0o711)  # as root, Postgres' user walks through; each folder inside has its own, closed mode
        (folder / MARKER).write_text(_MARKER_TEXT)
    except OSError as wrong:
        raise FolderForeign(f"{folder} cannot be used as data folder: {wrong.strerror}.") from wrong


def wipe(folder: Path) -> None:
    """Remove a folder that carries our mark; raises FolderForeign for any other one."""
    require_ours(folder)
    shutil.rmtree(folder)


def require_ours(folder: Path) -> None:
    """Raise FolderForeign unless the folder carries our mark."""
    if not (folder / MARKER).is_file():
        raise FolderForeign(f"{folder} was not made by smolit (it has no {MARKER}), so nothing in it was touched.")


def stored_secret(path: Path) -> SecretStr:
    """Return the secret kept in a file, made at random the first time; readable by its owner only."""
    if not path.exists():
        claim(path.parent)
        _store_once(path, secrets.token_urlsafe(_SECRET_BYTES))
    return SecretStr(path.read_text())


def _store_once(path: Path, text: str) -> None:
    """Write a file in one step and only if it is not there: two processes end with the same secret."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first: its secret counts
    finally:
        draft.unlink()


def choice_secret(settings: Settings) -> SecretStr:
    """Return the secret of the random draws: the given one, else the one that this data folder keeps."""
    return settings.choice_secret or stored_secret(settings.data_dir / "choice_secret")


def llm_key(settings: Settings) -> SecretStr:
    """Return the key that the local language model asks for: random, made once, and kept in this data folder.

    Where it is in another container, all make the same one of the secret that they share.
    """
    if settings.local_llm_at:
        return SecretStr(hmac.digest(choice_secret(settings).get_secret_value().encode(), b"local model", "sha256").hex())
    return stored_secret(settings.data_dir / "llm_key")


def networks_in(data_dir: Path) -> Path:
    """Return where trained networks lie."""
    return data_dir / "models" / "networks"
