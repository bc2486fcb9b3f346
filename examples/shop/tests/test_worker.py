"""The worker, which takes messages that the web service has sent, and the check of its heartbeat."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Place
from programs import Programs, module
from shop.worker import MessageError, Worker, order_of

NOBODY = "http://127.0.0.1:9"


def place_order(place: Place) -> str:
    """Store an order and send its message, as the web service does; returns its id."""
    ((order,),) = place.ask(
        "INSERT INTO orders (id, product, quantity, placed_at, delivered_at)"
        " VALUES (gen_random_uuid(), 'oak-pencil', 3, now(), now()) RETURNING id::text"
    )
    place.stores.send(json.dumps({"order": order}))
    return str(order)


def orders(place: Place) -> list[tuple[object, ...]]:
    """The orders in the database."""
    return place.ask("SELECT id::text, state, cents, currency FROM orders ORDER BY placed_at")


@dataclass(frozen=True)
class SlowPrices:
    """A prices service that answers when it may."""

    url: str
    asked: Event = field(default_factory=Event)
    may_answer: Event = field(default_factory=Event)


@contextmanager
def slow_prices() -> Iterator[SlowPrices]:
    """A prices service of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            slow.asked.set()
            slow.may_answer.wait()
            body = json.dumps({"cents": 205, "currency": "EUR"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        slow = SlowPrices(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield slow
        slow.may_answer.set()
        server.shutdown()
        thread.join()


def test_it_confirms_an_order_once_and_a_second_delivery_changes_nothing(
    programs: Programs, place: Place
) -> None:
    web = programs.web(**place.variables)
    placed = httpx.post(f"{web.listening()}/orders", json={"product": "oak-pencil", "quantity": 3})
    order = placed.json()["id"]
    worker = programs.worker(**place.variables)
    assert worker.line("order confirmed").items() >= {"order": order, "price": "2.05 EUR"}.items()
    confirmed = [(order, "confirmed", 205, "EUR")]
    assert orders(place) == confirmed
    place.ask("UPDATE orders SET cents = 1")
    place.stores.send(json.dumps({"order": order}))
    assert worker.line("order was confirmed or closed before")["order"] == order
    assert worker.stop() == 0
    assert orders(place) == [(order, "confirmed", 1, "EUR")]
    assert (place.stores.messages(), place.stores.messages(place.stores.dead)) == (0, 0)


def test_an_order_that_is_closed_stays_closed(programs: Programs, place: Place) -> None:
    order = place_order(place)
    place.ask("UPDATE orders SET state = 'closed'")
    worker = programs.worker(**place.variables)
    worker.line("order was confirmed or closed before")
    assert worker.stop() == 0
    assert orders(place) == [(order, "closed", None, None)]
    assert place.stores.messages() == 0


def test_sqs_moves_a_message_that_is_no_order_to_the_dead_letter_queue(
    programs: Programs, place: Place
) -> None:
    order = place_order(place)
    place.stores.send('{"order": 1}')
    place.stores.send('{"order": "00000000-0000-4000-8000-000000000000"}')
    worker = programs.worker(**place.variables)
    attempts = [worker.line("message failed")["attempt"] for _ in range(6)]
    assert sorted(attempts) == ["1", "1", "2", "2", "3", "3"]
    # Its next look for messages moves what has failed too often.
    while place.stores.messages(place.stores.dead) < 2:
        time.sleep(0.05)
    assert worker.stop() == 0
    assert place.stores.messages() == 0
    assert [state for _, state, *_ in orders(place)] == ["confirmed"]
    assert orders(place)[0][0] == order


def test_a_message_stays_in_the_queue_while_there_are_no_prices(
    programs: Programs, place: Place, tmp_path: Path
) -> None:
    order = place_order(place)
    heartbeat = tmp_path / "heartbeat"
    worker = programs.worker("--heartbeat", str(heartbeat), **place.variables | {"PRICES_URL": NOBODY})
    assert worker.line("message failed")["reason"].startswith("PricesError: no price of oak-pencil")
    worker.line("message failed")
    assert heartbeat.exists()
    assert worker.stop() == 0
    assert orders(place) == [(order, "new", None, None)]
    left = place.stores.messages() + place.stores.messages(place.stores.dead)
    assert left == 1


def test_on_sigterm_it_finishes_the_message_in_hand(programs: Programs, place: Place) -> None:
    order = place_order(place)
    with slow_prices() as prices:
        worker = programs.worker(**place.variables | {"PRICES_URL": prices.url})
        assert prices.asked.wait(60)
        worker.process.terminate()
        worker.line("stopping")
        prices.may_answer.set()
        assert worker.process.wait(30) == 0
    assert orders(place) == [(order, "confirmed", 205, "EUR")]
    assert place.stores.messages() == 0


def test_on_sigterm_a_message_that_it_cannot_finish_is_left_to_another(
    programs: Programs, place: Place
) -> None:
    order = place_order(place)
    with slow_prices() as prices:
        worker = programs.worker(**place.variables | {"PRICES_URL": prices.url})
        assert prices.asked.wait(60)
        assert worker.stop() == 0
    assert orders(place) == [(order, "new", None, None)]
    another = programs.worker(**place.variables)
    assert another.line("order confirmed")["order"] == order
    assert another.stop() == 0


def test_on_sigterm_it_does_not_wait_for_messages(programs: Programs, place: Place) -> None:
    worker = programs.worker(**place.variables)
    worker.line("started")
    assert worker.stop() == 0
    worker.line("stopped")


def test_it_goes_on_while_queue_and_database_are_away(
    programs: Programs, place: Place, tmp_path: Path
) -> None:
    heartbeat = tmp_path / "heartbeat"
    away = {"SHOP_PORT": "9", "AWS_ENDPOINT_URL": NOBODY, "ORDERS_QUEUE_URL": f"{NOBODY}/1/orders"}
    worker = programs.worker("--heartbeat", str(heartbeat), **place.variables | away)
    for _ in range(2):
        worker.line("no messages")
    assert heartbeat.exists()
    assert worker.stop() == 0


class _Hangs(Worker):
    async def confirm(self, order_id: UUID) -> None:  # noqa: ARG002
        await asyncio.Event().wait()


def test_a_message_that_takes_too_long_is_left_in_the_queue(capsys: pytest.CaptureFixture[str]) -> None:
    unused = cast(Any, None)
    worker = _Hangs(unused, unused, unused, "", longest=0.01)
    asyncio.run(worker.handle({"Body": json.dumps({"order": str(UUID(int=1))})}))
    assert json.loads(capsys.readouterr().out)["reason"].startswith("TimeoutError")


@given(st.uuids())
def test_a_message_names_an_order(order_id: object) -> None:
    assert order_of(json.dumps({"order": str(order_id)})) == order_id


@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_a_message_that_names_none_is_refused(body: str) -> None:
    with pytest.raises(MessageError):
        order_of(body)


def test_its_health_check_passes_while_the_heartbeat_is_recent(tmp_path: Path) -> None:
    heartbeat = tmp_path / "heartbeat"
    missing = module("shop.heartbeat", str(heartbeat))
    assert missing.returncode == 1
    assert missing.stderr.startswith("no heartbeat yet: ")
    heartbeat.touch()
    assert module("shop.heartbeat", str(heartbeat)).returncode == 0
    os.utime(heartbeat, (0, 0))
    old = module("shop.heartbeat", str(heartbeat))
    assert old.returncode == 1
    assert old.stderr.startswith("the last heartbeat is ")
