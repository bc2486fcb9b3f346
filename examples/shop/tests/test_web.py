"""The web service, asked over HTTP, with the real prices service behind it."""

from typing import Any

import httpx
import pytest

from conftest import Place
from programs import Programs, module
from servers import Aws, running_postgres
from shop.orders import MOST

ORDER = {"product": "oak-pencil", "quantity": 3}
NOBODY = "http://127.0.0.1:9"


def test_it_is_healthy_and_names_its_release(web_url: str) -> None:
    assert httpx.get(f"{web_url}/health").json()["status"] == "ok"
    assert httpx.get(f"{web_url}/version").json() == {
        "image": "registry/shop/web@sha256:0",
        "commit": "1a2b3c",
    }


def test_the_page_lists_products_with_the_prices_of_the_prices_service(web_url: str) -> None:
    page = httpx.get(web_url)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<tr><td>Mug with an acorn<td>12.50 EUR<tr>" in page.text
    assert "<tr><td>Pencil of oak<td>2.05 EUR</table>" in page.text


def test_without_prices_it_stays_healthy_and_says_that_they_are_missing(
    programs: Programs, place: Place
) -> None:
    web = programs.web(**place.variables | {"PRICES_URL": NOBODY})
    url = web.listening()
    page = httpx.get(url)
    assert (page.status_code, page.text.count("<td>price not available")) == (200, 3)
    assert httpx.get(f"{url}/health").status_code == 200
    assert web.line("price missing")["product"] == "acorn-mug"


def test_an_order_is_answered_with_its_id_and_can_be_read(web_url: str) -> None:
    placed = httpx.post(f"{web_url}/orders", json=ORDER)
    order = placed.json()
    assert placed.status_code == 201
    assert order.items() >= {**ORDER, "state": "new", "price": None}.items()
    assert placed.headers["location"] == f"/orders/{order['id']}"
    assert httpx.get(f"{web_url}/orders/{order['id']}").json() == order


@pytest.mark.parametrize("path", ["other", "00000000-0000-4000-8000-000000000000"])
@pytest.mark.parametrize("what", ["", "/receipt"])
def test_an_order_that_is_not_there_is_not_found(web_url: str, path: str, what: str) -> None:
    assert httpx.get(f"{web_url}/orders/{path}{what}").status_code == 404


def test_the_form_of_the_page_places_an_order_that_the_page_then_lists(web_url: str) -> None:
    sent = httpx.post(f"{web_url}/orders", data={"product": "leaf-notebook", "quantity": "17"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/")
    assert "<td>Notebook, 96 pages<td>17<td>new" in httpx.get(web_url).text


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (422, {"json": ORDER | {"quantity": 0}}),
        (422, {"json": []}),
        (422, {"data": {"product": "oak-pencil"}}),
        (422, {"data": {"product": "oak-pencil", "quantity": str(MOST + 1)}}),
        (422, {"data": {"product": "oak-pencil", "quantity": "9" * 5000}}),
        (422, {"content": b"\xff=%ff", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}),
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


def test_an_order_is_stored_then_its_file_and_then_its_message(programs: Programs, place: Place) -> None:
    web = programs.web(**place.variables)
    url = web.listening()
    order = httpx.post(f"{url}/orders", json=ORDER).json()
    web.line("order delivered")
    receipt = place.stores.file(f"orders/{order['id']}.json")
    assert receipt == {name: order[name] for name in ("id", "product", "quantity", "placed_at")}
    assert httpx.get(f"{url}/orders/{order['id']}/receipt").json() == receipt
    assert place.stores.messages() == 1
    assert place.ask("SELECT id::text, state, delivered_at IS NOT NULL FROM orders") == [
        (order["id"], "new", True)
    ]


def test_orders_that_one_task_could_not_deliver_are_delivered_by_another(
    programs: Programs, place: Place
) -> None:
    web = programs.web(**place.variables | {"UPLOADS_BUCKET": "nobody-has-made-it"})
    placed = [httpx.post(f"{web.listening()}/orders", json=ORDER)]
    assert placed[0].status_code == 201
    assert "NoSuchBucket" in web.line("orders not delivered")["reason"]
    assert web.stop() == 0
    assert place.stores.messages() == 0
    other = programs.web(**place.variables)
    assert other.line("order delivered")["order"] == placed[0].json()["id"]
    assert place.stores.messages() == 1


def test_while_the_database_is_away_it_says_so_and_leaves_nothing_half_done(
    programs: Programs, place: Place, aws: Aws
) -> None:
    with running_postgres() as postgres:
        variables = place.variables | postgres.database()
        assert module("shop.migrate", **variables).returncode == 0
        web = programs.web(**variables)
        url = web.listening()
        first = httpx.post(f"{url}/orders", json=ORDER).json()
        web.line("order delivered")
        assert httpx.get(f"{url}/health").json()["database"] == "answers"
        postgres.stop()
        refused = httpx.post(f"{url}/orders", json=ORDER)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        (problem,) = refused.json()["problems"]
        assert problem.startswith("the database does not answer")
        assert httpx.get(f"{url}/orders/{first['id']}").status_code == 503
        page, health = httpx.get(url), httpx.get(f"{url}/health")
        assert (page.status_code, "Orders cannot be shown" in page.text) == (200, True)
        assert (health.status_code, health.json()["database"][:10]) == (200, "away since")
        postgres.start()
        while (second := httpx.post(f"{url}/orders", json=ORDER)).status_code == 503:
            pass
        assert httpx.get(f"{url}/health").json()["database"] == "answers"
        web.line("order delivered")
        stored = Place(place.stores, variables).ask("SELECT id::text FROM orders ORDER BY placed_at")
        assert stored == [(first["id"],), (second.json()["id"],)]
        assert web.stop() == 0
    files = aws.client("s3").list_objects_v2(Bucket=place.stores.bucket)["KeyCount"]
    assert (files, place.stores.messages()) == (2, 2)


def test_it_starts_and_ends_while_the_database_is_away(programs: Programs, place: Place) -> None:
    web = programs.web(**place.variables | {"SHOP_PORT": "9"})
    assert httpx.get(f"{web.listening()}/health").status_code == 200
    assert web.stop() == 0


def test_it_stops_when_its_password_is_refused_so_that_a_new_task_gets_the_new_one(
    programs: Programs, place: Place
) -> None:
    place.ask("CREATE ROLE rotated SUPERUSER LOGIN PASSWORD 'old'")
    web = programs.web(**place.variables | {"SHOP_USER": "rotated", "SHOP_PASSWORD": "old"})
    url = web.listening()
    assert httpx.post(f"{url}/orders", json=ORDER).status_code == 201
    web.line("order delivered")
    place.ask("ALTER ROLE rotated PASSWORD 'new'")
    place.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated'")
    assert "password authentication failed" in web.line("password refused")["reason"]
    assert web.process.wait(60) == 0


def test_it_ends_with_status_0_on_sigterm(programs: Programs, place: Place) -> None:
    web = programs.web(**place.variables)
    httpx.get(web.listening())
    assert web.stop() == 0
