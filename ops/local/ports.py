"""TCP ports of the loopback."""

import socket
from typing import Final

from ops.core.errors import OpsError

HOST: Final = "127.0.0.1"


def free_port(*wanted: int) -> int:
    """Returns the first of the wanted ports that nobody listens on, or else any free port."""
    for port in (*wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OpsError(f"No free port on {HOST}.")


def answers(port: int) -> bool:
    """Returns whether somebody listens on a port."""
    try:
        socket.create_connection((HOST, port), timeout=2).close()
    except OSError:
        return False
    return True
