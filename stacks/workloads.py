"""What the stacks need to know of a service: its names, its containers, its variables, its grants.

A workload comes from the settings or, for `kind = "status"`, from the app's contract. Nothing behind this
module knows which.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

from stacks import components, naming, routing, stores
from stacks.containers import Addressed, Container, Reference, Stored, StoredSecret
from stacks.policies import Statement
from stacks.service_settings import Container as ContainerSettings
from stacks.service_settings import Scaling, Service, Sidecar
from stacks.settings import Environment, Project
from stacks.status_app import STATUS, Grant, status_container
from stacks.stores import Connection
from stacks.values import SecretReference, Use, literal


@dataclass(frozen=True, slots=True)
class Workload:
    """One service of one environment: settings, containers, and every name derived from them."""

    project: Project
    environment: Environment
    key: str
    """The service's name in the settings; it begins the Terraform names of what the service needs."""
    settings: Service
    containers: tuple[Container, ...]
    """Its own first, then its sidecars."""
    grants: tuple[Grant, ...]
    """What the status app asks of AWS; nothing for any other service."""
    connections: tuple[Connection, ...]
    """What it gets for the stores that it uses."""
    health_path: str
    health_status: str
    """What a load balancer asks, and the status codes of a task that works."""

    @property
    def main(self) -> Container:
        """Returns the service's own container."""
        return self.containers[0]

    @property
    def before_deploy(self) -> Container:
        """Returns the container of the task that runs before each deployment."""
        return replace(self.main, command=self.settings.before_deploy, entry_point=(), port=None, health=None)

    @property
    def before_deploy_family(self) -> str:
        """Returns the family of that task's definition."""
        return naming.before_deploy_family(self.project.name, self.environment.name, self.key)

    @property
    def target(self) -> Container:
        """Returns the container that requests go to."""
        wanted = self.settings.target_container or self.key
        return next(container for container in self.containers if container.name == wanted)

    @property
    def port(self) -> int:
        """Returns the TCP port that requests go to.

        Raises ValueError if it takes none: a worker or a job.
        """
        if self.target.port is None:
            raise ValueError(f"{self.key} listens on no port")
        return self.target.port

    @property
    def called(self) -> tuple[str, ...]:
        """Returns the services that it calls by their private names."""
        if self.settings.kind == "status":
            return components.probed_inside(self.environment)
        return tuple(used_services(self.settings.uses))

    @property
    def calls_plain_http(self) -> bool:
        """Returns whether it calls a load balancer without HTTPS."""
        return self.settings.kind == "status" and components.probes_plain_http(self.environment)

    @property
    def balanced(self) -> bool:
        """Returns whether it gets its requests from a load balancer."""
        return routing.is_balanced(self.settings)

    @property
    def shares_balancer(self) -> bool:
        """Returns whether that is the environment's."""
        return self.balanced and self.settings.load_balancer == "shared"

    @property
    def permissions(self) -> tuple[Statement, ...]:
        """Returns what the settings allow it in AWS."""
        return tuple(
            Statement(
                f"Permission{number}", permission.actions, [literal(arn) for arn in permission.resources]
            )
            for number, permission in enumerate(self.settings.permissions, start=1)
        )

    @property
    def repository_arns(self) -> list[str]:
        """Returns the ECR repositories of its images, those of somebody else included."""
        return sorted({arn for each in self.containers if (arn := _repository_arn(self.project, each))})

    @property
    def secrets(self) -> tuple[tuple[str, str, SecretReference], ...]:
        """Returns the secrets that the settings name: container, variable, and where the value is kept."""
        return tuple(
            (container.name, variable, reference)
            for container in self.containers
            for variable, reference in sorted(container.secrets.items())
            if isinstance(reference, SecretReference)
        )

    @property
    def scaling(self) -> Scaling:
        """How many tasks there are, and what decides it."""
        return self.settings.scaling

    @property
    def name(self) -> str:
        """The name of the ECS service, of its own load balancer, and the family of its task definition."""
        return naming.service_name(self.project.name, self.environment.name, self.key)

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


def workloads(project: Project, environment: Environment) -> tuple[Workload, ...]:
    """Returns every workload of an environment, in the order of its settings."""
    return tuple(workload(project, environment, key) for key in environment.services)


