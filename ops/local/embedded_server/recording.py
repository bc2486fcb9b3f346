"""Makes the state of moto, which is all in memory, outlive its process.

Every request is answered one at a time, with the clock standing still and every source of random
numbers seeded, and is written to a journal before its answer goes out. Answering the journal's
requests again in the same order, at the same times, from the same seeds therefore leads to the same
state with the same identifiers. moto's own recorder lacks the order, the time and the seeds.

A read is left out of the journal if an identical one had the same answer before: then it changed
nothing. Reads of DynamoDB and SQS are always left out, since they never change anything, and an app
that reads its table again and again finds something new each time; so is a ReceiveMessage that finds
nothing, which waits for messages while others are answered. Other reads stay in, since moto creates
some resources (a default VPC, for example) at the first read.
"""

import hashlib
import io
import os
import random
import re
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import time_machine
from moto.core.request import PRESERVED_HEADER_NAMES_ENVIRON_KEY
from moto.moto_api._internal import mock_random

from ops.local.embedded_server import polling
from ops.local.embedded_server.authorization import Answer, Authorization
from ops.local.embedded_server.authorization.requests import CREDENTIAL, READING
from ops.local.embedded_server.journal import Entry, Journal, JournalError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ACTION: Final = re.compile(rb"(?:^|&)Action=(\w+)")


class Recording:
    """A WSGI application that answers through another one and records the requests."""

    def __init__(
        self, application: "WSGIApplication", journal: Journal, authorization: Authorization
    ) -> None:
        self._application = application
        self._journal = journal
        self._authorization = authorization
        self._lock = Lock()
        self._count = 0
        self._answers: dict[bytes, str] = {}
        # moto draws from all three of them, and uuid4 from the last.
        os.urandom = random.randbytes

    def replay(self) -> int:
        """Answers the journal's requests again and returns how many there were.

        Raises JournalError if one is answered with another status than before.
        """
        for entry in self._journal.entries():
            status, _, body = self._answer(entry.environ, entry.body, entry.at, entry.seed)
            answer = _summary(status, body)
            if answer != entry.answer:
                request = f"request {self._count + 1}, {_name(entry.environ, entry.body)}"
                if answer[:3] != entry.answer[:3]:
                    raise JournalError(f"{request}: answered {answer[:3]}, before {entry.answer[:3]}")
                print(f"{request}: answered differently than before", file=sys.stderr)
            self._remember(entry)
        return self._count

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        body = _take_body(environ)
        kept = _lasting(environ)
        with self._lock:
            refused = self._authorization.refusal(kept, body)
        # A refused request changes nothing, so a replay can do without it.
        status, headers, content = refused or self._answer_now(kept, body)
        if _receives(kept, body) and not refused:
            end = time.monotonic() + polling.seconds_to_wait(kept, body)
            while polling.found_nothing(status, content) and time.monotonic() < end:
                time.sleep(polling.INTERVAL)
                if polling.is_gone(environ):
                    break
                status, headers, content = self._answer_now(kept, body)
        start_response(status, headers)
        return [content]

    def _answer_now(self, kept: Mapping[str, Any], body: bytes) -> Answer:
        """Answers a request that is allowed, and records it."""
        with self._lock:
            fingerprint = _fingerprint(kept, body)
            reading = _is_reading(kept, body)
            # An identical read has an identical seed, so that its answer can be compared.
            seed = fingerprint.hex() if reading else f"{self._count}-{fingerprint.hex()}"
            at = time.time()
            status, headers, content = self._answer(kept, body, at, seed)
            entry = Entry(at, seed, kept, body, _summary(status, content))
            if reading:
                harmless = _changes_nothing(kept) or self._answers.get(fingerprint) == entry.answer
            else:
                harmless = _receives(kept, body) and polling.found_nothing(status, content)
            if not harmless:
                self._journal.append(entry)
                self._remember(entry)
        return status, headers, content

    def close(self) -> None:
        """Waits for the current answer, then closes the files."""
        with self._lock:
            self._journal.close()
            self._authorization.close()

    def _remember(self, entry: Entry) -> None:
        self._count += 1
        if _is_reading(entry.environ, entry.body):
            self._answers[_fingerprint(entry.environ, entry.body)] = entry.answer

    def _answer(self, kept: Mapping[str, Any], body: bytes, at: float, seed: str) -> Answer:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Any:
            started.append((status, headers))

        random.seed(seed)
        mock_random.seed(seed)
        with time_machine.travel(at, tick=False):
            try:
                content = b"".join(self._application(_environ(kept, body), start_response))
            except Exception:  # noqa: BLE001  # the client gets an answer even if moto fails
                traceback.print_exc()
                text = b"The embedded AWS failed; its log says how."
                return "500 Internal Server Error", [("Content-Length", str(len(text)))], text
        status, headers = started[-1]
        return status, headers, content


def _take_body(environ: "WSGIEnvironment") -> bytes:
    """Reads the request's body, and changes the environ to a plain request with a known length."""
    if environ.pop("HTTP_TRANSFER_ENCODING", None):
        body = environ["wsgi.input"].read()
        environ["CONTENT_LENGTH"] = str(len(body))
    else:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return bytes(body)


def _lasting(environ: "WSGIEnvironment") -> dict[str, Any]:
    """Returns the part of an environ that says what was requested, and by whom."""
    kept: dict[str, Any] = {
        key: value for key, value in environ.items() if isinstance(value, str) and "wsgi." not in key
    }
    if names := environ.get(PRESERVED_HEADER_NAMES_ENVIRON_KEY):
        kept[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = names
    return kept


def _environ(kept: Mapping[str, Any], body: bytes) -> "WSGIEnvironment":
    return {
        **kept,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def _name(environ: Mapping[str, Any], body: bytes) -> str:
    """Returns the AWS action of a request, or its method and path if they define it."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    if "urlencoded" in environ.get("CONTENT_TYPE", "") and (match := _ACTION.search(body)):
        return match[1].decode()
    return f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"


def _is_reading(environ: Mapping[str, Any], body: bytes) -> bool:
    name = _name(environ, body)
    return environ["REQUEST_METHOD"] in ("GET", "HEAD") or bool(READING.match(name))


def _changes_nothing(environ: Mapping[str, Any]) -> bool:
    """Whether a read is one of a service whose reads never create anything."""
    return str(environ.get("HTTP_X_AMZ_TARGET", "")).startswith(("DynamoDB_", "AmazonSQS."))


def _receives(environ: Mapping[str, Any], body: bytes) -> bool:
    return _name(environ, body) == polling.ACTION


def _fingerprint(environ: Mapping[str, Any], body: bytes) -> bytes:
    """Returns the same digest for two identical requests to the same account, service and region."""
    scope = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    parts = (
        *(scope.groups() if scope else ()),
        environ["REQUEST_METHOD"],
        environ["PATH_INFO"],
        environ.get("QUERY_STRING", ""),
        environ.get("HTTP_X_AMZ_TARGET", ""),
        environ.get("HTTP_RANGE", ""),
    )
    return hashlib.sha256("\0".join(parts).encode() + b"\0" + body).digest()[:16]


def _summary(status: str, body: bytes) -> str:
    return f"{status[:3]} {hashlib.sha256(body).hexdigest()[:16]}"
