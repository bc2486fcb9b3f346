"""The app's surroundings: an embedded AWS with all that it uses, and the app in it."""

from collections.abc import Iterator

import pytest

from ops.local.embedded import start_embedded, stop_embedded
from tests.webapp.environment import ACCOUNT_ID, TOKEN_SHA256, environ_of
from tests.webapp.furnishing import furnish
from tests.webapp.processes import App, running_app, running_moto


@pytest.fixture(scope="session")
def embedded_aws() -> Iterator[str]:
    """Address of an embedded AWS that has all that the app uses, in good order."""
    with running_moto() as url:
        furnish(url)
        yield url


@pytest.fixture(scope="session")
def serial_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the embedded AWS as `make up` starts it.

    It answers one request after another, so transactions that are made at once do not mix.
    """
    directory = tmp_path_factory.mktemp("aws")
    url = start_embedded(directory, ACCOUNT_ID).endpoint
    try:
        furnish(url)
        yield url
    finally:
        stop_embedded(directory)


@pytest.fixture(scope="session")
def app(embedded_aws: str) -> Iterator[App]:
    """The app in healthy surroundings, started as its image starts it."""
    with running_app(environ_of(embedded_aws), forked=False) as running:
        yield running


@pytest.fixture(scope="session")
def writing_app(embedded_aws: str) -> Iterator[App]:
    """The app in healthy surroundings, with a token that may write: `AUTHORIZED` has it."""
    with running_app(environ_of(embedded_aws) | {"WRITE_TOKEN_SHA256": TOKEN_SHA256}) as running:
        yield running
