"""Connections to PostgreSQL, for programs that stay up while it is away."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Self

import psycopg
from psycopg_pool import AsyncConnectionPool

from shop.configuration import DatabaseSettings
from shop.logs import log

Connection = psycopg.AsyncConnection[Any]


class DatabaseAwayError(Exception):
    """The database does not answer, or not in time."""


class _Connection(psycopg.AsyncConnection[Any]):
    """Stops this program if its password is refused: RDS has changed it, and a new task gets the new one."""

    @classmethod
    async def connect(cls, conninfo: str = "", **parameters: Any) -> Self:
        try:
            return await super().connect(conninfo, **parameters)
        except psycopg.OperationalError as error:
            # libpq has no code for it.
            if "password authentication failed" in str(error):
                log("password refused", reason=str(error))
                signal.raise_signal(signal.SIGTERM)
            raise


class Database:
    """A pool of connections, which opens without waiting for the database."""

    def __init__(self, settings: DatabaseSettings) -> None:
        # After a failover, the pool finds out that a connection is dead when it hands it out, and tries to
        # connect until the time of `reconnect_timeout`; the next request begins anew.
        self._pool = AsyncConnectionPool(
            connection_class=_Connection,
            kwargs=settings.parameters() | {"options": "-c statement_timeout=5s"},
            min_size=1,
            max_size=8,
            timeout=3,
            reconnect_timeout=10,
            check=AsyncConnectionPool.check_connection,
            open=False,
        )
        self.state = "not asked yet"

    async def __aenter__(self) -> "Database":
        """Opens the pool."""
        await self._pool.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Closes the connections."""
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A transaction: committed at its end, rolled back after an error; raises DatabaseAwayError."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except psycopg.OperationalError as error:
            if not self.state.startswith("away"):
                self.state = f"away since {datetime.now(UTC).isoformat(timespec='seconds')}"
            raise DatabaseAwayError(str(error).strip()) from error
        self.state = "answers"
