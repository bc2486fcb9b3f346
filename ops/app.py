"""The app as a process of its own, as the embedded ECS says it is to be run."""

import hashlib
import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ops import processes
from ops.checkout import SOURCE
from ops.embedded import Embedded
from ops.errors import OpsError
from stacks.naming import base, load_balancer_name
from stacks.settings import Environment, Project
from webapp import contract

HOST: Final = "127.0.0.1"
_READY_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Container:
    """A container of the task definition that an ECS service runs, with its secrets resolved."""

    task_definition: str
    task_role: str
    variables: Mapping[str, str]
    secrets: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Container({self.task_definition!r})"


@dataclass(frozen=True)
class RunningApp:
    """An app that answers at an address. `started` says whether it did not run already."""

    address: str
    started: bool


def read_container(embedded: Embedded, project: Project, environment: Environment, service: str) -> Container:
    """What the embedded ECS was told to run for a service. OpsError when it was told nothing."""
    ecs = embedded.client("ecs", environment.region, environment.account_id)
    cluster = base(project.name, environment.name)
    name = load_balancer_name(project.name, environment.name, service)
    found = ecs.describe_services(cluster=cluster, services=[name])["services"]
    if not found:
        raise OpsError(f"The ECS cluster {cluster} of the embedded AWS has no service {name}.")
    definition = ecs.describe_task_definition(taskDefinition=found[0]["taskDefinition"])["taskDefinition"]
    arn = definition["taskDefinitionArn"]
    containers = {container["name"]: container for container in definition["containerDefinitions"]}
    if service not in containers:
        raise OpsError(f"The task definition {arn} has no container {service}, only {', '.join(containers)}.")
    container = containers[service]
    return Container(
        task_definition=arn,
        task_role=definition["taskRoleArn"],
        variables={item["name"]: item["value"] for item in container.get("environment", ())},
        secrets={
            item["name"]: _secret(embedded, environment, item["valueFrom"])
            for item in container.get("secrets", ())
        },
    )


def run_app(
    embedded: Embedded,
    container: Container,
    name: str,
    region: str,
    directory: Path,
    tools: Mapping[str, str],
) -> RunningApp:
    """Have the app of a container run, started anew only when something about it changed.

    Its environment is the container's and nothing else, but for what on AWS comes with a task (keys
    of its role) and what Python needs (`PATH` from `tools`). OpsError when it does not get ready.
    """
    fingerprint = _fingerprint(embedded, container)
    record = directory / f"{name}.json"
    former = _read(record)
    address = former.get("address", "")
    if processes.running(name, directory):
        if former.get("fingerprint") == fingerprint and _status(address, contract.READY_PATH) == 200:
            return RunningApp(address, started=False)
        processes.stop(name, directory)
    former_port = int(address.rpartition(":")[2] or 0)
    port = _free_port(former_port or contract.PORT, contract.PORT)
    address = f"http://{HOST}:{port}"
    log = directory / "logs" / f"{name}.log"
    environment = {
        "PATH": tools.get("PATH", os.defpath),
        "PYTHONPATH": str(SOURCE),
        **embedded.variables(embedded.assume(container.task_role), region),
        **container.variables,
        **container.secrets,
    }
    _write(record, {"address": address, "fingerprint": fingerprint})
    pid = processes.start(
        name,
        (sys.executable, *contract.COMMAND[1:], "--host", HOST, "--port", str(port)),
        directory=directory,
        log=log,
        environment=environment,
    )
    _wait(name, directory, pid, address, log)
    return RunningApp(address, started=True)


def _wait(name: str, directory: Path, pid: int, address: str, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    status: int | None = None
    while time.monotonic() < deadline:
        if processes.running(name, directory) != pid:
            raise OpsError(f"The app ended as soon as it was started: {processes.last_line(log)}\nLog: {log}")
        status = _status(address, contract.READY_PATH)
        if status == 200:
            return
        time.sleep(0.1)
    processes.stop(name, directory)
    answer = f"answers {status}" if status else "does not answer"
    raise OpsError(
        f"The app does not get ready: {address}{contract.READY_PATH} {answer} after "
        f"{_READY_SECONDS:.0f} s: {processes.last_line(log)}\nLog: {log}"
    )


def _secret(embedded: Embedded, environment: Environment, reference: str) -> str:
    """The value that a container's `valueFrom` refers to.

    Source of its forms: Amazon ECS API Reference, "Secret".
    """
    if ":secretsmanager:" in reference:
        # arn:aws:secretsmanager:region:account:secret:name[:json-key:version-stage:version-id]
        parts = reference.split(":")
        key, stage, version = [*parts[7:], "", "", ""][:3]
        client = embedded.client("secretsmanager", parts[3], parts[4])
        wanted = {"SecretId": ":".join(parts[:7]), "VersionStage": stage, "VersionId": version}
        text = client.get_secret_value(**{name: value for name, value in wanted.items() if value})[
            "SecretString"
        ]
        return str(json.loads(text)[key] if key else text)
    region, account_id, name = environment.region, environment.account_id, reference
    if reference.startswith("arn:"):
        _, _, _, region, account_id, resource = reference.split(":", 5)
        name = "/" + resource.removeprefix("parameter/").removeprefix("/")
    ssm = embedded.client("ssm", region, account_id)
    return str(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])


def _fingerprint(embedded: Embedded, container: Container) -> str:
    """Changes when the app has to be started anew: with its configuration, code, or endpoint."""
    digest = hashlib.sha256()
    configuration = (embedded.endpoint, container.task_definition, *_sorted(container))
    digest.update(json.dumps([sys.executable, *configuration]).encode())
    for file in sorted((SOURCE / "webapp").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"\0{file.relative_to(SOURCE)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _sorted(container: Container) -> list[tuple[str, str]]:
    return sorted({**container.variables, **container.secrets}.items())


def _status(address: str, path: str) -> int | None:
    """The HTTP status that an address answers with, or None when it does not answer."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _free_port(*wanted: int) -> int:
    """The first of the wanted ports that nobody listens on, or any other."""
    for port in (*wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OpsError(f"No free port on {HOST}.")


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
