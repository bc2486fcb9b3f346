"""The web service: `python -m shop.web [--host HOST] [--port PORT]`.

Exit status: 0 after a stop signal, 2 for invalid arguments or variables.
"""

import argparse
import asyncio
import json
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from shop import store
from shop.aws import AWS_ERRORS, s3_client, sqs_client
from shop.catalogue import PRODUCTS
from shop.configuration import WebSettings, read_web, settings_or_exit
from shop.database import Database, DatabaseAwayError
from shop.logs import log, log_libraries
from shop.orders import InvalidOrderError, Order, new_order
from shop.outbox import Outbox, receipt_key
from shop.page import page
from shop.prices import Price, Prices, PricesError

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

LONGEST_BODY = 10_000
"""Bytes that the body of a request may have."""

LONGEST_ANSWERS, LONGEST_DELIVERIES = 8, 15
"""Seconds after the stop signal for requests, and then for the outbox: less than the 30 that ECS waits."""

FORM = "application/x-www-form-urlencoded"


class RefusedError(Exception):
    """A request that is answered with a status and the reasons."""

    def __init__(self, status: int, *problems: str) -> None:
        super().__init__(status, *problems)
        self.status = status
        self.problems = problems


@dataclass(frozen=True)
class Shop:
    """What requests are answered with."""

    settings: WebSettings
    database: Database
    prices: Prices
    s3: "S3Client"
    outbox: Outbox


class _State(TypedDict):
    """What `_serving` gives to each request."""

    shop: Shop


async def health(request: Request) -> Response:
    """Tells of the database, and does not fail with it: replacing this task would not help that."""
    return JSONResponse({"status": "ok", "database": _shop(request).database.state})


async def version(request: Request) -> Response:
    """Names the release."""
    settings = _shop(request).settings
    return JSONResponse({"image": settings.image, "commit": settings.commit})


async def home(request: Request) -> Response:
    """Shows the page, without the prices or the orders that cannot be had."""
    shop = _shop(request)
    prices, orders = await asyncio.gather(_prices(shop.prices), _recent(shop.database))
    return HTMLResponse(page(prices, orders))


async def place(request: Request) -> Response:
    """Stores an order; the outbox delivers it."""
    shop = _shop(request)
    fields, form = await _fields(request)
    try:
        order = new_order(fields)
    except InvalidOrderError as error:
        raise RefusedError(422, *error.problems) from None
    async with shop.database.connection() as connection:
        await store.add(connection, order)
    shop.outbox.look()
    log("order placed", order=str(order.id), product=order.product, quantity=order.quantity)
    if form:
        return RedirectResponse("/", 303)
    return JSONResponse(order.document(), 201, {"Location": f"/orders/{order.id}"})


async def show(request: Request) -> Response:
    """Answers with an order."""
    async with _shop(request).database.connection() as connection:
        order = await store.find(connection, request.path_params["id"])
    if order is None:
        raise RefusedError(404, "there is no such order")
    return JSONResponse(order.document())


async def receipt(request: Request) -> Response:
    """Answers with the file of an order."""
    shop = _shop(request)
    key = receipt_key(request.path_params["id"])
    try:
        found = await shop.s3.get_object(Bucket=shop.settings.bucket, Key=key)
        return Response(await found["Body"].read(), media_type="application/json")
    except shop.s3.exceptions.NoSuchKey:
        raise RefusedError(404, "there is no such receipt, or not yet") from None
    except AWS_ERRORS as error:
        log("receipt not read", reason=str(error))
        raise RefusedError(503, "the bucket does not answer, so receipts cannot be read") from None


def _shop(request: Request) -> Shop:
    shop: Shop = request.state.shop
    return shop


async def _prices(prices: Prices) -> dict[str, Price | None]:
    shown: dict[str, Price | None] = {}
    for product, price in (await prices.all(PRODUCTS)).items():
        if isinstance(price, PricesError):
            log("price missing", product=product, reason=str(price))
            shown[product] = None
        else:
            shown[product] = price
    return shown


async def _recent(database: Database) -> list[Order] | None:
    try:
        async with database.connection() as connection:
            return await store.recent(connection, 20)
    except DatabaseAwayError as error:
        log("orders missing", reason=str(error))
        return None


async def _fields(request: Request) -> tuple[Any, bool]:
    """Returns what a client has sent for an order, and whether by a form; raises RefusedError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind not in ("application/json", FORM):
        raise RefusedError(415, f"Content-Type must be application/json or {FORM}")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise RefusedError(413, f"the body has more than {LONGEST_BODY} bytes")
    if kind == FORM:
        fields: dict[str, Any] = dict(parse_qsl(body.decode(errors="replace")))
        quantity = fields.get("quantity", "")
        # A form sends text only.
        return fields | {"quantity": int(quantity) if re.fullmatch(r"[0-9]{1,9}", quantity) else 0}, True
    try:
        return json.loads(body), False
    except (ValueError, RecursionError):
        raise RefusedError(400, "the body is not JSON") from None


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - Starlette calls it for these only
    return JSONResponse({"problems": error.problems}, error.status)


async def _away(_request: Request, error: Exception) -> Response:
    log("database away", reason=str(error))
    problem = "the database does not answer, so that orders can be neither stored nor read; try again soon"
    return JSONResponse({"problems": [problem]}, 503, {"Retry-After": "5"})


def create_app(settings: WebSettings) -> Starlette:
    """Returns the app, which starts without waiting for what it uses."""

    @asynccontextmanager
    async def serving(_app: Starlette) -> AsyncIterator[_State]:
        async with s3_client() as s3, sqs_client() as sqs, Database(settings.database) as database:
            prices = Prices(settings.prices_url)
            outbox = Outbox(database, s3, settings.bucket, sqs, settings.queue_url)
            delivering = asyncio.create_task(outbox.run())
            yield {"shop": Shop(settings, database, prices, s3, outbox)}
            outbox.stop()
            # What is left then, another task delivers.
            with suppress(TimeoutError):
                await asyncio.wait_for(delivering, LONGEST_DELIVERIES)
            await prices.close()

    return Starlette(
        routes=[
            Route("/", home),
            Route("/health", health),
            Route("/version", version),
            Route("/orders", place, methods=["POST"]),
            Route("/orders/{id:uuid}", show),
            Route("/orders/{id:uuid}/receipt", receipt),
        ],
        exception_handlers={RefusedError: _refused, DatabaseAwayError: _away},
        lifespan=serving,
    )


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m shop.web")
    everywhere = "0.0.0.0"  # noqa: S104 - requests reach a container from outside
    parser.add_argument("--host", default=everywhere)
    parser.add_argument("--port", type=int, default=8000, help="0 picks a free one (default: %(default)s)")
    arguments = parser.parse_args()
    settings = settings_or_exit(read_web)
    log_libraries()
    # uvicorn raises the stop signal again once it has answered all requests.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.create_server((arguments.host, arguments.port), backlog=2048) as listener:
        log("listening", port=listener.getsockname()[1])
        # An idle connection outlives the load balancer's, which waits 60 s; otherwise some requests meet
        # a connection that closes.
        server = uvicorn.Config(
            create_app(settings),
            log_level="warning",
            access_log=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=LONGEST_ANSWERS,
        )
        uvicorn.Server(server).run(sockets=[listener])


if __name__ == "__main__":
    main()
