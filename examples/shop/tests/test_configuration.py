"""What the variables tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.configuration import ConfigurationError, read_database, read_web, read_worker

DATABASE = {
    "SHOP_HOST": "db",
    "SHOP_PORT": "5432",
    "SHOP_NAME": "shop",
    "SHOP_USER": "shop",
    "SHOP_PASSWORD": "secret",
}


def test_all_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_web({})
    names = [line.partition(":")[0] for line in str(refused.value).splitlines()]
    assert sorted(names) == sorted([*DATABASE, "PRICES_URL", "UPLOADS_BUCKET", "ORDERS_QUEUE_URL"])


def test_the_worker_needs_no_bucket() -> None:
    urls = {"PRICES_URL": "http://prices:8081/", "ORDERS_QUEUE_URL": "https://sqs.aws/1/orders"}
    settings = read_worker(DATABASE | urls)
    assert (settings.prices_url, settings.queue_url) == ("http://prices:8081", "https://sqs.aws/1/orders")


@pytest.mark.parametrize("address", ["", "prices:8081", "http://", "http://prices:x", "ftp://prices"])
def test_an_address_is_http_with_a_host(address: str) -> None:
    urls = {"PRICES_URL": address, "ORDERS_QUEUE_URL": "https://sqs.aws/1/orders"}
    with pytest.raises(ConfigurationError) as refused:
        read_worker(DATABASE | urls)
    assert str(refused.value).startswith(f"PRICES_URL: {repr(address) if address else 'missing'}")


def test_connections_are_encrypted_unless_libpq_is_told_otherwise() -> None:
    assert read_database(DATABASE).parameters()["sslmode"] == "require"
    assert read_database(DATABASE | {"PGSSLMODE": "prefer"}).parameters()["sslmode"] == "prefer"


def test_a_password_is_not_printed_with_the_settings() -> None:
    assert "secret" not in repr(read_database(DATABASE))


@given(st.integers(1, 65535))
def test_a_port_is_a_number(port: int) -> None:
    assert read_database(DATABASE | {"SHOP_PORT": str(port)}).port == port


@given(
    st.text(min_size=1).filter(lambda text: not text.isdecimal()) | st.integers(65536).map(str) | st.just("0")
)
def test_anything_else_is_no_port(port: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^SHOP_PORT: "):
        read_database(DATABASE | {"SHOP_PORT": port})
