"""The caches of an environment on this machine: a Valkey or Redis server for each, if there is one.

It listens on the loopback and does not encrypt, so that services find it at another address than on AWS.
"""

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ops.core.checkout import Checkout
from ops.core.errors import OpsError
from ops.core.files import read_json
from ops.local import processes
from ops.local.ports import HOST, answers, free_port
from stacks.settings import Environment

PREFIX: Final = "cache-"
"""How the names of the servers' processes and logs begin."""

NO_SERVER: Final = (
    "neither valkey-server nor redis-server is on PATH; install one to have caches here, such as by "
    "`apt-get install valkey-server`"
)

_READY_SECONDS: Final = 15.0


class NoServerError(OpsError):
    """This machine has no server for caches; the text says what to do."""


@dataclass(frozen=True)
class Caches:
    """The caches of one environment, whose data is below the checkout's `caches/`."""

    checkout: Checkout
    environment: Environment

    def run(self, key: str) -> str:
        """Runs a cache unless it runs already, and returns what was done.

        Raises NoServerError if this machine has no server for it, and OpsError if it does not start.
        """
        name, local = self._name(key), self.checkout.local
        if processes.running(name, local):
            return "unchanged"
        server = shutil.which("valkey-server") or shutil.which("redis-server")
        if server is None:
            (local / f"{name}.json").unlink(missing_ok=True)
            raise NoServerError(NO_SERVER)
        data, log = local / "caches" / name, local / "logs" / f"{name}.log"
        data.mkdir(parents=True, exist_ok=True)
        port = free_port()
        # `save` keeps what is in it over a restart, as the data of the embedded AWS is kept.
        command = (server, "--bind", HOST, "--port", str(port), "--dir", str(data), "--save", "1", "1")
        processes.start_ready(
            name,
            command,
            directory=local,
            log=log,
            environment={"PATH": os.environ["PATH"]},
            ready=lambda _: answers(port),
            seconds=_READY_SECONDS,
            what=f"The cache {key}",
        )
        record = {"address": f"{HOST}:{port}", "environment": self.environment.name}
        (local / f"{name}.json").write_text(json.dumps(record))
        return "started"

    def address(self, key: str) -> str:
        """Returns where a cache is reached, or an empty string if it is not run here."""
        name, local = self._name(key), self.checkout.local
        return read_json(local / f"{name}.json").get("address", "") if processes.running(name, local) else ""

    def run_all(self) -> None:
        """Runs every cache that can be run here."""
        for key in self.environment.caches:
            with suppress(NoServerError):
                self.run(key)

    def stop_removed(self) -> None:
        """Stops the servers of caches that the settings no longer have, and removes their data."""
        kept = {self._name(key) for key in self.environment.caches}
        for record in self.checkout.local.glob(f"{PREFIX}*.json"):
            # The names of dev-eu begin like those of dev.
            is_ours = json.loads(record.read_text())["environment"] == self.environment.name
            if is_ours and record.stem not in kept:
                processes.stop(record.stem, self.checkout.local)
                shutil.rmtree(self.checkout.local / "caches" / record.stem, ignore_errors=True)
                record.unlink()

    def _name(self, key: str) -> str:
        return f"{PREFIX}{self.environment.name}-{key}"
