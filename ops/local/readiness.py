"""What it takes for a program on this machine to count as ready, by what its service says of itself."""

import http.client
import os
import subprocess
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from ops.core.health import accepts
from ops.local.ports import answers
from webapp import contract


class Readiness(Protocol):
    """A look at a program."""

    def wrong(self, address: str, seconds: float) -> str:
        """Returns why a program at an address is not ready `seconds` after its start, or an empty string."""


@dataclass(frozen=True, slots=True)
class Answers:
    """It answers a path with one of some status codes."""

    path: str
    statuses: str

    def wrong(self, address: str, seconds: float) -> str:
        """Asks once."""
        del seconds
        status = _status(address, self.path)
        if status is None:
            return f"{address}{self.path} does not answer"
        return "" if accepts(self.statuses, status) else f"{address}{self.path} answers {status}"


@dataclass(frozen=True, slots=True)
class Listens:
    """It listens on its port."""

    def wrong(self, address: str, seconds: float) -> str:
        """Connects once."""
        del seconds
        return "" if answers(int(address.rpartition(":")[2])) else f"{address} does not answer"


@dataclass(frozen=True, slots=True)
class Passes:
    """A command ends with exit status 0."""

    command: tuple[str, ...]

    def wrong(self, address: str, seconds: float) -> str:
        """Runs the command once."""
        del address, seconds
        done = subprocess.run(self.command, capture_output=True, text=True, check=False, env=os.environ)
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        return f"its health check ends with status {done.returncode}: {said[-1]}" if done.returncode else ""


@dataclass(frozen=True, slots=True)
class Stays:
    """It still runs after a moment."""

    moment: float = 1.0

    def wrong(self, address: str, seconds: float) -> str:
        """Looks at the clock: a program that has ended is noticed anyway."""
        del address
        return "" if seconds >= self.moment else "it has only just started"


STATUS: Final = Answers(contract.READY_PATH, "200")
"""The status app says more of itself than that it lives."""


def _status(address: str, path: str) -> int | None:
    """Returns the HTTP status that an address answers with, or None if it does not answer."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