def workload(project: Project, environment: Environment, key: str) -> Workload:
    """Returns the workload of one service of an environment."""
    service = environment.services[key]
    if service.kind == "status":
        return Workload(
            project=project,
            environment=environment,
            key=key,
            settings=service,
            containers=(
                status_container(
                    project,
                    environment,
                    key,
                    components.components(project, environment, key),
                    _probes(project, environment),
                ),
            ),
            grants=STATUS.grants,
            connections=(),
            health_path=STATUS.health_path,
            health_status="200",
        )
    connected = stores.connections(project, environment, service.uses)
    return Workload(
        project=project,
        environment=environment,
        key=key,
        settings=service,
        containers=tuple(_containers(project, environment, key, connected)),
        grants=(),
        connections=connected,
        health_path=service.health_path,
        health_status=service.health_status,
    )


def _probes(project: Project, environment: Environment) -> Addressed:
    """Returns what a status app asks over HTTP: URLs by the ids of components, in JSON."""
    urls = {word: probe.url for word, probe in components.probes(project, environment).items()}
    asked = {key: components.balancer_name(key) for key in ("", *environment.services)}
    text = json.dumps(urls, separators=(",", ":"))
    return Addressed(text, {key: name for key, name in asked.items() if name in text})


def _containers(
    project: Project, environment: Environment, key: str, connected: Iterable[Connection]
) -> Iterator[Container]:
    service = environment.services[key]
    uses: dict[str, str | Stored] = dict(_uses_variables(project, environment, service.uses))
    kept: dict[str, SecretReference | StoredSecret] = {}
    for connection in connected:
        uses.update(connection.variables)
        kept.update(connection.secrets)
    for name, settings in ((key, service), *service.sidecars.items()):
        port = routing.port_of(service) if settings is service else settings.port
        image, release = _source(environment, naming.image_name(key, name), settings)
        given = _given_variables(environment, key, port, released=release is not None)
        yield Container(
            name=name,
            image=image,
            release=release,
            essential=settings.essential if isinstance(settings, Sidecar) else True,
            command=settings.command,
            entry_point=settings.entry_point,
            user=settings.user,
            working_directory=settings.working_directory,
            port=port,
            # What the settings say of a variable goes before what OakTree gives.
            variables=MappingProxyType(
                {
                    **{
                        name: value for name, value in (*given, *uses.items()) if name not in settings.secrets
                    },
                    **settings.environment,
                }
            ),
            secrets=MappingProxyType(
                {
                    **{name: value for name, value in kept.items() if name not in settings.environment},
                    **settings.secrets,
                }
            ),
            health=settings.container_health,
            read_only_root=settings.read_only_root,
            writable_paths=settings.writable_paths,
            capabilities=settings.capabilities,
            stop_timeout=settings.stop_timeout,
        )


def _repository_arn(project: Project, container: Container) -> str | None:
    if container.release:
        return naming.repository_arn(project, container.release)
    return naming.arn_of_ecr_image(container.image or "")


def _source(
    environment: Environment, name: str, settings: ContainerSettings
) -> tuple[str | None, str | None]:
    """Returns the image of somebody else that a container runs, or the released image's name."""
    if settings.same_image_as:
        owner = environment.services[settings.same_image_as]
        return owner.image, None if owner.image else settings.same_image_as
    return settings.image, None if settings.image else name


def _given_variables(
    environment: Environment, key: str, port: int | None, *, released: bool
) -> Iterator[tuple[str, str | Reference]]:
    """Yields the variables that every container has."""
    yield "ENVIRONMENT", environment.name
    yield "SERVICE", key
    yield "AWS_REGION", environment.region
    if port:
        yield "PORT", str(port)
    if released:
        yield "IMAGE", Reference.IMAGE
        yield "COMMIT", Reference.COMMIT


def _uses_variables(
    project: Project, environment: Environment, uses: Iterable[Use]
) -> Iterator[tuple[str, str]]:
    """Yields the variables that connect a service with the services that it uses."""
    for name in used_services(uses):
        host = naming.internal_name(project.name, environment.name, name)
        yield (
            naming.variable(name, "url"),
            f"http://{host}:{routing.address_port(environment.services[name])}",
        )


def used_services(uses: Iterable[Use]) -> Iterator[str]:
    """Yields the services among what a service uses."""
    for use in uses:
        if use.kind == "services":
            yield use.name


def in_order_of_use(environment: Environment) -> tuple[str, ...]:
    """Returns the services of an environment so that each comes after those it uses, status apps last."""
    found: dict[str, None] = {}

    def add(name: str) -> None:
        for used in used_services(environment.services[name].uses):
            if used in environment.services and used not in found:
                add(used)
        found[name] = None

    for name in environment.services:
        if name not in found:
            add(name)
    return tuple(sorted(found, key=lambda name: environment.services[name].kind == "status"))
