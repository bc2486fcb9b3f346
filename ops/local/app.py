"""The app as a separate program, run as the embedded ECS's task definition says."""

import hashlib
import http.client
import json
import socket
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from botocore.exceptions import ClientError

from ops.core.clients import Credentials, isolated_client
from ops.core.ecs import read_service
from ops.core.errors import OpsError
from ops.core.files import directory_locked
from ops.images.engine import Engine
from ops.local import processes
from ops.local.embedded import Embedded
from ops.local.runners import HOST, STOP_SECONDS, ContainerRunner, Runner
from stacks.naming import base, service_name
from stacks.settings import Environment, Project
from webapp import contract

_READY_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 10.0
"""How long a running app may be unready, since the machine may be busy, before it is restarted."""

_TRIES: Final = 3


@dataclass(frozen=True)
class Container:
    """A container of the task definition that an ECS service runs, with its secrets resolved."""

    task_definition: str
    task_role: str
    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    command: tuple[str, ...] = ()
    """Entry point and arguments; without any, the image's own are meant."""

    def __repr__(self) -> str:
        return f"Container({self.task_definition!r})"


@dataclass(frozen=True)
class RunningApp:
    """An app that answers at an address; `started` is False if it was already running."""

    address: str
    started: bool


def read_container(embedded: Embedded, project: Project, environment: Environment, service: str) -> Container:
    """Returns the container that the embedded ECS should run for a service.

    Raises OpsError if ECS has no such service or container.
    """
    ecs = embedded.client("ecs", environment.region, environment.account_id)
    cluster = base(project.name, environment.name)
    name = service_name(project.name, environment.name, service)
    found = read_service(ecs, cluster, name)
    if found is None:
        raise OpsError(f"The ECS cluster {cluster} of the embedded AWS has no service {name}.")
    return container_of(embedded, environment, found.task_definition, service)


def container_of(embedded: Embedded, environment: Environment, task_definition: str, name: str) -> Container:
    """Returns a container of a task definition.

    Raises OpsError if it has none of that name, or ECS could not start it.
    """
    ecs = embedded.client("ecs", environment.region, environment.account_id)
    definition = ecs.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
    arn = definition["taskDefinitionArn"]
    containers = {container["name"]: container for container in definition["containerDefinitions"]}
    if name not in containers:
        raise OpsError(f"The task definition {arn} has no container {name}, only {', '.join(containers)}.")
    container = containers[name]
    # ECS reads the secrets as the execution role, which may read no others.
    role = definition["executionRoleArn"]
    keys = embedded.assume(role)
    try:
        secrets = {
            item["name"]: _secret(embedded, keys, environment, item["valueFrom"])
            for item in container.get("secrets", ())
        }
    except ClientError as error:
        raise OpsError(f"ECS could not start a task of {arn}: as {role}: {error}") from None
    return Container(
        task_definition=arn,
        task_role=definition["taskRoleArn"],
        command=(*container.get("entryPoint", ()), *container.get("command", ())),
        variables={item["name"]: item["value"] for item in container.get("environment", ())},
        secrets=secrets,
    )


def run_app(
    embedded: Embedded,
    container: Container,
    name: str,
    region: str,
    directory: Path,
    runner: Runner,
) -> RunningApp:
    """Runs the app of a container, and restarts it only if something about it changed.

    Its environment is the container's, the keys of the task role that ECS provides on AWS, and what
    the runner needs. Raises OpsError if it does not get ready.
    """
    fingerprint = _fingerprint(embedded, container, runner)
    previous = _read(_record(name, directory))
    address = previous.get("address", "")
    unchanged = processes.running(name, directory) and previous.get("fingerprint") == fingerprint
    if unchanged and _gets_ready(address, _PATIENCE_SECONDS):
        return RunningApp(address, started=False)
    stop_app(name, directory)
    wanted = int(address.rpartition(":")[2] or 0)
    variables = variables_of(embedded, container, region)
    # No other checkout may start an app between the choice of a port and the app's first answer there: of
    # two that chose the same port, the one that fails would count as ready, since the other one answers.
    with directory_locked(Path(tempfile.gettempdir())):
        address = _start(name, directory, runner, variables, wanted, fingerprint)
    return RunningApp(address, started=True)


