"""Servers on the loopback that fail in the ways AWS may fail."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Silence:
    """A server that accepts connections and never answers."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._connections: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.reached = threading.Event()

    def accept(self) -> None:
        """Accepts connections until the listener is shut down."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                break
            self._connections.append(connection)
            self.reached.set()
        for connection in self._connections:
            connection.close()


@contextmanager
def silence() -> Iterator[Silence]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Silence(listener)
        thread = threading.Thread(target=server.accept)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def nobody() -> Iterator[str]:
    """Address where nobody listens: the port is held, but refuses connections."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


class Answering(ThreadingHTTPServer):
    """A server that gives every request the same answer, until it is told another.

    With a pause, in seconds, it writes the body byte by byte.
    """

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.body = body
        self.pause = 0.0
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Answering)
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        if not self.server.pause:
            self.wfile.write(self.server.body)
            return
        with suppress(OSError):  # the client may lose its patience
            for byte in self.server.body:
                self.wfile.write(bytes([byte]))
                time.sleep(self.server.pause)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""


@contextmanager
def answering(status: int, body: bytes = b"") -> Iterator[Answering]:
    """A server that gives every request this answer."""
    with Answering(status, body) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def dynamodb_error(code: str, message: str = "no") -> bytes:
    """Body of an error as DynamoDB writes it."""
    return json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}).encode()
