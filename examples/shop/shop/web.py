"""The web service: `python -m shop.web [--host HOST] [--port PORT]`.

Exit status: 0 after a stop signal, 2 for invalid arguments or variables.
"""

import argparse
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from shop.catalogue import PRODUCTS
from shop.configuration import Configuration, configuration_or_exit
from shop.logs import log
from shop.orders import InvalidOrderError, Orders, new_order
from shop.prices import Prices, PricesError

LONGEST_BODY = 10_000
"""Bytes that the body of a request may have."""


def create_app(configuration: Configuration) -> Starlette:
    """Returns the app with an empty store of orders."""
    orders = Orders()
    prices = Prices(configuration.prices_url)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await prices.close()

    async def health(_request: Request) -> Response:
        # Says nothing of the prices service: restarting this one would not help that one.
        return PlainTextResponse("ok\n")

    async def version(_request: Request) -> Response:
        return JSONResponse({"image": configuration.image, "commit": configuration.commit})

    async def page(_request: Request) -> Response:
        rows = []
        for product, price in (await prices.all(PRODUCTS)).items():
            shown = str(price)
            if isinstance(price, PricesError):
                log("price missing", product=product, reason=shown)
                shown = "price not available"
            rows.append(f"<tr><td>{escape(PRODUCTS[product])}<td>{escape(shown)}")
        return HTMLResponse(
            '<!doctype html><html lang="en"><title>Shop</title><h1>Shop</h1>'
            f"<table><tr><th>Product<th>Price{''.join(rows)}</table>\n"
        )

    async def place(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _problem(415, "Content-Type must be application/json")
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_BODY:
                return _problem(413, f"the body has more than {LONGEST_BODY} bytes")
        try:
            fields = json.loads(body)
        except (ValueError, RecursionError):
            return _problem(400, "the body is not JSON")
        try:
            order = new_order(fields)
        except InvalidOrderError as error:
            return _problem(422, *error.problems)
        orders.add(order)
        log("order placed", order=order.id, product=order.product, quantity=order.quantity)
        return JSONResponse(order.document(), 201, {"Location": f"/orders/{order.id}"})

    async def show(request: Request) -> Response:
        order = orders.find(request.path_params["id"])
        return JSONResponse(order.document()) if order else _problem(404, "there is no such order")

    return Starlette(
        routes=[
            Route("/", page),
            Route("/health", health),
            Route("/version", version),
            Route("/orders", place, methods=["POST"]),
            Route("/orders/{id}", show),
        ],
        lifespan=lifespan,
    )


def _problem(status: int, *problems: str) -> Response:
    return JSONResponse({"problems": problems}, status)


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m shop.web")
    everywhere = "0.0.0.0"  # noqa: S104 - requests reach a container from outside
    parser.add_argument("--host", default=everywhere)
    parser.add_argument("--port", type=int, default=8000, help="0 picks a free one (default: %(default)s)")
    arguments = parser.parse_args()
    configuration = configuration_or_exit()
    # uvicorn raises the stop signal again once it has answered all requests.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.create_server((arguments.host, arguments.port), backlog=2048) as listener:
        log("listening", port=listener.getsockname()[1])
        # An idle connection outlives the load balancer's, which waits 60 s; otherwise some requests meet
        # a connection that closes.
        settings = uvicorn.Config(
            create_app(configuration), log_level="warning", access_log=False, timeout_keep_alive=75
        )
        uvicorn.Server(settings).run(sockets=[listener])


if __name__ == "__main__":
    main()
