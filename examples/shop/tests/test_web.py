"""The web service, asked over HTTP, with the real prices service behind it."""

from typing import Any

import httpx
import pytest

from programs import Programs

ORDER = {"product": "oak-pencil", "quantity": 3}


def test_it_is_healthy_and_names_its_release(web_url: str) -> None:
    assert httpx.get(f"{web_url}/health").status_code == 200
    assert httpx.get(f"{web_url}/version").json() == {
        "image": "registry/shop/web@sha256:0",
        "commit": "1a2b3c",
    }


def test_the_page_lists_products_with_the_prices_of_the_prices_service(web_url: str) -> None:
    page = httpx.get(web_url)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<tr><td>Mug with an acorn<td>12.50 EUR<tr>" in page.text
    assert "<tr><td>Pencil of oak<td>2.05 EUR</table>" in page.text


def test_without_prices_it_stays_healthy_and_says_that_they_are_missing(programs: Programs) -> None:
    web = programs.web("http://127.0.0.1:9")
    url = web.listening()
    page = httpx.get(url)
    assert (page.status_code, page.text.count("<td>price not available")) == (200, 3)
    assert httpx.get(f"{url}/health").status_code == 200
    assert web.line("price missing")["product"] == "acorn-mug"


def test_an_order_is_answered_with_its_id_and_can_be_read(web_url: str) -> None:
    placed = httpx.post(f"{web_url}/orders", json=ORDER)
    order = placed.json()
    assert placed.status_code == 201
    assert order.items() >= {**ORDER, "open": True}.items()
    assert placed.headers["location"] == f"/orders/{order['id']}"
    assert httpx.get(f"{web_url}/orders/{order['id']}").json() == order
    assert httpx.get(f"{web_url}/orders/other").status_code == 404


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (422, {"json": ORDER | {"quantity": 0}}),
        (422, {"json": []}),
        (400, {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        (400, {"content": b"[" * 9000, "headers": {"Content-Type": "application/json"}}),
        (413, {"content": b" " * 10_001, "headers": {"Content-Type": "application/json"}}),
        (415, {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
    ],
)
def test_what_is_no_order_is_refused_with_the_reason(web_url: str, status: int, sent: dict[str, Any]) -> None:
    answer = httpx.post(f"{web_url}/orders", **sent)
    assert answer.status_code == status
    assert all(answer.json()["problems"])


def test_it_ends_with_status_0_on_sigterm(programs: Programs, prices_url: str) -> None:
    web = programs.web(prices_url)
    httpx.get(web.listening())
    assert web.stop() == 0
