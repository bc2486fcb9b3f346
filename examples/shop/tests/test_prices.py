"""The prices service, which is not Python, and the client that web and worker use."""

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import pytest

from programs import SHOP, Programs, node, run
from shop.catalogue import PRODUCTS
from shop.prices import Price, Prices, PricesError


def test_it_answers_with_the_price_of_each_product(prices_url: str) -> None:
    for product in PRODUCTS:
        answer = httpx.get(f"{prices_url}/prices/{product}?currency=EUR")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["product"] == product


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("HEAD", "/healthz", 200),
        ("GET", "/prices/constructor", 404),
        ("GET", "/prices/", 404),
        ("GET", "/", 404),
        ("POST", "/prices/oak-pencil", 405),
    ],
)
def test_it_answers_nothing_else(prices_url: str, method: str, path: str, status: int) -> None:
    assert httpx.request(method, f"{prices_url}{path}").status_code == status


def test_it_ends_with_status_0_on_sigterm_although_a_connection_is_open(programs: Programs) -> None:
    prices = programs.prices()
    with httpx.Client(base_url=prices.listening()) as client:
        client.get("/healthz")
        assert prices.stop() == 0


def test_its_health_check_tells_whether_it_answers(prices_url: str) -> None:
    assert run(node(), "prices/health.mjs", prices_url.rpartition(":")[2]).returncode == 0
    refused = run(node(), "prices/health.mjs", "9")
    assert (refused.returncode, refused.stdout) == (1, "")


@pytest.mark.parametrize("arguments", [["--port", "65536"], ["--port", "x"], ["--ports", "1"]])
def test_it_refuses_arguments_that_it_does_not_know(arguments: list[str]) -> None:
    done = run(node(), "prices/server.mjs", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert arguments[0] in done.stderr


def test_every_product_has_a_price() -> None:
    assert json.loads((SHOP / "prices/prices.json").read_text()).keys() == PRODUCTS.keys()


class _Echo(BaseHTTPRequestHandler):
    """Answers with what stands behind /prices/ in the path."""

    def do_GET(self) -> None:
        body = httpx.URL(self.path).path.removeprefix("/prices/").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def echo() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def _price(address: str, product: str) -> Price:
    prices = Prices(address)
    try:
        return await prices.price(product)
    finally:
        await prices.close()


def test_the_client_reads_a_price(echo: str) -> None:
    price = asyncio.run(_price(echo, '{"cents":1250,"currency":"EUR"}'))
    assert price == Price(1250, "EUR")
    assert str(price) == "12.50 EUR"


@pytest.mark.parametrize(
    "answer",
    ["no JSON", "[]", '{"cents":1250}', '{"cents":"1","currency":"EUR"}', '{"cents":NaN,"currency":"E"}'],
)
def test_the_client_refuses_what_is_no_price(echo: str, answer: str) -> None:
    with pytest.raises(PricesError, match=r"^no price of "):
        asyncio.run(_price(echo, answer))


def test_the_client_says_that_nobody_answers() -> None:
    with pytest.raises(PricesError, match=r"^no price of oak-pencil: .+"):
        asyncio.run(_price("http://127.0.0.1:9", "oak-pencil"))
