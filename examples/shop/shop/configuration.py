"""What the environment variables tell the shop; OakTree sets them from `uses`."""

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")


class ConfigurationError(Exception):
    """Variables are missing or wrong. `str()` of it has a line for each, for the operator."""


@dataclass(frozen=True)
class DatabaseSettings:
    """Where the database is, and who connects to it."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    sslmode: str = "require"
    """A word of libpq. The default encrypts, as RDS demands, and does not check the server's certificate."""

    def parameters(self) -> dict[str, Any]:
        """Returns the arguments of `psycopg.connect`; a connection takes 3 seconds at most."""
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.name,
            "user": self.user,
            "password": self.password,
            "sslmode": self.sslmode,
            "connect_timeout": 3,
        }


@dataclass(frozen=True)
class WebSettings:
    """What `shop.web` needs. `prices_url` has no slash at its end."""

    database: DatabaseSettings
    bucket: str
    queue_url: str
    prices_url: str
    image: str | None
    commit: str | None


@dataclass(frozen=True)
class WorkerSettings:
    """What `shop.worker` needs. `prices_url` has no slash at its end."""

    database: DatabaseSettings
    queue_url: str
    prices_url: str


def read_database(environment: Mapping[str, str]) -> DatabaseSettings:
    """Returns the settings of the database; raises ConfigurationError."""
    return _read(environment, _database)


def read_web(environment: Mapping[str, str]) -> WebSettings:
    """Returns the settings of the web service; raises ConfigurationError."""
    return _read(
        environment,
        lambda variables: WebSettings(
            prices_url=variables.address("PRICES_URL", "http://127.0.0.1:8081"),
            database=_database(variables),
            bucket=variables.text("UPLOADS_BUCKET"),
            queue_url=variables.address("ORDERS_QUEUE_URL", "http://127.0.0.1:5000/123456789012/orders"),
            image=environment.get("IMAGE") or None,
            commit=environment.get("COMMIT") or None,
        ),
    )


def read_worker(environment: Mapping[str, str]) -> WorkerSettings:
    """Returns the settings of the worker; raises ConfigurationError."""
    return _read(
        environment,
        lambda variables: WorkerSettings(
            prices_url=variables.address("PRICES_URL", "http://127.0.0.1:8081"),
            database=_database(variables),
            queue_url=variables.address("ORDERS_QUEUE_URL", "http://127.0.0.1:5000/123456789012/orders"),
        ),
    )


def settings_or_exit(read: Callable[[Mapping[str, str]], T]) -> T:
    """Returns the settings of this process, or ends it with the reasons and status 2."""
    try:
        return read(os.environ)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


class _Variables:
    """Reads variables one by one, and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        value = self._environment.get(name) or default
        if not value:
            self.problems.append(f"{name}: missing")
        return value

    def address(self, name: str, example: str) -> str:
        value = self._environment.get(name, "")
        if not _is_address(value):
            said = f"{value!r} is not an address" if value else "missing"
            self.problems.append(f"{name}: {said}. Set it to one such as {example}.")
        return value.rstrip("/")

    def port(self, name: str) -> int:
        value = self.text(name)
        port = int(value) if re.fullmatch(r"[0-9]{1,5}", value) else 0
        if value and not 1 <= port <= 65535:
            self.problems.append(f"{name}: {value!r} is not a port. Set it to a number from 1 to 65535.")
        return port


def _database(variables: _Variables) -> DatabaseSettings:
    return DatabaseSettings(
        host=variables.text("SHOP_HOST"),
        port=variables.port("SHOP_PORT"),
        name=variables.text("SHOP_NAME"),
        user=variables.text("SHOP_USER"),
        password=variables.text("SHOP_PASSWORD"),
        # libpq's own variable.
        sslmode=variables.text("PGSSLMODE", "require"),
    )


def _read(environment: Mapping[str, str], make: Callable[[_Variables], T]) -> T:
    variables = _Variables(environment)
    made = make(variables)
    if variables.problems:
        raise ConfigurationError("\n".join(variables.problems))
    return made


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.hostname) and port != 0
