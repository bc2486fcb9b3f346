"""The process of one database server: PostgreSQL with its data in a directory, and the port in front of it.

Run as `python -m ops.local.database_server DIRECTORY PORT`, with the role's password in the variable
`DATABASE_PASSWORD`. It listens once PostgreSQL takes connections, and ends both by SIGTERM.
"""

import argparse
import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from contextlib import suppress
from pathlib import Path
from typing import Final

from ops.core.errors import OpsError
from ops.local.database_server.binaries import find_binaries, reachable
from ops.local.database_server.cluster import ENVIRONMENT, PASSWORD_VARIABLE, SOCKET, Cluster
from ops.local.database_server.front import Front, server_context
from ops.local.ports import HOST

_PATIENCE_SECONDS: Final = 5.0
"""How long a session may take to end before it is ended the hard way."""


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--user", required=True)
    parser.add_argument("--database", default="")
    parser.add_argument("--force-ssl", action="store_true")
    given = parser.parse_args()
    binaries = find_binaries()
    if binaries is None:
        sys.exit("There is no PostgreSQL for this machine.")
    directory, password = given.directory.absolute(), os.environ.pop(PASSWORD_VARIABLE)
    try:
        with reachable(binaries) as programs:
            cluster = Cluster(programs, directory, given.user, given.database, password)
            cluster.prepare()
            front = Front(SOCKET, server_context(directory), given.force_ssl)
            # A Unix socket's path is 107 bytes at most, which that of a checkout may exceed.
            os.chdir(cluster.data)
            asyncio.run(_serve(cluster, front, given.port))
    except (OpsError, OSError) as error:
        sys.exit(str(error))


async def _serve(cluster: Cluster, front: Front, port: int) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    postgres = await asyncio.create_subprocess_exec(*cluster.command(), env=ENVIRONMENT)
    stopped = asyncio.create_task(ended.wait())
    by_itself = asyncio.create_task(postgres.wait())
    try:
        while not cluster.ready():
            if stopped.done() or by_itself.done():
                break
            await asyncio.sleep(0.02)
        else:
            server = await asyncio.start_server(front.answer, HOST, port)
            await asyncio.wait((stopped, by_itself), return_when=asyncio.FIRST_COMPLETED)
            server.close()
    finally:
        stopped.cancel()
        await _end(postgres, by_itself)
    if not ended.is_set():
        raise OpsError(f"PostgreSQL ended by itself, with status {postgres.returncode}.")


async def _end(postgres: Process, ends: "asyncio.Task[int]") -> None:
    """Ends PostgreSQL with its sessions, at once if they do not end.

    Source: PostgreSQL documentation, "Shutting Down the Server".
    """
    for sent in (signal.SIGINT, signal.SIGQUIT):
        with suppress(ProcessLookupError):
            postgres.send_signal(sent)
        if ends in (await asyncio.wait((ends,), timeout=_PATIENCE_SECONDS))[0]:
            return


if __name__ == "__main__":
    main()
