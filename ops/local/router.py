"""A stand-in for the load balancers of one environment: `python -m ops.local.router TABLE`.

TABLE is a JSON file of `ops.local.balancers`, read again when it changes. The router picks a service as
the rules of a listener do, by host and path in the order of their priorities, and passes bytes on both ways
as they arrive, so that event streams and WebSockets work. It answers one request on each connection, and
drops what a client sends after it: that may be for another service. It knows no CIDRs: every request comes
from this machine.

Sources: of the headers, Application Load Balancers guide, "HTTP headers and Application Load Balancers"; of
where a request ends, RFC 9112, "Message Body Length".
"""

import asyncio
import json
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

HOST: Final = "127.0.0.1"
SUFFIX: Final = ".localhost"
"""Ending of a name that browsers look up on this machine: `www.example.com.localhost`."""

_LARGEST_HEAD: Final = 64 * 1024
_PIECE: Final = 64 * 1024
_REASONS: Final = {
    400: "Bad Request",
    404: "Not Found",
    502: "Bad Gateway",
    503: "Service Unavailable",
}

Headers = list[tuple[str, str]]
Pipes = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a listener; without a host it is for all of them."""

    priority: int
    host: str | None
    path: str
    service: str

    def matches(self, host: str, path: str) -> bool:
        """Returns whether a request to a host, in lower case, and a path is for this rule."""
        if self.host is not None and host not in (self.host, self.host + SUFFIX):
            return False
        return self.path == "/" or path == self.path or path.startswith(f"{self.path}/")


@dataclass(frozen=True, slots=True)
class Table:
    """The rules by port, and the address of each service, or why it does not run."""

    rules: Mapping[int, Sequence[Rule]]
    addresses: Mapping[str, str]
    missing: Mapping[str, str]

    @classmethod
    def read(cls, text: str) -> "Table":
        """Returns the table that a JSON text holds."""
        content = json.loads(text)
        rules = {
            int(port): sorted((Rule(**rule) for rule in rules), key=lambda rule: rule.priority)
            for port, rules in content["rules"].items()
        }
        return cls(rules, content["addresses"], content["missing"])

    def service(self, port: int, host: str, path: str) -> str | None:
        """Returns the service of the first rule that matches; None means the fixed answer 404."""
        matching = (rule for rule in self.rules.get(port, ()) if rule.matches(host, path))
        return next((rule.service for rule in matching), None)


class Router:
    """Listens on the ports of a table."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_at: tuple[int, int] | None = None
        self._table = Table({}, {}, {})
        self._servers: list[asyncio.Server] = []

    @property
    def table(self) -> Table:
        """Returns the table as its file is now."""
        found = self._file.stat()
        version = (found.st_mtime_ns, found.st_ino)
        if version != self._read_at:
            self._table = Table.read(self._file.read_text())
            self._read_at = version
        return self._table

    async def start(self) -> None:
        """Begins to listen.

        Raises OSError if a port is taken.
        """
        for port in self.table.rules:
            server = await asyncio.start_server(self._serve, HOST, port, limit=_LARGEST_HEAD)
            self._servers.append(server)

    async def run(self) -> None:
        """Serves until the task is cancelled."""
        await asyncio.gather(*(server.serve_forever() for server in self._servers))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            await _close(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        try:
            line, headers = _head(await reader.readuntil(b"\r\n\r\n"))
            method, target, version = line.split(" ")
            length = _length(headers)
        except (ValueError, asyncio.LimitOverrunError):
            return await _say(writer, 400, "Bad request")
        path = urlsplit(target).path if target.startswith("http") else target.partition("?")[0]
        host = _value(headers, "host").rpartition(":")[0] or _value(headers, "host")
        table = self.table
        service = table.service(port, host.lower(), path)
        if service is None:
            return await _say(writer, 404, "Not found")
        if service not in table.addresses:
            return await _say(writer, 503, f"{service} does not run here: {table.missing.get(service, '')}")
        name, _, number = table.addresses[service].rpartition(":")
        try:
            upstream = await asyncio.open_connection(name, int(number), limit=_LARGEST_HEAD)
        except OSError:
            return await _say(writer, 502, f"{service} does not answer at {table.addresses[service]}")
        try:
            upgrade = _value(headers, "upgrade")
            passed = _forwarded(headers, writer.get_extra_info("peername")[0], port, upgrade)
            upstream[1].write(_bytes(f"{method} {target} {version}", passed))
            sending = _send(reader, upstream[1], length, ends=not upgrade)
            await self._exchange((reader, writer), upstream, service, sending)
        finally:
            await _close(upstream[1])

    async def _exchange(
        self, client: Pipes, upstream: Pipes, service: str, request: Coroutine[Any, Any, None]
    ) -> None:
        """Passes on the rest of the request and the whole answer, at the same time."""
        sending = asyncio.create_task(request)
        try:
            while True:
                try:
                    line, headers = _head(await upstream[0].readuntil(b"\r\n\r\n"))
                    status = int(line.split(" ")[1])
                except (
                    ValueError,
                    IndexError,
                    OSError,
                    asyncio.IncompleteReadError,
                    asyncio.LimitOverrunError,
                ):
                    return await _say(client[1], 502, f"{service} closed the connection without an answer")
                # 100 and 103 come before the answer; 101 is one, and the connection stays.
                before = 100 <= status < 200 and status != 101
                if status == 101:
                    await sending
                    sending = asyncio.create_task(_pump(client[0], upstream[1]))
                kept = headers if before or status == 101 else [*_without(headers, "connection"), _CLOSE]
                client[1].write(_bytes(line, kept))
                await client[1].drain()
                if not before:
                    break
            await _pump(upstream[0], client[1])
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await sending


_CLOSE: Final = ("Connection", "close")


def _forwarded(headers: Headers, client: str, port: int, upgrade: str) -> Headers:
    """Returns the headers of a request as a target gets them."""
    before = ", ".join(value for name, value in headers if name.lower() == "x-forwarded-for")
    kept = _without(headers, "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port")
    if not upgrade:
        kept = [*_without(kept, "connection", "keep-alive"), _CLOSE]
    return [
        *kept,
        ("X-Forwarded-For", f"{before}, {client}" if before else client),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Port", str(port)),
    ]


def _length(headers: Headers) -> int | None:
    """Returns the length of a request's body; None if it is sent in chunks.

    Raises ValueError if it cannot be told where the request ends.
    """
    lengths = {value for name, value in headers if name.lower() == "content-length"}
    codings = [value.lower() for name, value in headers if name.lower() == "transfer-encoding"]
    if codings:
        if codings != ["chunked"] or lengths:
            raise ValueError(codings)
        return None
    if len(lengths) > 1 or not all(length.isascii() and length.isdecimal() for length in lengths):
        raise ValueError(lengths)
    return int(lengths.pop()) if lengths else 0


async def _send(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, length: int | None, *, ends: bool
) -> None:
    """Passes on the body of a request; if it `ends` with that, waits for the client to go, and says so."""
    try:
        if length is None:
            await _chunks(reader, writer)
        else:
            await _bytes_of(reader, writer, length)
    except (ValueError, asyncio.LimitOverrunError, asyncio.IncompleteReadError):
        writer.close()
        return
    if ends:
        while await reader.read(_PIECE):
            pass  # another request
        if writer.can_write_eof():
            writer.write_eof()


async def _chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on a chunked body with its trailers."""
    size, line = -1, b""
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        if size < 0:
            raise ValueError(line)
        writer.write(line)
        await _bytes_of(reader, writer, size + len(b"\r\n") if size else 0)
    while line != b"\r\n":
        line = await reader.readuntil(b"\r\n")
        writer.write(line)
    await writer.drain()


async def _bytes_of(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, length: int) -> None:
    while length:
        piece = await reader.read(min(length, _PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", length)
        writer.write(piece)
        await writer.drain()
        length -= len(piece)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes bytes on as they arrive, and the end."""
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _say(writer: asyncio.StreamWriter, status: int, words: str) -> None:
    content = words.encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(content))), _CLOSE]
    writer.write(_bytes(f"HTTP/1.1 {status} {_REASONS[status]}", headers) + content)
    await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _head(content: bytes) -> tuple[str, Headers]:
    """Returns the first line of a request or an answer, and its headers.

    Raises ValueError if it is neither.
    """
    line, *rest = content.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    headers = []
    for each in rest:
        name, colon, value = each.partition(":")
        if not colon or name != name.strip() or not name:
            raise ValueError(each)
        headers.append((name, value.strip()))
    return line, headers


def _bytes(line: str, headers: Headers) -> bytes:
    return "\r\n".join((line, *(f"{name}: {value}" for name, value in headers), "", "")).encode("latin-1")


def _value(headers: Headers, wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")


def _without(headers: Headers, *names: str) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in names]


async def _main(file: Path) -> None:
    router = Router(file)
    await router.start()
    print(f"listens on {', '.join(map(str, router.table.rules))}", flush=True)
    await router.run()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
