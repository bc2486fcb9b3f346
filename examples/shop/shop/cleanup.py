"""The nightly job: `python -m shop.cleanup [--days DAYS]` closes old orders and prints how many.

Exit status: 2 for invalid arguments or variables, 1 for a database that does not answer or refuses.
"""

import argparse
import asyncio
import sys
from datetime import UTC, datetime, timedelta

import psycopg

from shop import store
from shop.configuration import DatabaseSettings, read_database, settings_or_exit
from shop.logs import log


async def clean_up(settings: DatabaseSettings, days: int) -> int:
    """Closes the orders that were placed more than so many days ago; returns how many."""
    async with await psycopg.AsyncConnection.connect(**settings.parameters()) as connection:
        return await store.close(connection, datetime.now(UTC) - timedelta(days=days))


def main() -> None:
    """Runs the job."""
    parser = argparse.ArgumentParser(prog="python -m shop.cleanup")
    parser.add_argument("--days", type=int, default=30, help="(default: %(default)s)")
    days = parser.parse_args().days
    if not 1 <= days <= 36_500:
        parser.error(f"--days {days}: must be from 1 to 36500")
    settings = settings_or_exit(read_database)
    try:
        closed = asyncio.run(clean_up(settings, days))
    except psycopg.Error as error:
        sys.exit(f"database {settings.name} at {settings.host}: {error}")
    log("cleaned up", closed=closed, older_than_days=days)


if __name__ == "__main__":
    main()
