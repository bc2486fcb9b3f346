"""OakTree's own app as the stacks know it: the only module of them that reads the app's contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from stacks import naming
from stacks.containers import Container, Reference
from stacks.service_settings import ContainerHealth
from stacks.settings import Environment, Project
from webapp import contract
from webapp.contract import COMPONENTS, Component, Grant, Kind, Resource

__all__ = ["STATUS", "Grant", "Program", "Resource", "status_container"]

_SECONDS_KEPT_FOR_STOPPING: Final = 5
"""Of the stop timeout, what the status app does not spend on requests in flight."""


@dataclass(frozen=True, slots=True)
class Program:
    """The status app: what its image holds, whichever service and environment runs it."""

    port: int
    """TCP port that it listens on."""
    health_path: str
    """Answers 200 while the process is alive; the load balancer asks here."""
    command: tuple[str, ...]
    health_command: tuple[str, ...]
    """Run inside the container: exit status 0 while it is healthy."""
    user: str
    """User and group, by number."""
    heartbeat: int
    """Seconds after which a silent event stream sends something."""
    secrets: frozenset[str]
    """Names of the variables that are given by reference only."""
    tokens: frozenset[str]
    """Those of them that verify a token which clients send with a request."""
    grants: tuple[Grant, ...]
    """What the program asks of AWS."""
    partition_key: str
    sort_key: str
    expiry_attribute: str
    """Attributes of the items in its DynamoDB table."""


STATUS: Final = Program(
    port=contract.PORT,
    health_path=contract.HEALTH_PATH,
    command=contract.COMMAND,
    health_command=contract.HEALTH_COMMAND,
    user=contract.USER,
    heartbeat=contract.HEARTBEAT,
    secrets=contract.secret_names(),
    tokens=contract.TOKENS,
    grants=contract.GRANTS,
    partition_key=contract.PARTITION_KEY,
    sort_key=contract.SORT_KEY,
    expiry_attribute=contract.EXPIRY_ATTRIBUTE,
)
"""The status app. Its grants are also those of the boundary, its keys those of its table."""


def status_container(project: Project, environment: Environment, key: str) -> Container:
    """Returns the container of the app, run by a service of an environment."""
    service = environment.services[key]
    check = service.health_check
    return Container(
        name=key,
        image=None,
        release=key,
        essential=True,
        command=STATUS.command,
        entry_point=(),
        user=STATUS.user,
        working_directory=None,
        port=STATUS.port,
        variables=_variables(project, environment, key),
        secrets=service.secrets,
        health=ContainerHealth(
            command=STATUS.health_command,
            interval=check.interval,
            timeout=check.timeout,
            retries=check.unhealthy_threshold,
            start_period=min(check.grace_period, 300),
        ),
        read_only_root=service.read_only_root,
        writable_paths=service.writable_paths,
        capabilities="none",
        stop_timeout=service.stop_timeout,
    )


def _components(project: Project, environment: Environment, key: str) -> str:
    """Returns what the app watches, as JSON: its own service, table, image and alarms."""
    service = naming.service_name(project.name, environment.name, key)
    table = naming.table_name(project.name, environment)
    alarms = naming.alarm_prefix(project.name, environment.name, key)
    watched = (
        _component(f"services.{key}", Kind.WEB, key, "Services", service),
        _component("status.table", Kind.STORAGE, "History", "Status page", table, public=False),
        _component("status.image", Kind.IMAGE, "Image", "Status page", service, public=False),
        _component("status.alarms", Kind.ALARMS, "Alarms", "Status page", alarms, public=False),
    )
    return COMPONENTS.dump_json(watched, exclude_none=True).decode()


def _component(
    id: str, kind: Kind, name: str, group: str, resource: str, *, public: bool = True
) -> Component:
    return Component(id=id, kind=kind, name=name, group=group, resource=resource, public=public)


def _variables(project: Project, environment: Environment, key: str) -> Mapping[str, str | Reference]:
    service = environment.services[key]
    known = contract.environment_of(
        contract.Configuration(
            environment=environment.name,
            service=key,
            aws_region=environment.region,
            table=naming.table_name(project.name, environment),
            # Names and no references: the ECS service refers to the task definition with these variables.
            cluster=naming.base(project.name, environment.name),
            components=_components(project, environment, key),
            image=Reference.IMAGE,
            commit=Reference.COMMIT,
            keep_alive=service.keep_alive,
            shutdown_timeout=service.stop_timeout - _SECONDS_KEPT_FOR_STOPPING,
        )
    )
    # A model keeps the text of an enumeration's member and not the member.
    references = {str(reference): reference for reference in Reference}
    return MappingProxyType({name: references.get(value, value) for name, value in known.items()})
