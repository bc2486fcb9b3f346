"""What the embedded ECS would run for a service: the containers of its task definition, with secrets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from botocore.exceptions import ClientError

from ops.core.clients import Credentials, isolated_client
from ops.core.ecs import read_service
from ops.core.errors import OpsError
from ops.local.embedded import Embedded
from stacks.naming import base, service_name
from stacks.settings import Environment, Project


@dataclass(frozen=True)
class Container:
    """A container of the task definition that an ECS service runs, with its secrets resolved."""

    task_definition: str
    task_role: str
    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    definition: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Its definition. Source: Amazon ECS API Reference, ContainerDefinition."""

    memory: int = 512
    """Memory of the task in MiB."""

    def __repr__(self) -> str:
        return f"Container({self.task_definition!r})"


def read_container(
    embedded: Embedded, project: Project, environment: Environment, service: str, name: str = ""
) -> Container:
    """Returns a container that the embedded ECS should run for a service: its own, or a sidecar.

    Raises OpsError if ECS has no such service or container.
    """
    wanted = name or service
    ecs = embedded.client("ecs", environment.region, environment.account_id)
    cluster = base(project.name, environment.name)
    called = service_name(project.name, environment.name, service)
    found = read_service(ecs, cluster, called)
    if found is None:
        raise OpsError(f"The ECS cluster {cluster} of the embedded AWS has no service {called}.")
    return container_of(embedded, environment, found.task_definition, wanted)


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
    try:
        keys = embedded.assume(role)
        secrets = {
            item["name"]: _secret(embedded, keys, environment, item["valueFrom"])
            for item in container.get("secrets", ())
        }
    except ClientError as error:
        raise OpsError(f"ECS could not start a task of {arn}: as {role}: {error}") from None
    return Container(
        task_definition=arn,
        task_role=definition["taskRoleArn"],
        variables={item["name"]: item["value"] for item in container.get("environment", ())},
        secrets=secrets,
        definition=MappingProxyType(container),
        memory=int(definition.get("memory") or 512),
    )


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
