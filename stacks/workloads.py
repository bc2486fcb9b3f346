"""What the stacks need to know of a container: its names, its program, its variables, its grants.

The only module of the stacks that reads `webapp.contract`. Nothing behind it knows where a workload
comes from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from stacks import naming
from stacks.settings import Environment, Project, Scaling, SecretReference, Service
from webapp import contract
from webapp.contract import Grant, Resource

__all__ = ["STATUS", "Grant", "Program", "Reference", "Resource", "Workload", "program_of", "workloads"]

_SECONDS_KEPT_FOR_STOPPING: Final = 5
"""Of the stop timeout, what the app does not spend on requests in flight."""


class Reference(StrEnum):
    """What only Terraform knows of a workload, and a variable of its container may say."""

    IMAGE = "<image>"
    """The released image by digest."""

    COMMIT = "<commit>"
    """The commit that the image was built from."""

    TABLE = "<table>"
    """The name of the environment's DynamoDB table."""

    LOG_GROUP = "<log group>"
    """The name of the log group that the container writes to."""


@dataclass(frozen=True, slots=True)
class Program:
    """What an image holds, whichever service and environment runs it."""

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
"""The status app. Its port, grants and table are also those of the network ACLs, boundary and table."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One service of one environment: settings, program, variables, and every name derived from them."""

    project: Project
    environment: Environment
    key: str
    """The service's name in the settings; it begins the Terraform names of what the service needs."""
    settings: Service
    program: Program
    variables: Mapping[str, str | Reference]
    """Plain environment variables by name; a `Reference` stands for what only Terraform knows."""

    @property
    def secrets(self) -> Mapping[str, SecretReference]:
        """Secret environment variables by name, each where its value is kept."""
        return self.settings.secrets

    @property
    def scaling(self) -> Scaling:
        """How many tasks there are, and what decides it."""
        return self.settings.scaling

    @property
    def name(self) -> str:
        """The name of load balancer and ECS service, and the family of the task definition."""
        return naming.load_balancer_name(self.project.name, self.environment.name, self.key)

    def target_group(self, immutable: str, vpc_id: str) -> str:
        """The name of the target group, which changes with what AWS cannot change in place."""
        project, environment = self.project.name, self.environment.name
        return naming.target_group_name(project, environment, self.key, immutable, vpc_id)

    @property
    def cluster(self) -> str:
        """The name of the ECS cluster that its tasks run in."""
        return naming.base(self.project.name, self.environment.name)

    @property
    def alarm_prefix(self) -> str:
        """What the names of its alarms begin with."""
        return naming.alarm_prefix(self.project.name, self.environment.name, self.key)

    @property
    def log_group(self) -> str:
        """The name of the CloudWatch log group that it writes to."""
        return naming.log_group(self.project.name, self.environment.name, self.key)

    @property
    def execution_role(self) -> str:
        """The name of the role that starts its tasks."""
        return naming.role_name(self.project.name, self.environment.name, f"{self.key}-execution")

    @property
    def task_role(self) -> str:
        """The name of the role that its container acts as."""
        return naming.role_name(self.project.name, self.environment.name, f"{self.key}-task")

    @property
    def repository(self) -> str:
        """The ECR repository of its images, with the registry."""
        repository = naming.repository_name(self.project, self.key)
        return f"{naming.registry(self.project)}/{repository}"

    @property
    def repository_arn(self) -> str:
        """The ARN of the ECR repository of its images."""
        return naming.repository_arn(self.project, self.key)

    @property
    def release_parameter(self) -> str:
        """The SSM parameter that holds its release record."""
        return naming.release_parameter(self.project, self.environment.name, self.key)


def workloads(project: Project, environment: Environment) -> tuple[Workload, ...]:
    """Returns every workload of an environment, in the order of its settings."""
    return tuple(
        Workload(
            project=project,
            environment=environment,
            key=key,
            settings=service,
            program=program_of(service),
            variables=_status_variables(project, environment, key),
        )
        for key, service in environment.services.items()
    )


def program_of(service: Service) -> Program:  # noqa: ARG001 - the status app is the only program so far
    """Returns the program that a service runs."""
    return STATUS


def _status_variables(project: Project, environment: Environment, key: str) -> Mapping[str, str | Reference]:
    service = environment.services[key]
    known = contract.environment_of(
        contract.Configuration(
            environment=environment.name,
            service=key,
            aws_region=environment.region,
            table=Reference.TABLE,
            # Names and no references: the ECS service refers to the task definition with this variable.
            cluster=naming.base(project.name, environment.name),
            ecs_service=naming.load_balancer_name(project.name, environment.name, key),
            alarm_prefix=naming.alarm_prefix(project.name, environment.name, key),
            log_group=Reference.LOG_GROUP,
            image=Reference.IMAGE,
            commit=Reference.COMMIT,
            keep_alive=service.keep_alive,
            shutdown_timeout=service.stop_timeout - _SECONDS_KEPT_FOR_STOPPING,
        )
    )
    # A model keeps the text of an enumeration's member and not the member.
    references = {str(reference): reference for reference in Reference}
    return MappingProxyType({name: references.get(value, value) for name, value in known.items()})
