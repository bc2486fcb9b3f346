"""Fixtures of the shop's tests."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from programs import Programs
from servers import Aws, Postgres, Stores, running_aws, running_postgres
from shop.configuration import read_database
from shop.migrate import migrate, migrations


@dataclass(frozen=True)
class Place:
    """A database with tables, a bucket and a queue, which nobody else uses, and the prices service."""

    stores: Stores
    variables: dict[str, str]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with psycopg.connect(**read_database(self.variables).parameters()) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []


MakePlace = Callable[[], Place]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that stays up."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    """An embedded AWS."""
    with running_aws() as server:
        yield server


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Programs of one test."""
    programs = Programs()
    yield programs
    programs.end()


@pytest.fixture(scope="session")
def prices_url() -> Iterator[str]:
    """The address of a prices service that answers all tests."""
    programs = Programs()
    yield programs.prices().listening()
    programs.end()


@pytest.fixture(scope="session")
def make_place(postgres: Postgres, aws: Aws, prices_url: str) -> MakePlace:
    """Makes places."""

    def make() -> Place:
        stores = aws.stores()
        variables = postgres.database() | stores.variables() | {"PRICES_URL": prices_url}
        with psycopg.connect(autocommit=True, **read_database(variables).parameters()) as connection:
            migrate(connection, migrations())
        return Place(stores, variables)

    return make


@pytest.fixture
def place(make_place: MakePlace) -> Place:
    """The place of one test."""
    return make_place()


@pytest.fixture(scope="module")
def web_url(make_place: MakePlace) -> Iterator[str]:
    """The address of a web service that answers all tests of a module."""
    programs = Programs()
    release = {"IMAGE": "registry/shop/web@sha256:0", "COMMIT": "1a2b3c"}
    yield programs.web(**make_place().variables, **release).listening()
    programs.end()
