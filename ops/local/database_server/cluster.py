"""The data of one PostgreSQL server: made once, with a role and a database as RDS makes them.

Source of the roles `rdsadmin` and `rds_superuser` and of what the master user may do: Amazon RDS User
Guide, "Master user account privileges" and "Understanding PostgreSQL roles and permissions".
"""

import os
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ops.core.errors import OpsError
from ops.local.database_server.binaries import own, privileges

PASSWORD_VARIABLE: Final = "DATABASE_PASSWORD"  # noqa: S105
"""The variable in which the process of a server gets the role's password."""

SOCKET: Final = ".s.PGSQL.5432"
"""The name of the socket, in the directory of the data."""

ENVIRONMENT: Final = {"LC_ALL": "C", "TZ": "UTC"}
"""The variables of PostgreSQL's programs, which need no others and see no password."""

_ADMIN: Final = "rdsadmin"
_PATIENCE_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Cluster:
    """The data of a server below `directory`, with one role, who owns one database.

    Without a `database` there is only `postgres`, as on RDS.
    """

    binaries: Path
    directory: Path
    user: str
    database: str
    password: str = field(repr=False)

    @property
    def data(self) -> Path:
        """Where PostgreSQL keeps its data."""
        return self.directory / "data"

    def prepare(self) -> None:
        """Makes the data unless that is done, and sets the role's password.

        Raises OpsError with what PostgreSQL says if it cannot.
        """
        if not self.data.exists():
            self._make()
        self._wait_for_former()
        self._sql(self.data, f"ALTER ROLE {_name(self.user)} PASSWORD {_text(self.password)}")

    def command(self) -> tuple[str, ...]:
        """Returns the command that runs the server, which listens on its socket only."""
        settings = {"listen_addresses": "", "unix_socket_directories": ".", "timezone": "UTC"}
        options = (f"--{name}={value}" for name, value in settings.items())
        return (*privileges(), str(self.binaries / "postgres"), "-D", str(self.data), *options)

    def ready(self) -> bool:
        """Returns whether the server takes connections.

        Source: PostgreSQL's `postmaster.pid`, whose eighth line is the state of the server.
        """
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _wait_for_former(self) -> None:
        """Waits for a server whose parent was killed, and that is still shutting down."""
        file = self.data / "postmaster.pid"
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with suppress(OSError, ValueError):
            while time.monotonic() < deadline:
                os.kill(int(file.read_text().split()[0]), 0)
                time.sleep(0.05)

    def _make(self) -> None:
        # Renamed once it is whole, so that an interruption leaves nothing half made.
        aside = self.directory / "data.new"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True, mode=0o700)
        own(aside)
        self._run(
            "initdb",
            f"--pgdata={aside}",
            f"--username={_ADMIN}",
            "--auth=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-sync",
        )
        (aside / "pg_hba.conf").write_text(f"local all {_ADMIN} reject\nlocal all all scram-sha-256\n")
        user = _name(self.user)
        self._sql(
            aside,
            f"CREATE ROLE {user} LOGIN CREATEDB CREATEROLE",
            f"CREATE ROLE rds_superuser ROLE {user}",
            "GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser",
            *((f"CREATE DATABASE {_name(self.database)} OWNER {user}",) if self.database else ()),
        )
        aside.rename(self.data)

    def _sql(self, data: Path, *statements: str) -> None:
        """Runs statements as the administrator, while no server runs."""
        # A statement that fails would be in the log, with its password.
        settings = ("-c", "log_min_error_statement=panic")
        text = "".join(f"{statement}\n" for statement in statements)
        said = self._run("postgres", "--single", "-D", str(data), *settings, "postgres", given=text)
        if wrong := [line for line in said.splitlines() if "ERROR:" in line]:
            raise OpsError(wrong[0].partition("ERROR:")[2].strip())

    def _run(self, program: str, *arguments: str, given: str = "") -> str:
        """Runs one of PostgreSQL's programs, and returns what it prints."""
        command = (*privileges(), str(self.binaries / program), *arguments)
        done = subprocess.run(
            command,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=ENVIRONMENT,
            check=False,
        )
        if done.returncode:
            raise OpsError(f"{program} ended with status {done.returncode}: {done.stdout.strip()}")
        return done.stdout


def _name(name: str) -> str:
    """Returns a name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    """Returns a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
