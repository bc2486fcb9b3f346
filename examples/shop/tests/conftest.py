"""Fixtures of the shop's tests."""

from collections.abc import Iterator

import pytest

from programs import Programs


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Programs of one test."""
    programs = Programs()
    yield programs
    programs.end()


@pytest.fixture(scope="module")
def prices_url() -> Iterator[str]:
    """The address of a prices service that answers all tests of a module."""
    programs = Programs()
    yield programs.prices().listening()
    programs.end()


@pytest.fixture(scope="module")
def web_url(prices_url: str) -> Iterator[str]:
    """The address of a web service that answers all tests of a module."""
    programs = Programs()
    image = "registry/shop/web@sha256:0"
    yield programs.web(prices_url, IMAGE=image, COMMIT="1a2b3c").listening()
    programs.end()
