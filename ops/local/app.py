"""A container's program as a separate process, run as the embedded ECS's task definition says."""

import hashlib
import json
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ops.core.errors import OpsError
from ops.core.files import directory_locked, read_json, swap_in
from ops.images.engine import Engine
from ops.local import processes, readiness
from ops.local.embedded import Embedded
from ops.local.ports import HOST, free_port
from ops.local.readiness import Readiness
from ops.local.runners import STOP_SECONDS, ContainerRunner, Runner, TaskRunner
from ops.local.tasks import Container
from webapp import contract

_READY_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 10.0
"""How long a running app may be unready, since the machine may be busy, before it is restarted."""

_TRIES: Final = 3


@dataclass(frozen=True)
class RunningApp:
    """An app that answers at an address; `started` is False if it was already running."""

    address: str
    started: bool


@dataclass(frozen=True)
class Manner:
    """How a program is started, and how it is seen that it works."""

    ready: Readiness = readiness.STATUS
    ports: tuple[int, ...] = (contract.PORT,)
    """Ports to listen on, the first free one of which is taken, or else any other; none for none."""
    fixed: bool = False
    """Whether it can only listen on the first of them."""
    before: Callable[[Mapping[str, str]], None] | None = None
    """Runs before a start, with the program's variables."""


def run_app(
    embedded: Embedded,
    container: Container,
    name: str,
    region: str,
    directory: Path,
    runner: Runner,
    manner: Manner | None = None,
) -> RunningApp:
    """Runs the app of a container, by default the status app, and restarts it only if something changed.

    Its environment is the container's, the keys of the task role that ECS provides on AWS, and what
    the runner needs; `PORT`, if the container has that, is the port on this machine. Raises OpsError if it
    does not get ready.
    """
    manner = manner or Manner()
    fingerprint = _fingerprint(embedded, container, runner)
    previous = read_json(_record(name, directory))
    address = previous.get("address", "")
    unchanged = processes.running(name, directory) and previous.get("fingerprint") == fingerprint
    if unchanged and _gets_ready(manner.ready, address, _PATIENCE_SECONDS):
        return RunningApp(address, started=False)
    stop_app(name, directory)
    variables = variables_of(embedded, container, region)
    if manner.before:
        manner.before(variables)
    wanted = (int(address.rpartition(":")[2] or 0),) if address and not manner.fixed else ()
    # No other checkout may start an app between the choice of a port and the app's first answer there: of
    # two that chose the same port, the one that fails would count as ready, since the other one answers.
    with directory_locked(Path(tempfile.gettempdir())):
        address = _start(name, directory, runner, variables, wanted, fingerprint, manner)
    return RunningApp(address, started=True)


def _start(
    name: str,
    directory: Path,
    runner: Runner,
    variables: Mapping[str, str],
    wanted: tuple[int, ...],
    fingerprint: str,
    manner: Manner,
) -> str:
    """Starts an app on the wanted port, if it is free, waits until it is ready, and returns its address."""
    log = directory / "logs" / f"{name}.log"
    tries = _TRIES
    while True:
        port = free_port(*wanted, *manner.ports) if manner.ports else 0
        if manner.fixed and manner.ports and port != manner.ports[0]:
            raise OpsError(
                f"Port {manner.ports[0]} is taken, and containers of one task expect each other there."
            )
        address = f"http://{HOST}:{port}" if port else ""
        own = {"PORT": str(port)} if "PORT" in variables and port else {}
        program = runner.program(port, {**variables, **own})
        traces = {"address": address, "fingerprint": fingerprint, **_traces(runner)}
        swap_in(_record(name, directory), json.dumps(traces).encode())
        pid = processes.start(
            name, program.command, directory=directory, log=log, environment=program.environment
        )
        try:
            _wait(name, directory, pid, address, log, manner.ready)
            return address
        except _EndedError:
            tries -= 1
            # Another program on this machine may have taken the port since it was found free.
            if not tries or not port or free_port(port) == port:
                raise


class _EndedError(OpsError):
    """An app ended before it was ready."""


def stop_app(name: str, directory: Path) -> bool:
    """Stops an app, and removes its container if it has one; returns False if it did not run.

    The engine comes first, since a container can outlive the command that runs it.
    """
    traces = read_json(_record(name, directory))
    if "container" not in traces:
        return processes.stop(name, directory)
    engine = Engine("podman" if traces["engine"] == "podman" else "docker", traces["executable"])
    stopped = engine.stop(traces["container"], STOP_SECONDS)
    ended = processes.stop(name, directory)
    engine.remove(traces["container"])
    return stopped or ended


def variables_of(embedded: Embedded, container: Container, region: str) -> dict[str, str]:
    """Returns every variable of the app: those of its container, and those that ECS provides on AWS."""
    keys = embedded.variables(embedded.assume(container.task_role), region)
    return {**keys, **container.variables, **container.secrets}


def address_of(name: str, directory: Path) -> str:
    """Returns the address of an app that runs, or an empty string if it does not run or listens nowhere."""
    runs = processes.running(name, directory) is not None
    return read_json(_record(name, directory)).get("address", "") if runs else ""


def _traces(runner: Runner) -> dict[str, str]:
    """Returns what `stop_app` needs to know."""
    if not isinstance(runner, ContainerRunner | TaskRunner):
        return {}
    engine = runner.engine
    return {"container": runner.name, "engine": engine.kind, "executable": engine.executable}


def _wait(name: str, directory: Path, pid: int, address: str, log: Path, ready: Readiness) -> None:
    started = time.monotonic()
    wrong = ""
    while (seconds := time.monotonic() - started) < _READY_SECONDS:
        if processes.running(name, directory) != pid:
            raise _EndedError(
                f"The app ended as soon as it was started: {processes.last_line(log)}\nLog: {log}"
            )
        if not (wrong := ready.wrong(address, seconds)):
            return
        time.sleep(0.1)
    stop_app(name, directory)
    raise OpsError(
        f"The app does not get ready: {wrong} after {_READY_SECONDS:.0f} s: {processes.last_line(log)}\n"
        f"Log: {log}"
    )


def _gets_ready(ready: Readiness, address: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while ready.wrong(address, math.inf):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.2)
    return True


def _fingerprint(embedded: Embedded, container: Container, runner: Runner) -> str:
    """Returns a hash that changes if the app needs a restart, with its settings, code, image or endpoint."""
    configuration = (runner.identity, embedded.endpoint, container.task_definition, *_sorted(container))
    return hashlib.sha256(json.dumps(configuration).encode()).hexdigest()


def _sorted(container: Container) -> list[tuple[str, str]]:
    return sorted({**container.variables, **container.secrets}.items())


def _record(name: str, directory: Path) -> Path:
    return directory / f"{name}.json"
