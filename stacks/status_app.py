"""OakTree's own app as the stacks know it: the only module of them that reads the app's contract."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from stacks import naming
from stacks.containers import Addressed, Container, Reference
from stacks.service_settings import ContainerHealth
from stacks.settings import Environment, Project
from webapp import contract
from webapp.contract import Calendar, Component, Grant, Interval, Kind, Resource

__all__ = [
    "STATUS",
    "Calendar",
    "Component",
    "Grant",
    "Interval",
    "Kind",
    "Program",
    "Resource",
    "status_container",
]

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


def status_container(
    project: Project,
    environment: Environment,
    key: str,
    watched: Sequence[Component],
    probes: Addressed,
) -> Container:
    """Returns the container of the app, run by a service of an environment.

    `watched` is what it watches, and `probes` what it asks over HTTP, a JSON object of URLs.
    """
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
        variables=_variables(project, environment, key, watched, probes),
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


def _variables(
    project: Project,
    environment: Environment,
    key: str,
    watched: Sequence[Component],
    probes: Addressed,
) -> Mapping[str, str | Reference | Addressed]:
    service = environment.services[key]
    page = service.page
    known = contract.environment_of(
        contract.Configuration(
            environment=environment.name,
            service=key,
            aws_region=environment.region,
            table=naming.table_name(project.name, environment),
            # Names and no references: the ECS service refers to the task definition with these variables.
            cluster=naming.base(project.name, environment.name),
            components=contract.COMPONENTS.dump_json(tuple(watched), exclude_defaults=True).decode(),
            image=Reference.IMAGE,
            commit=Reference.COMMIT,
            keep_alive=service.keep_alive,
            shutdown_timeout=service.stop_timeout - _SECONDS_KEPT_FOR_STOPPING,
            failure_threshold=page.failure_threshold,
            operator_view=page.operator_view,
            title=page.title,
            logo_url=page.logo or "",
            links=json.dumps([link.model_dump() for link in page.links], separators=(",", ":")),
        )
    )
    # AWS drops an empty variable, and every plan would set it again.
    given = {name: value for name, value in known.items() if value}
    # A model keeps the text of an enumeration's member and not the member.
    references = {str(reference): reference for reference in Reference}
    return MappingProxyType(
        {name: references.get(value, value) for name, value in given.items()} | {"PROBES": probes}
    )
