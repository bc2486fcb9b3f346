"""The tasks that run and end: the nightly job, and the migration before each deployment."""

import json
import subprocess
import sys
import time
from typing import Any

import psycopg
import pytest

from conftest import Place
from programs import Programs, module
from servers import Postgres
from shop.configuration import read_database
from shop.migrate import LOCK, Migration, MigrationError, migrate, migrations

NAMES = ["0001_orders", "0002_confirmed_price"]


@pytest.fixture
def empty(postgres: Postgres, place: Place) -> dict[str, str]:
    """The variables of a place whose database has no tables."""
    return place.variables | postgres.database()


def printed(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """The one line that a task has printed."""
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    return dict(json.loads(line))


def test_migrations_are_numbered_from_1_without_a_gap() -> None:
    assert [migration.number for migration in migrations()] == [1, 2]
    assert [migration.name for migration in migrations()] == NAMES


def test_a_second_migration_changes_nothing(empty: dict[str, str]) -> None:
    first, second = (printed(module("shop.migrate", **empty)) for _ in range(2))
    assert first.items() >= {"message": "migrated", "schema": 2, "applied": NAMES}.items()
    assert second.items() >= {"message": "migrated", "schema": 2, "applied": []}.items()


def test_of_two_migrations_at_once_one_does_it(programs: Programs, empty: dict[str, str]) -> None:
    with psycopg.connect(autocommit=True, **read_database(empty).parameters()) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        both = [programs.start(sys.executable, "-m", "shop.migrate", **empty) for _ in range(2)]
        waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = %s"
        while connection.execute(waiting, [LOCK]).rowcount < 2:
            assert [program.process.poll() for program in both] == [None, None]
            time.sleep(0.05)
    lines = [program.line("migrated") for program in both]
    assert sorted(line["applied"] for line in lines) == [[], NAMES]
    assert [program.process.wait() for program in both] == [0, 0]


def test_nothing_stays_of_a_migration_that_fails_and_those_before_it_stay(place: Place) -> None:
    wrong = Migration(3, "0003_wrong", b"CREATE TABLE half (); SELECT 1 / 0")
    with (
        psycopg.connect(autocommit=True, **read_database(place.variables).parameters()) as connection,
        pytest.raises(MigrationError, match=r"^0003_wrong failed, and nothing of it stays: division by"),
    ):
        migrate(connection, [*migrations(), wrong])
    assert place.ask("SELECT to_regclass('half'), (SELECT max(number) FROM schema_migrations)") == [(None, 2)]


def test_an_older_release_leaves_a_newer_schema_as_it_is(empty: dict[str, str]) -> None:
    with psycopg.connect(autocommit=True, **read_database(empty).parameters()) as connection:
        assert migrate(connection, migrations()) == NAMES
        assert migrate(connection, migrations()[:1]) == []


@pytest.mark.parametrize(
    ("task", "change", "reason"),
    [
        ("shop.cleanup", {"SHOP_PORT": "9"}, "refused"),
        ("shop.migrate", {"SHOP_PASSWORD": "wrong"}, "password authentication failed"),
        # The server of the tests has no TLS, which is required by default.
        ("shop.migrate", {"PGSSLMODE": ""}, "server does not support SSL, but SSL was required"),
    ],
)
def test_a_database_that_refuses_ends_a_task_with_the_reason(
    place: Place, task: str, change: dict[str, str], reason: str
) -> None:
    done = module(task, **place.variables | change)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"database {place.variables['SHOP_NAME']} at 127.0.0.1: ")
    assert reason in done.stderr.lower().replace("ssl", "SSL")
    assert "Traceback" not in done.stderr


def test_the_migration_stops_a_deployment_whose_configuration_is_wrong(place: Place) -> None:
    done = module("shop.migrate", **place.variables | {"PRICES_URL": "prices:8081", "UPLOADS_BUCKET": ""})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "PRICES_URL: 'prices:8081' is not an address. Set it to one such as http://127.0.0.1:8081.\n"
        "UPLOADS_BUCKET: missing\n"
    )


def test_the_job_closes_only_old_orders_and_only_once(place: Place) -> None:
    ages = {"new": (6, 8), "confirmed": (1, 30), "closed": (9,)}
    for state, days in ages.items():
        for age in days:
            values = f"gen_random_uuid(), 'oak-pencil', {age}, now() - interval '{age} days', '{state}'"
            place.ask(f"INSERT INTO orders (id, product, quantity, placed_at, state) VALUES ({values})")  # noqa: S608
    first, second = (printed(module("shop.cleanup", "--days", "7", **place.variables)) for _ in range(2))
    assert first.items() >= {"message": "cleaned up", "closed": 2, "older_than_days": 7}.items()
    assert second["closed"] == 0
    assert place.ask("SELECT quantity, state FROM orders ORDER BY quantity") == [
        (1, "confirmed"),
        (6, "new"),
        (8, "closed"),
        (9, "closed"),
        (30, "closed"),
    ]


@pytest.mark.parametrize("days", ["0", "36501"])
def test_the_job_refuses_ages_that_make_no_sense(place: Place, days: str) -> None:
    done = module("shop.cleanup", f"--days={days}", **place.variables)
    assert (done.returncode, done.stdout) == (2, "")
