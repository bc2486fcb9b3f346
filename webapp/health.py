"""The container's health check: `python -m webapp.health PORT PATH`.

Exit status 0 if the app answers 200, else 1 with the reason on stderr; never 2, which Docker reserves
(Dockerfile reference, HEALTHCHECK). It imports little, because the health check starts a new interpreter
every few seconds on a fraction of a CPU.
"""

import sys
from http.client import HTTPConnection, HTTPException
from typing import Final

TIMEOUT: Final = 3.0
"""Seconds to connect, and again to answer."""


def failure(port: int, path: str) -> str | None:
    """Returns why the app on this port of the loopback is not healthy; None if it is."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"no answer from port {port}: {error or type(error).__name__}"
    finally:
        connection.close()
    return None if status == 200 else f"{path} answered {status}"


def main(arguments: list[str]) -> int:
    """Returns the exit status for the arguments: a port and a path."""
    match arguments:
        case [port, path] if port.isascii() and port.isdigit() and 0 < int(port) < 65536 and path[:1] == "/":
            reason = failure(int(port), path)
        case _:
            reason = "usage: python -m webapp.health PORT PATH, such as 8080 /healthz"
    if reason is not None:
        print(reason, file=sys.stderr)
    return 0 if reason is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
