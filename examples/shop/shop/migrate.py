"""What runs before each deployment: `python -m shop.migrate`.

Checks the variables of the new release, and applies those of `migrations/*.sql` that the database does not
have yet, in the order of their numbers. It may run any number of times, and twice at once. Exit status: 2 for
invalid variables, 1 for a database that does not answer or a migration that fails; both stop the deployment.
"""

import re
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg

from shop.configuration import read_web, settings_or_exit
from shop.logs import log

LOCK: Final = 7_310_601
"""The advisory lock that one migration at a time holds; any number that nothing else in the database uses."""


class MigrationError(Exception):
    """A migration fails; nothing of it stays."""


class Migration(NamedTuple):
    """A file of SQL that runs once, in a transaction."""

    number: int
    name: str
    sql: bytes


def migrations() -> list[Migration]:
    """Returns the migrations of this release in their order."""
    files = sorted(Path(__file__).with_name("migrations").glob("*.sql"))
    numbered = [(re.match(r"\d{4}(?=_)", file.name), file) for file in files]
    return [Migration(int(number[0]), file.stem, file.read_bytes()) for number, file in numbered if number]


def migrate(connection: psycopg.Connection[Any], wanted: list[Migration]) -> list[str]:
    """Applies what is missing and returns its names. The connection has to be in autocommit mode."""
    # Held until the connection ends, so a second migration waits here and then finds nothing to do.
    connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations ("
        "number integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    applied = {row[0] for row in connection.execute("SELECT number FROM schema_migrations")}
    missing = [migration for migration in wanted if migration.number not in applied]
    for migration in missing:
        try:
            with connection.transaction():
                # ALTER TABLE waits for running queries, and all later queries wait for it.
                connection.execute("SET LOCAL lock_timeout = '10s'")
                connection.execute(migration.sql)
                connection.execute(
                    "INSERT INTO schema_migrations (number, name) VALUES (%s, %s)",
                    [migration.number, migration.name],
                )
        except psycopg.Error as error:
            raise MigrationError(f"{migration.name} failed, and nothing of it stays: {error}") from error
    return [migration.name for migration in missing]


def main() -> None:
    """Checks, migrates, and prints what it did."""
    database = settings_or_exit(read_web).database
    try:
        with psycopg.connect(autocommit=True, **database.parameters()) as connection:
            applied = migrate(connection, migrations())
            (schema,) = connection.execute("SELECT max(number) FROM schema_migrations").fetchone() or (0,)
    except (MigrationError, psycopg.Error) as error:
        sys.exit(f"database {database.name} at {database.host}: {error}")
    log("migrated", schema=schema, applied=applied)


if __name__ == "__main__":
    main()
