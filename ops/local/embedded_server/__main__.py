"""The process of the embedded AWS: moto's server on the loopback, with a state that outlives it.

Run as `python -m ops.local.embedded_server DIRECTORY`. It binds its previous port if that is free,
else any; replays the journal's requests; then writes `embedded.json` and serves.
"""

import argparse
import json
import os
import platform
import re
import signal
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from ops.core.files import write_private
from ops.local.embedded_server.authorization import Authorization
from ops.local.embedded_server.journal import Journal, JournalError
from ops.local.embedded_server.mends import mend_moto
from ops.local.embedded_server.mends.chatbot import with_chat_channels
from ops.local.embedded_server.recording import Recording

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOST: Final = "127.0.0.1"
IDENTITY_PATH: Final = "/_oaktree"
"""The path that answers with the server's process id, so that no other server is mistaken for it."""

_ACCOUNT_KEY: Final = re.compile(r"Credential=AKIA(\d{12})/")


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    mend_moto(directory)
    record = directory / "embedded.json"
    # moto read it when it was imported; while it is set, no request can act in another account.
    account = os.environ.pop("MOTO_ACCOUNT_ID")
    versions = {"moto": version("moto"), "python": platform.python_version(), "account": account}
    application = _with_accounts(with_chat_channels(DomainDispatcherApplication(create_backend_app)))
    try:
        journal = Journal(directory / "journal.jsonl", versions)
        recording = Recording(application, journal, Authorization(directory))
        replayed = recording.replay()
    except JournalError as error:
        sys.exit(f"The embedded AWS cannot be resumed: {error}.")
    print(f"Replayed {replayed} requests.", file=sys.stderr)
    server = _bind(_with_identity(recording), _previous_port(record))
    found = {"endpoint": f"http://{HOST}:{server.server_port}", "account_id": account}
    write_private(record, json.dumps(found).encode())
    try:
        server.serve_forever()
    finally:
        recording.close()


class _Handler(MotoRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Writes no line for each request: the journal has them."""


def _with_accounts(application: "WSGIApplication") -> "WSGIApplication":
    """Lets the access key `AKIA<account id>` act in that account, which its first use creates."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if match := _ACCOUNT_KEY.search(environ.get("HTTP_AUTHORIZATION", "")):
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = match[1]
        return application(environ, start_response)

    return answer


def _with_identity(application: "WSGIApplication") -> "WSGIApplication":
    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] != IDENTITY_PATH:
            return application(environ, start_response)
        content = str(os.getpid()).encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(content)))])
        return [content]

    return answer


def _previous_port(record: Path) -> int:
    try:
        return int(json.loads(record.read_text())["endpoint"].rpartition(":")[2])
    except (OSError, ValueError, KeyError):
        return 0


def _bind(application: "WSGIApplication", port: int) -> BaseWSGIServer:
    # werkzeug ends the process itself, with SystemExit, when the port is taken.
    try:
        return make_server(HOST, port, application, threaded=True, request_handler=_Handler)
    except (OSError, SystemExit):
        return make_server(HOST, 0, application, threaded=True, request_handler=_Handler)


def _end(*_: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
