"""Requests that are all under way before the first of them is answered."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection

import httpx

from webapp.contract import HEALTH_PATH


@contextmanager
def crowd(port: int, path: str, size: int) -> Iterator[Future[list[httpx.Response]]]:
    """The answers to so many requests for a path. The app has taken all of them when the block begins."""

    def answer(connection: HTTPConnection) -> httpx.Response:
        found = connection.getresponse()
        return httpx.Response(found.status, headers=found.getheaders(), content=found.read())

    connections = [HTTPConnection("127.0.0.1", port, timeout=30) for _ in range(size)]
    with ExitStack() as stack:
        for connection in connections:
            stack.callback(connection.close)
            connection.connect()
        for connection in connections:
            connection.request("GET", path)
        # Connections are taken in order, so who is answered after all of them tells that they were taken.
        httpx.get(f"http://127.0.0.1:{port}{HEALTH_PATH}", timeout=30)
        pool = stack.enter_context(ThreadPoolExecutor(1))
        yield pool.submit(lambda: [answer(connection) for connection in connections])
