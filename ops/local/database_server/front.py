"""The TCP port in front of a PostgreSQL server that knows no TLS: encrypts, and hands on everything else.

Its certificate, for the loopback interface, signs itself.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", "SSL Session Encryption" and "Message
Formats".
"""

import asyncio
import ssl
import struct
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ops.local.ports import HOST

_CANCEL: Final = 80877102
_SSL: Final = 80877103
_GSS: Final = 80877104
_LONGEST: Final = 10_000
"""PostgreSQL's own limit of a first message, in bytes."""

_CHUNK: Final = 65_536


@dataclass(frozen=True)
class Front:
    """Answers clients for the server at a Unix socket.

    With `force_ssl`, clients have to encrypt, as RDS has it with `rds.force_ssl`.
    """

    socket: str
    context: ssl.SSLContext
    force_ssl: bool

    async def answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serves one client until either side ends."""
        try:
            with suppress(OSError, ssl.SSLError, IncompleteReadError, ValueError):
                await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        encrypted = False
        while (message := await _first_message(reader))[0] in (_SSL, _GSS):
            code, _ = message
            writer.write(b"S" if code == _SSL else b"N")
            await writer.drain()
            if code == _SSL:
                await writer.start_tls(self.context)
                encrypted = True
        code, content = message
        if self.force_ssl and not encrypted and code != _CANCEL:
            writer.write(_refusal(content))
            await writer.drain()
            return
        server_reader, server_writer = await asyncio.open_unix_connection(self.socket)
        try:
            server_writer.write(struct.pack("!ii", len(content) + 8, code) + content)
            ways = {
                asyncio.create_task(_hand_on(reader, server_writer)),
                asyncio.create_task(_hand_on(server_reader, writer)),
            }
            _, other = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for each in other:
                each.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            server_writer.close()


async def _first_message(reader: StreamReader) -> tuple[int, bytes]:
    """Returns the code and the rest of a message without a type, which is how clients begin."""
    length, code = struct.unpack("!ii", await reader.readexactly(8))
    if not 8 <= length <= _LONGEST:
        raise ValueError(length)
    return code, await reader.readexactly(length - 8)


def _refusal(content: bytes) -> bytes:
    """Returns the error that a server gives who takes encrypted connections only."""
    texts = [each.decode(errors="replace") for each in content.split(b"\0")]
    wanted = dict(zip(texts[::2], texts[1::2], strict=False))
    user = wanted.get("user", "")
    database = wanted.get("database", user)
    message = f'no pg_hba.conf entry for host "{HOST}", user "{user}", database "{database}", no encryption'
    fields = {"S": "FATAL", "V": "FATAL", "C": "28000", "M": message}
    body = b"".join(f"{kind}{text}\0".encode() for kind, text in fields.items()) + b"\0"
    return b"E" + struct.pack("!i", len(body) + 4) + body


async def _hand_on(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()


def server_context(directory: Path) -> ssl.SSLContext:
    """Returns a context for servers, with the certificate in `directory`, which is made once.

    A client that is given `certificate.pem` as the root can verify it in full.
    """
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    if not certificate.exists():
        _make_certificate(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _make_certificate(certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address(HOST))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(names, critical=False)
        .sign(private, hashes.SHA256())
    )
    key.touch(mode=0o600)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
