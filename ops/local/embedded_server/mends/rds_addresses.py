"""The addresses of RDS instances with PostgreSQL: ports of this machine, where `make up` runs a server.

A port is chosen when the instance is created and kept in `databases.json` beside the journal, by the
instance's resource id, so that a replay answers with the same one. An instance that is created with a port
keeps that one.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from moto.rds.models import DBInstance, RDSBackend

from ops.core.files import write_private
from ops.local.embedded_server.patching import patch
from ops.local.ports import HOST, free_port

_FIRST: Final = 15_000
_RANGE: Final = 10_000
"""Below the ports that systems give to connections, which come and go."""

_TRIES: Final = 20


def mend(directory: Path) -> None:
    """Mends the endpoints of moto's instances; to be called after the other mends of RDS."""
    file = directory / "databases.json"
    create = RDSBackend.create_db_instance
    address = vars(DBInstance)["address"].fget

    def create_db_instance(backend: RDSBackend, db_kwargs: Mapping[str, Any]) -> DBInstance:
        database = create(backend, {**db_kwargs})
        if database.engine == "postgres":
            database.port = _port(file, database.dbi_resource_id, db_kwargs.get("port"))
        return database

    def address_here(database: DBInstance) -> str:
        return HOST if database.engine == "postgres" else str(address(database))

    patch(RDSBackend, create_db_instance)
    patch(DBInstance, address=property(address_here))


def _port(file: Path, resource_id: str, wanted: int | None) -> int:
    """Returns the port of an instance, which is chosen once."""
    ports: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    # A restored instance is created with the port of the one that it is restored from.
    if wanted and wanted not in ports.values():
        return wanted
    if resource_id not in ports:
        start = crc32(f"{file}{resource_id}".encode())
        candidates = (_FIRST + (start + each) % _RANGE for each in range(_TRIES))
        ports[resource_id] = free_port(*(each for each in candidates if each not in ports.values()))
        write_private(file, json.dumps(ports, indent=1).encode())
    return ports[resource_id]
