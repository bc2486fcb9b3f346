"""Starts the app: `python -m webapp [--host HOST] [--port PORT]`.

Exit status: 0 after a stop signal; 2 for invalid arguments or variables, with the reason on stderr; 3 when
botocore rejects its own configuration, with the reason in the log.
"""

import argparse
import logging
import os
import signal
import socket
import sys
from types import FrameType
from typing import Final, NoReturn

import uvicorn

from webapp.application import create_app, with_middleware
from webapp.contract import PORT
from webapp.logs import log, logging_to_stdout
from webapp.protocol import Connection
from webapp.resources import Shutdown
from webapp.settings import Settings, SettingsError, read_settings

NOT_TAKEN_MS: Final = 30_000
"""Milliseconds after which a connection closes if the client acknowledges no data. Source: tcp(7)."""


def main() -> None:
    """Reads arguments and environment, listens, and serves until the stop signal."""
    # uvicorn passes the stop signal on to the previous handler once all requests are finished.
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    arguments = _arguments()
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        _refuse(str(error))
    try:
        listener = _listen(arguments.host, arguments.port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        _refuse(f"cannot listen on {arguments.host}, port {arguments.port}: {reason}; see --host and --port")
    serve(settings, listener)


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serves the app on a listening socket. On a stop signal the socket closes at once."""
    shutdown = Shutdown()
    configuration = uvicorn.Config(
        with_middleware(create_app(settings, shutdown)),
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive,
        timeout_graceful_shutdown=settings.shutdown_timeout,
    )
    host, port = listener.getsockname()[:2]
    with logging_to_stdout(settings.log_level):
        log(logging.INFO, "listening", {"host": host, "port": port})
        Server(configuration, shutdown).run(sockets=[listener])


class Server(uvicorn.Server):
    """A server that notifies the app of the stop signal before the last request is answered."""

    def __init__(self, config: uvicorn.Config, shutdown: Shutdown) -> None:
        super().__init__(config)
        self._shutdown = shutdown

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._shutdown.request()
        super().handle_exit(sig, frame)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m webapp", description="Starts the status service.")
    everywhere = "0.0.0.0"  # noqa: S104 - requests reach a container from outside
    parser.add_argument("--host", default=everywhere, help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port",
        default=PORT,
        type=_port,
        help="port to listen on; 0 picks a free one (default: %(default)s)",
    )
    return parser.parse_args()


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port; allowed: 0 to 65535")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Accepted connections inherit it, so one whose client stops reading does not stay open forever.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, NOT_TAKEN_MS)
    return listener


def _refuse(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(2)


def _stop(_signum: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
