"""The load balancers of an environment on this machine: ports, rules, and the router that has them."""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ops.core.checkout import SOURCE
from ops.core.files import read_json, swap_in
from ops.local import processes
from ops.local.ports import HOST, answers, free_port
from ops.local.router import SUFFIX, Rule
from stacks import routing
from stacks.settings import Environment

PORT: Final = 8100
"""The first port that is tried for a load balancer."""

_START_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A load balancer on this machine; `key` is the service whose own it is, empty for the shared one."""

    key: str
    port: int
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Balancers:
    """The load balancers of one environment; `directory` is that of the embedded AWS."""

    environment: Environment
    directory: Path

    @property
    def needed(self) -> bool:
        """Whether there is something to choose from: otherwise a service answers at its own address."""
        return len(self.environment.services) > 1 or any(
            rule.host or rule.path != "/"
            for balancer in routing.balancers(self.environment)
            for rule in balancer.routes
        )

    def start(self, addresses: Mapping[str, str], missing: Mapping[str, str]) -> tuple[Listener, ...]:
        """Writes the rules, and starts the router unless it runs; returns where it listens.

        `addresses` are those of the running services, `missing` says why others do not run. Raises
        OpsError if the router does not start.
        """
        name, file = self._name, self._file
        if not self.needed:
            processes.stop(name, self.directory)
            file.unlink(missing_ok=True)
            return ()
        if self._recorded.get("identity") != _identity(self._listeners(running=True)):
            processes.stop(name, self.directory)
        running = processes.running(name, self.directory) is not None
        listeners = self._listeners(running=running)
        content = {
            "identity": _identity(listeners),
            "ports": {listener.key: listener.port for listener in listeners},
            "rules": {listener.port: [asdict(rule) for rule in listener.rules] for listener in listeners},
            "addresses": dict(addresses),
            "missing": dict(missing),
        }
        swap_in(file, json.dumps(content).encode())
        if not running:
            self._start(listeners)
        return listeners

    def update(self, service: str, address: str) -> None:
        """Sends the requests of a service to another address, if the router runs."""
        if not (content := self._recorded):
            return
        content["addresses"][service] = address.removeprefix("http://")
        content["missing"].pop(service, None)
        swap_in(self._file, json.dumps(content).encode())

    @property
    def _name(self) -> str:
        return f"router-{self.environment.name}"

    @property
    def _file(self) -> Path:
        return self.directory / f"{self._name}.json"

    @property
    def _recorded(self) -> dict[str, Any]:
        return read_json(self._file)

    def _listeners(self, *, running: bool) -> tuple[Listener, ...]:
        """Returns where the router listens or is going to: on the ports it had, if they are free."""
        recorded: Mapping[str, int] = self._recorded.get("ports", {})
        found: list[Listener] = []
        for balancer in routing.balancers(self.environment):
            port = recorded.get(balancer.key, 0)
            if not (running and port):
                taken = {each.port for each in found}
                candidates = [each for each in (port, *range(PORT, PORT + 50)) if each and each not in taken]
                port = free_port(*candidates)
            rules = (Rule(each.priority, each.host, each.path, each.service) for each in balancer.routes)
            found.append(Listener(balancer.key, port, tuple(rules)))
        return tuple(found)

    def _start(self, listeners: tuple[Listener, ...]) -> None:
        processes.start_ready(
            self._name,
            (sys.executable, "-m", "ops.local.router", str(self._file)),
            directory=self.directory,
            log=self.directory / "logs" / f"{self._name}.log",
            environment={"PYTHONPATH": str(SOURCE)},
            ready=lambda _: all(answers(listener.port) for listener in listeners),
            seconds=_START_SECONDS,
            what="The router",
        )


def url(service: str, listeners: tuple[Listener, ...]) -> str | None:
    """Returns where a balanced service is reached through the router; None if not through it.

    Browsers look up every name that ends in `.localhost` on this machine; the router knows a domain with
    that ending and without it.
    """
    for listener in listeners:
        for rule in listener.rules:
            if rule.service == service:
                host = f"{rule.host}{SUFFIX}" if rule.host else HOST
                return f"http://{host}:{listener.port}{rule.path}"
    return None


def _identity(listeners: tuple[Listener, ...]) -> str:
    """Returns a hash that changes with the router's code and its ports: the rest it reads by itself."""
    code = (SOURCE / "ops" / "local" / "router.py").read_bytes()
    ports = ",".join(str(listener.port) for listener in listeners)
    return hashlib.sha256(code + ports.encode()).hexdigest()