def _start(
    name: str,
    directory: Path,
    runner: Runner,
    variables: Mapping[str, str],
    wanted: int,
    fingerprint: str,
) -> str:
    """Starts an app on the wanted port, if it is free, waits until it is ready, and returns its address."""
    log = directory / "logs" / f"{name}.log"
    tries = _TRIES
    while True:
        port = free_port(wanted or contract.PORT, contract.PORT)
        address = f"http://{HOST}:{port}"
        program = runner.program(port, variables)
        traces = {"address": address, "fingerprint": fingerprint, **_traces(runner)}
        _write(_record(name, directory), traces)
        pid = processes.start(
            name, program.command, directory=directory, log=log, environment=program.environment
        )
        try:
            _wait(name, directory, pid, address, log)
            return address
        except _EndedError:
            tries -= 1
            # Another program on this machine may have taken the port since it was found free.
            if not tries or free_port(port) == port:
                raise


class _EndedError(OpsError):
    """An app ended before it was ready."""


def stop_app(name: str, directory: Path) -> bool:
    """Stops an app, and removes its container if it has one; returns False if it did not run.

    The engine comes first, since a container can outlive the command that runs it.
    """
    traces = _read(_record(name, directory))
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


def _traces(runner: Runner) -> dict[str, str]:
    """Returns what `stop_app` needs to know."""
    if not isinstance(runner, ContainerRunner):
        return {}
    engine = runner.engine
    return {"container": runner.name, "engine": engine.kind, "executable": engine.executable}


def _wait(name: str, directory: Path, pid: int, address: str, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    status: int | None = None
    while time.monotonic() < deadline:
        if processes.running(name, directory) != pid:
            raise _EndedError(
                f"The app ended as soon as it was started: {processes.last_line(log)}\nLog: {log}"
            )
        status = _status(address, contract.READY_PATH)
        if status == 200:
            return
        time.sleep(0.1)
    stop_app(name, directory)
    answer = f"answers {status}" if status else "does not answer"
    raise OpsError(
        f"The app does not get ready: {address}{contract.READY_PATH} {answer} after "
        f"{_READY_SECONDS:.0f} s: {processes.last_line(log)}\nLog: {log}"
    )


def _gets_ready(address: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _status(address, contract.READY_PATH) != 200:
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.2)
    return True


def _secret(embedded: Embedded, keys: Credentials, environment: Environment, reference: str) -> str:
    """Returns the value that a container's `valueFrom` refers to, read with some keys.

    Source of its forms: Amazon ECS API Reference, "Secret".
    """
    if ":secretsmanager:" in reference:
        # arn:aws:secretsmanager:region:account:secret:name[:json-key:version-stage:version-id]
        parts = reference.split(":")
        key, stage, version = [*parts[7:], "", "", ""][:3]
        client = isolated_client("secretsmanager", parts[3], embedded.endpoint, keys)
        wanted = {"SecretId": ":".join(parts[:7]), "VersionStage": stage, "VersionId": version}
        text = client.get_secret_value(**{name: value for name, value in wanted.items() if value})[
            "SecretString"
        ]
        return str(json.loads(text)[key] if key else text)
    region, name = environment.region, reference
    if reference.startswith("arn:"):
        _, _, _, region, _, resource = reference.split(":", 5)
        name = "/" + resource.removeprefix("parameter/").removeprefix("/")
    ssm = isolated_client("ssm", region, embedded.endpoint, keys)
    found = ssm.get_parameters(Names=[name], WithDecryption=True)["Parameters"]
    if not found:
        raise OpsError(f"SSM has no parameter {name} in {region}, which the task definition refers to.")
    return str(found[0]["Value"])


def _fingerprint(embedded: Embedded, container: Container, runner: Runner) -> str:
    """Returns a hash that changes if the app needs a restart, with its settings, code, image or endpoint."""
    configuration = (runner.identity, embedded.endpoint, container.task_definition, *_sorted(container))
    return hashlib.sha256(json.dumps(configuration).encode()).hexdigest()


def _sorted(container: Container) -> list[tuple[str, str]]:
    return sorted({**container.variables, **container.secrets}.items())


def _status(address: str, path: str) -> int | None:
    """Returns the HTTP status that an address answers with, or None if it does not answer."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


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


def _record(name: str, directory: Path) -> Path:
    return directory / f"{name}.json"


def _read(record: Path) -> dict[str, str]:
    try:
        content: dict[str, str] = json.loads(record.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content


def _write(record: Path, content: Mapping[str, str]) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    aside = record.with_suffix(".new")
    aside.write_text(json.dumps(content))
    aside.replace(record)
