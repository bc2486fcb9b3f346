"""HTTP servers of tests, which answer in a thread, and ports for other servers."""

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import HTTPServer
from threading import Thread


@contextmanager
def serving(server: HTTPServer) -> Iterator[None]:
    """Has a server answer as long as the block lasts, and closes it."""
    with server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    """Return a port of the loopback that nobody listens on.

    It is below those that the system chooses for whoever asks for any port (32768 and up on Linux), so that
    no server of another test is given it meanwhile.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_768)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
