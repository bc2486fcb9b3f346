"""Serves an AWS provider to one Terraform process, with some of the types in its schema.

    python -m ops.terraform.provider_server EXECUTABLE DIRECTORY SHARED TYPES

It says the path of the socket where it listens, answers for the schema, and passes every other call on to the
provider, which it starts in DIRECTORY when it is needed: to show a plan, it is not. SHARED keeps the whole
schema. It ends with its input, which Terraform holds open as well, since that outlives a command that is
killed.

Sources: Terraform's documentation, "Terraform Plugin Protocol", version 5; go-plugin's documentation,
"Internals", for how a provider is started and says where it listens.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import grpc

from ops.core.files import swap_in

_COOKIE: Final = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"
"""What a provider wants to see, so that nobody starts it as a command.

Source: Terraform's source, internal/plugin/serve.go, "Handshake".
"""

_GET_SCHEMA: Final = "/tfplugin5.Provider/GetSchema"
_OF_TYPES: Final = frozenset({2, 3, 8})
"""Fields of the schema by type: of resources, of data sources, of ephemeral resources.

Source: Terraform Plugin Protocol 5, "GetProviderSchema.Response".
"""

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A call may wait for minutes. Pings in that time, which measure the bandwidth, end a connection.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.max_ping_strikes", 0),
)
"""Source: gRPC's documentation, "Keepalive User Guide", and its `grpc_types.h`."""

_CALLS_AT_ONCE: Final = 32
"""More than Terraform makes, which is ten by default, and one to stop."""


def main() -> None:
    """Serves a provider until whoever asked for it, and Terraform, have closed the other end of the input."""
    executable, directory, shared, types = sys.argv[1:]
    provider = _Provider(Path(executable), Path(directory))
    schema = _Schema(provider, Path(shared), frozenset(types.encode().split()))
    folder = tempfile.mkdtemp(prefix="oaktree-")
    try:
        address = f"{folder}/provider"
        server = _listen(address, provider, schema)
        print(address, flush=True)
        sys.stdin.buffer.read()
        provider.end()
        server.stop(None)
    finally:
        shutil.rmtree(folder)


def _listen(address: str, provider: "_Provider", schema: "_Schema") -> grpc.Server:
    def called(method: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                return schema.answer(request) if method == _GET_SCHEMA else provider.call(method, request)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details() or "")
            except (OSError, ProviderError) as error:
                context.abort(grpc.StatusCode.UNAVAILABLE, str(error))

        return answer

    class Handler(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
            # The streams of go-plugin, for output and for calls back, are of no use here.
            if not details.method.startswith("/tfplugin5."):
                return None
            return grpc.unary_unary_rpc_method_handler(called(details.method))

    server = grpc.server(ThreadPoolExecutor(_CALLS_AT_ONCE), [Handler()], options=_OPTIONS)
    server.add_insecure_port(f"unix:{address}")
    server.start()
    return server


class ProviderError(Exception):
    """The provider does not start as one."""


class _Provider:
    """The provider's process, which starts with the first call."""

    def __init__(self, executable: Path, directory: Path) -> None:
        self.executable = executable
        self._directory = directory
        # It cannot take certificates twice, and Terraform configures it to plan and again to apply.
        kept = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
        self._environment = kept | {"TF_PLUGIN_MAGIC_COOKIE": _COOKIE, "PLUGIN_PROTOCOL_VERSIONS": "5"}
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: grpc.Channel | None = None

    def call(self, method: str, request: bytes) -> bytes:
        """Calls the provider. Raises grpc.RpcError, and OSError or ProviderError if it does not start."""
        with self._starting:
            if self._channel is None:
                self._channel = self._start()
        answer: bytes = self._channel.unary_unary(method, bytes, bytes)(request)
        return answer

    def end(self) -> None:
        """Ends the provider, if it was started."""
        with self._starting:
            if self._process:
                self._process.kill()
                self._process.wait()

    def _start(self) -> grpc.Channel:
        self._process = subprocess.Popen(
            (self.executable,),
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        told = self._process.stdout.readline().decode() if self._process.stdout else ""
        match told.strip().split("|"):
            case [_, "5", "unix", path, *_]:
                return grpc.insecure_channel(f"unix:{path}", options=_OPTIONS)
        raise ProviderError(
            f"{self.executable} does not say that it serves version 5 of the protocol: {told}"
        )


class _Schema:
    """A provider's schema: the whole of it is asked for once and kept, for the next commands."""

    def __init__(self, provider: _Provider, shared: Path, types: frozenset[bytes]) -> None:
        self._provider = provider
        self._types = types
        found = provider.executable.stat()
        self._kept = shared / "schemas" / f"{provider.executable.name}-{found.st_size}-{found.st_mtime_ns}"

    def answer(self, request: bytes) -> bytes:
        """Returns the schema with these types only. Raises as `_Provider.call`."""
        if not self._kept.exists():
            swap_in(self._kept, self._provider.call(_GET_SCHEMA, request))
        return narrowed(self._kept.read_bytes(), self._types)


def narrowed(schema: bytes, types: frozenset[bytes]) -> bytes:
    """Returns a schema without the types of AWS that are not among these.

    Source: Protocol Buffers' documentation, "Encoding": a message is a row of fields, an entry of a map a
    message of a key and a value.
    """
    kept = []
    for field, start, content, end in _fields(schema):
        if field not in _OF_TYPES or _key(schema[content:end]) in types:
            kept.append(schema[start:end])
    return b"".join(kept)


def _key(entry: bytes) -> bytes:
    """Returns the key of an entry of a map."""
    _, _, content, end = next(_fields(entry))
    return entry[content:end]


def _fields(message: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yields the number of each field, where it starts, where its content starts, and where it ends.

    All of them have a length: other kinds are not in these messages.
    """
    at = 0
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        length, at = _varint(message, at)
        yield tag >> 3, start, at, at + length
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Returns a number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


if __name__ == "__main__":
    main()
