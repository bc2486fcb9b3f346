"""The tables of a service in `environments/*.toml`."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from stacks.page_settings import Page, ServiceRow
from stacks.values import (
    Action,
    Cidr,
    Cidrs,
    ContainerPath,
    DomainName,
    HealthPath,
    HealthStatus,
    Name,
    Percentage,
    PinnedImage,
    RepositoryPath,
    RequestPath,
    ResourceArn,
    Schedule,
    SecretReference,
    Table,
    TimeZone,
    Use,
    User,
    VariableName,
    frozen,
    nothing,
    unique,
)


def _listed(value: object) -> object:
    """Lets one value stand for a list of one."""
    return (value,) if isinstance(value, str) else value


Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]
Command = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False, min_length=1)]

Variables = Annotated[Mapping[VariableName, str], AfterValidator(frozen)]


class ScheduledScaling(Table):
    """`[[services.<name>.scaling.schedule]]`"""

    at: Schedule = Field(description='when, such as "0 20 * * 1-5"')
    timezone: TimeZone = "Etc/UTC"
    """Time zone of `at`."""
    min_capacity: Annotated[int, Field(ge=0, le=1000)] = Field(description="fewest tasks from then on")
    max_capacity: Annotated[int, Field(ge=0, le=1000)] = Field(description="most tasks from then on")


class Scaling(Table):
    """`[services.<name>.scaling]`"""

    min_capacity: Annotated[int, Field(ge=0, le=1000)] = 2
    """Fewest tasks; 0 only for a worker that scales by a queue."""
    max_capacity: Annotated[int, Field(ge=1, le=1000)] = 4
    """Most tasks."""
    cpu_percent: Percentage = 60
    """Average CPU use that scaling aims at, 10 to 90; 0 leaves CPU out."""
    memory_percent: Percentage = 75
    """Average memory use that scaling aims at, 10 to 90; 0 leaves memory out."""
    requests_per_target: Annotated[int, Field(ge=0)] = 0
    """Requests per task and minute that scaling aims at; 0 leaves requests out."""
    queue: Name | None = None
    """Queue whose backlog a worker scales by, one of those that it uses."""
    messages_per_task: Annotated[int, Field(ge=1, le=100_000)] = 10
    """Messages in the queue per task that scaling aims at."""
    schedule: Annotated[tuple[ScheduledScaling, ...], Field(strict=False)] = ()
    """Other limits from certain times on, such as none at night."""


class HealthCheck(Table):
    """`[services.<name>.health_check]`: the load balancer's."""

    interval: Annotated[int, Field(ge=5, le=300)] = 10
    """Seconds between checks."""
    timeout: Annotated[int, Field(ge=2, le=60)] = 5
    """Seconds until a check has failed; less than `interval`."""
    healthy_threshold: Annotated[int, Field(ge=2, le=10)] = 2
    """Successes until a task gets requests."""
    unhealthy_threshold: Annotated[int, Field(ge=2, le=10)] = 3
    """Failures until it gets none."""
    grace_period: Annotated[int, Field(ge=0, le=7200)] = 30
    """Seconds after a task's start in which failures do not count."""


class ContainerHealth(Table):
    """`[services.<name>.container_health]`: what ECS runs in the container to see whether it works."""

    command: Command = Field(description="a command whose exit status is 0 while the container is healthy")
    interval: Annotated[int, Field(ge=5, le=300)] = 30
    """Seconds between checks."""
    timeout: Annotated[int, Field(ge=2, le=60)] = 5
    """Seconds until a check has failed."""
    retries: Annotated[int, Field(ge=1, le=10)] = 3
    """Failures until the container is unhealthy."""
    start_period: Annotated[int, Field(ge=0, le=300)] = 30
    """Seconds after the start in which failures do not count."""


class Permission(Table):
    """`[[services.<name>.permissions]]`: what the service may do in AWS beyond what `uses` gives it."""

    actions: Annotated[tuple[Action, ...], Field(strict=False, min_length=1), AfterValidator(unique)] = Field(
        description="actions of IAM"
    )
    resources: Annotated[tuple[ResourceArn, ...], Field(strict=False, min_length=1)] = Field(
        description="ARNs that they may be done on"
    )


class Egress(Table):
    """`[[services.<name>.egress]]`: where tasks may connect to, beyond HTTPS and what `uses` opens."""

    port: Annotated[int, Field(ge=1, le=65535)] = Field(description="a TCP port")
    cidr: Cidr = Field(description='an IPv4 CIDR such as "0.0.0.0/0"')


class Local(Table):
    """`[services.<name>.local]`: how a desk without a container engine runs it."""

    command: Command = Field(description='a command; "{port}" in it stands for the port to listen on')
    working_directory: RepositoryPath = "."
    """Where the command runs, from the root of the repository."""


