"""Servers on the loopback that fail in the ways AWS may fail, and those ways."""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.serving import serving


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


class CredentialsEndpoint:
    """An endpoint of credentials, as a task has one: refuses connections, or is silent, until it opens."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._server: ThreadingHTTPServer | None = None
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/credentials"

    def open(self) -> None:
        """Answers from now on."""
        self._listener.listen()
        self._server = ThreadingHTTPServer(self._listener.getsockname(), _Keys, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = self._listener
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}).start()

    def close(self) -> None:
        """Stops answering."""
        if self._server is not None:
            self._server.shutdown()


class _Keys(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        keys = {"AccessKeyId": "test", "SecretAccessKey": "test", "Token": "session-token-of-the-task"}
        answer(self, 200, json.dumps(keys | {"Expiration": "2100-01-01T00:00:00Z"}).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""


@contextmanager
def credentials_endpoint(*, silent: bool) -> Iterator[CredentialsEndpoint]:
    """An endpoint of credentials that does not answer yet: it is silent or refuses connections."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if silent:
            listener.listen()
        endpoint = CredentialsEndpoint(listener)
        try:
            yield endpoint
        finally:
            endpoint.close()


class PatientServer(ThreadingHTTPServer):
    """A server whose clients may hang up at any time."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a connection that is lost."""
        if not isinstance(sys.exception(), OSError | httpx.TransportError):
            super().handle_error(request, client_address)


class Answering(PatientServer):
    """A server that gives every request the same answer, until it is told another.

    An operation, such as GetItem, may have an answer of its own: status and body.
    """

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.body = body
        self.operations: dict[str, tuple[int, bytes]] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"

    def answer(self, document: object) -> None:
        """Gives every request this document."""
        self.status, self.body = 200, json.dumps(document).encode()
        self.operations.clear()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Answering)
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        status, body = self.server.operations.get(operation, (self.server.status, self.server.body))
        answer(self, status, body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""


@contextmanager
def answering(status: int, body: bytes = b"") -> Iterator[Answering]:
    """A server that gives every request this answer."""
    server = Answering(status, body)
    with serving(server):
        yield server


def answer(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    """Sends a whole answer."""
    handler.send_response(status)
    handler.send_header("Content-Type", "application/x-amz-json-1.0")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def aws_error(code: str, message: str = "no") -> bytes:
    """Body of an error as the services write it that speak JSON."""
    return json.dumps({"__type": f"com.amazonaws.service#{code}", "message": message}).encode()


Fault = Callable[[BaseHTTPRequestHandler], None]
"""Answers a request, whose body was read, as AWS should not."""


def refuses(code: str, status: int = 400, message: str = "no") -> Fault:
    """Answers with an error, in XML where the question is no JSON."""

    def fault(handler: BaseHTTPRequestHandler) -> None:
        body = aws_error(code, message)
        if "json" not in handler.headers.get("Content-Type", ""):
            told = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            body = f"<ErrorResponse>{told}</ErrorResponse>".encode()
        answer(handler, status, body)

    return fault


def says(status: int, body: bytes) -> Fault:
    """Answers with this status and body."""
    return lambda handler: answer(handler, status, body)


def hangs(seconds: float) -> Fault:
    """Answers nothing, and closes the connection after so many seconds."""

    def fault(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return fault


def trickles(pause: float) -> Fault:
    """Answers byte by byte, with so many seconds between them."""

    def fault(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "20")
        handler.end_headers()
        with suppress(OSError):  # the client may lose its patience
            for _ in range(20):
                handler.wfile.write(b" ")
                time.sleep(pause)

    return fault


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    """Closes the connection without an answer."""
    handler.close_connection = True


def breaks_off(handler: BaseHTTPRequestHandler) -> None:
    """Closes the connection in the middle of an answer."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/x-amz-json-1.0")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"Item":')
    handler.close_connection = True