class Container(Table):
    """What a service and a sidecar have in common."""

    dockerfile: RepositoryPath | None = None
    """Dockerfile that its image is built from, from the root of the repository."""
    context: RepositoryPath | None = None
    """Folder that the build sees, by default that of the Dockerfile."""
    target: Annotated[str, Field(min_length=1)] | None = None
    """Stage of the Dockerfile, by default the last."""
    build_args: Variables = Field(default_factory=nothing)
    """Arguments of the build. They can be read from the image: no place for secrets."""
    image: PinnedImage | None = None
    """Image of somebody else, by digest."""
    same_image_as: Name | None = None
    """Service whose image it runs, too: it has none of its own and is released with that one."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """TCP port that it listens on, by default 8080 for a web service; the container has it as PORT."""
    command: Texts = ()
    """Command, by default the image's."""
    entry_point: Texts = ()
    """Entry point, by default the image's."""
    user: User | None = None
    """User, or user and group, by default the image's."""
    working_directory: ContainerPath | None = None
    """Working directory, by default the image's."""
    environment: Variables = Field(default_factory=nothing)
    """Plain variables by name."""
    env_file: RepositoryPath | None = None
    """File of further plain variables, `NAME=value` on each line, beside the settings."""
    secrets: Annotated[
        Mapping[VariableName, Annotated[SecretReference, BeforeValidator(SecretReference.parse)]],
        AfterValidator(frozen),
    ] = Field(default_factory=nothing)
    """Secret variables by name, each a reference: `ssm:/path` or `secretsmanager:name#key`."""
    container_health: ContainerHealth | None = None
    """Without it, a container counts as healthy while it runs."""
    read_only_root: bool = True
    """Whether the container's root file system is read-only."""
    writable_paths: Annotated[tuple[ContainerPath, ...], Field(strict=False), AfterValidator(unique)] = ()
    """Paths on a volume of the task's own that stay writable."""
    capabilities: Literal["none", "default"] = "none"
    """Linux capabilities: none, or those that Docker gives a container."""
    stop_timeout: Annotated[int, Field(ge=10, le=120)] = 30
    """Seconds between SIGTERM and SIGKILL."""


class Sidecar(Container):
    """`[services.<name>.sidecars.<sidecar>]`: another container in each task of the service."""

    essential: bool = True
    """Whether the task ends with it."""


class Service(Container):
    """`[services.<name>]`"""

    enabled: bool = True
    """Whether the environment has it."""
    kind: Literal["web", "worker", "job", "status"] = "web"
    """Answers requests; works by itself; runs at times; or OakTree's own status app."""
    cpu: int = 256
    """CPU units; 1024 are one vCPU."""
    memory: int = 512
    """Memory in MiB."""
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    """Processor the image is built for."""
    ephemeral_storage: Annotated[int, Field(ge=21, le=200)] | None = None
    """Disk of a task in GiB, 21 to 200; by default the 20 that cost nothing."""
    scaling: Scaling = Scaling()
    spot_percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Share of tasks on Fargate Spot, for a service beyond its first two; 100 puts those there, too."""
    uses: Annotated[
        tuple[Annotated[Use, BeforeValidator(Use.parse)], ...], Field(strict=False), AfterValidator(unique)
    ] = ()
    """What it connects to: it gets the variables, and the way there is opened."""
    permissions: Annotated[tuple[Permission, ...], Field(strict=False)] = ()
    """What it may do in AWS beyond that."""
    egress: Annotated[tuple[Egress, ...], Field(strict=False), AfterValidator(unique)] = ()
    """Where its tasks may connect to beyond HTTPS and `uses`."""
    sidecars: Annotated[Mapping[Name, Sidecar], AfterValidator(frozen)] = Field(default_factory=nothing)
    """Other containers in each task."""
    target_container: Name | None = None
    """Sidecar that the requests go to, by default the service's own container."""
    exec: bool = False
    """Whether `aws ecs execute-command` opens a shell in a task."""
    before_deploy: Texts = ()
    """Command that a task of the new image runs before each deployment."""
    local: Local | None = None
    row: ServiceRow = ServiceRow()
    """How the status page shows it."""

    internal: bool = False
    """Whether only services that use it reach it, and no load balancer."""
    load_balancer: Literal["shared", "own"] = "shared"
    """The environment's load balancer, or one of its own."""
    domain: Annotated[
        tuple[DomainName, ...], BeforeValidator(_listed), Field(strict=False), AfterValidator(unique)
    ] = ()
    """Domain, or list of domains, that it answers under; by default the load balancer's."""
    hosted_zone: DomainName | None = None
    """Public Route 53 zone that `domain` is in, by default the load balancer's."""
    path: RequestPath = "/"
    """Beginning of the paths that it answers."""
    allowed_cidrs: Cidrs | None = None
    """Who may reach it, of those who may reach the load balancer."""
    stickiness: Annotated[int, Field(ge=0, le=604_800)] = 0
    """Seconds for which a client stays with the same task; 0 for any task."""
    health_path: HealthPath = "/"
    """Path that the load balancer asks to see whether a task works."""
    health_status: HealthStatus = "200-399"
    """HTTP status codes of a task that works."""
    health_check: HealthCheck = HealthCheck()
    deregistration_delay: Annotated[int, Field(ge=0, le=3600)] = 10
    """Seconds a task that is going away is given for requests in flight."""
    version_path: HealthPath | None = None
    """Path whose answer contains the commit of the release, for the smoke test."""

    schedule: Schedule | None = None
    """When a job runs: `rate(1 hour)`, `cron(0 3 * * ? *)`, `@daily` or five-field cron."""
    timezone: TimeZone = "Etc/UTC"
    """Time zone of `schedule`."""
    timeout: Annotated[int, Field(ge=60, le=604_800)] = 3600
    """Seconds after which a run of a job is ended."""
    retries: Annotated[int, Field(ge=0, le=10)] = 0
    """How often a job that failed is run again."""
    overlap: bool = False
    """Whether a run of a job begins while the previous one is not done."""

    keep_alive: Annotated[int, Field(ge=1, le=7200)] = 75
    """Seconds until the status app closes an idle connection; more than `idle_timeout`."""
    page: Page = Page()
    """The status page itself."""
    token_over_http: bool = False
    """Whether clients may send the status app's token over plain HTTP, where others can read it."""
