"""The typed contract of `environments/*.toml`.

`project.toml` says what all environments share; every other file is one environment, named like
the file, and says what is different there. A setting is a word, a default and one sentence. Units are
in the sentence; durations are seconds throughout.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from stacks import privatelink
from stacks.problems import nearest
from stacks.regions import PROVIDER, REGIONS

T = TypeVar("T")


def _text(pattern: str, allowed: str) -> AfterValidator:
    """A check of the whole of a text, with the words for a person when it fails."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(allowed)
        return value

    return AfterValidator(check)


def _cidr(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('an IPv4 CIDR in quotes, such as "10.0.0.0/16"')
    try:
        return IPv4Network(value)
    except ValueError:
        raise ValueError(f'an IPv4 CIDR such as "10.0.0.0/16"{_no_cidr(value)}') from None


def _no_cidr(value: str) -> str:
    """Says why a text is no IPv4 CIDR, where there is more to say."""
    if ":" in value:
        return "; IPv6 is not supported"
    try:
        return f'; the network of that address is "{IPv4Network(value, strict=False)}"'
    except ValueError:
        return ""


def _percentage(value: int) -> int:
    if value != 0 and not 10 <= value <= 90:
        raise ValueError("10 to 90 percent, or 0 to leave it out")
    return value


def _region(value: str) -> str:
    if value not in REGIONS:
        raise ValueError(
            f"a region of AWS's commercial partition that provider {PROVIDER} has; {nearest(value, REGIONS)}"
        )
    return value


def _endpoint(value: str) -> str:
    if value in privatelink.GATEWAYS:
        raise ValueError("left out: every VPC has its gateway endpoint, which is free of charge")
    if value not in privatelink.NAMES:
        close = ", ".join(get_close_matches(value, sorted(privatelink.NAMES), cutoff=0.4))
        raise ValueError(f"the name of an interface endpoint, such as {close or 'sqs'}")
    return value


def _project_name(value: str) -> str:
    if value.startswith(("aws", "ssm")) or value in ("sg", "sthree", "internal"):
        raise ValueError(
            "another name: AWS reserves aws and ssm (parameters), sg (security groups), sthree (buckets) "
            "and internal (load balancers) as the beginning of a name"
        )
    return value


def _mount_path(value: str) -> str:
    if {".", ".."} & set(value.split("/")):
        raise ValueError("a path without . and ..")
    return value


def _frozen(value: Mapping[str, T]) -> Mapping[str, T]:
    return MappingProxyType(dict(value))


def _enabled(value: Mapping[str, "Service"]) -> Mapping[str, "Service"]:
    return {name: service for name, service in value.items() if service.enabled}


def _unique(value: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(value)) != len(value):
        raise ValueError("each value once")
    return value


AccountId = Annotated[str, _text(r"\d{12}", "an AWS account id: twelve digits, in quotes")]
Region = Annotated[str, AfterValidator(_region)]
Name = Annotated[
    str,
    _text(
        r"[a-z][a-z0-9]*(-[a-z0-9]+)*",
        "lower-case letters, digits and single hyphens, beginning with a letter",
    ),
]
Cidr = Annotated[IPv4Network, BeforeValidator(_cidr)]
Zone = Annotated[str, _text(r"[a-z]", 'a zone\'s letter, such as "a"')]
DomainName = Annotated[
    str,
    _text(
        r"(?=.{1,64}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
        'a domain such as "www.example.com"',
    ),
]
TagText = Annotated[
    str,
    _text(
        r"[\w .:/=+\-@]{1,256}",
        "1 to 256 of the letters a to z and A to Z, digits, spaces and . : / = + - @ _ (it becomes a tag)",
    ),
]
MountPath = Annotated[
    str, _text(r"(/[\w.-]+)+", "an absolute path within the container"), AfterValidator(_mount_path)
]
Percentage = Annotated[int, AfterValidator(_percentage)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]


class Table(BaseModel):
    """A table of a settings file: frozen, and every unknown key is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        arbitrary_types_allowed=True,
        use_attribute_docstrings=True,
    )


class SecretReference(BaseModel):
    """Where a secret is kept; its value is never read here."""

    model_config = ConfigDict(frozen=True)

    store: Literal["ssm", "secretsmanager"]
    """AWS Systems Manager Parameter Store or AWS Secrets Manager."""

    name: str
    """The parameter's path, or the secret's name."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read `ssm:/path/of/parameter` or `secretsmanager:name`; ValueError says what is allowed."""
        if isinstance(value, str):
            if match := re.fullmatch(r"ssm:((?!/aws|/ssm)(?:/[\w.-]+)+)", value):
                return cls(store="ssm", name=match[1])
            if match := re.fullmatch(r"secretsmanager:([\w/+=.@-]{1,512})", value):
                return cls(store="secretsmanager", name=match[1])
        raise ValueError(
            'a reference, never the secret itself: "ssm:/path/of/parameter" or "secretsmanager:name"'
        )


class Project(Table):
    """`project.toml`: what all environments share, without the tables that are defaults of an environment."""

    name: Annotated[Name, Field(max_length=12), AfterValidator(_project_name)] = Field(
        description="the project's name; it begins every name"
    )
    repository: Annotated[
        str, _text(r"(?=.{1,256}$)[\w.-]+/[\w.-]+", 'a GitHub repository such as "owner/name"')
    ] = Field(description='the GitHub repository that may deploy, "owner/name"')
    repository_owner_id: Annotated[int, Field(ge=1)] | None = None
    """GitHub's id of the repository's owner; with both ids, roles also trust immutable subject claims."""
    repository_id: Annotated[int, Field(ge=1)] | None = None
    """GitHub's id of the repository."""
    account_id: AccountId = Field(
        description="the AWS account of registry and state, twelve digits in quotes"
    )
    region: Region = Field(description="the AWS region of registry and state")
    accounts_with_oidc_provider: Annotated[
        tuple[AccountId, ...], Field(strict=False), AfterValidator(_unique)
    ] = ()
    """Accounts that have an OIDC provider of GitHub already: foundations use it and do not manage it."""
    owner: TagText = Field(description="who answers for what all environments share (a tag)")
    cost_centre: TagText = Field(description="who pays for what all environments share (a tag)")
    protected: bool = True
    """State bucket and registry cannot be destroyed while this is set."""
    untagged_image_days: Annotated[int, Field(ge=1, le=365)] = 14
    """Days after which an image without a tag expires."""
    state_version_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days for which former versions of a state are kept."""


class Network(Table):
    """`[network]`"""

    cidr: Cidr = Field(
        description='the VPC\'s IPv4 CIDR, such as "10.0.0.0/16", shared with no other environment'
    )
    availability_zones: Annotated[tuple[Zone, ...], Field(strict=False), AfterValidator(_unique)] = ("a", "b")
    """Letters of the zones; append to it to grow. The first has the gateway of `nat = "single"`."""
    zone_slots: Literal[2, 4, 8] = 4
    """Zones the addresses are planned for, from `a` on; changing it later moves every subnet."""
    nat: Literal["none", "single", "per-zone"] = "single"
    """NAT gateways; with `none`, tasks reach AWS through `endpoints` only."""
    endpoints: Annotated[tuple[Endpoint, ...], Field(strict=False), AfterValidator(_unique)] = ()
    """AWS services with an interface endpoint in the VPC. S3 and DynamoDB always have a gateway endpoint."""
    flow_logs: Literal["off", "rejected", "all"] = "rejected"
    """Traffic that is recorded in CloudWatch Logs."""


class Scaling(Table):
    """`[services.<name>.scaling]`"""

    min_capacity: Annotated[int, Field(ge=1, le=1000)] = 2
    """Fewest tasks."""
    max_capacity: Annotated[int, Field(ge=1, le=1000)] = 4
    """Most tasks."""
    cpu_percent: Percentage = 60
    """Average CPU use that scaling aims at, 10 to 90; 0 leaves CPU out."""
    memory_percent: Percentage = 75
    """Average memory use that scaling aims at, 10 to 90; 0 leaves memory out."""
    requests_per_target: Annotated[int, Field(ge=0)] = 0
    """Requests per task and minute that scaling aims at; 0 leaves requests out."""


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


class Service(Table):
    """`[services.<name>]`: a load-balanced web service."""

    enabled: bool = True
    """Whether the environment has it."""
    cpu: int = 256
    """CPU units; 1024 are one vCPU."""
    memory: int = 512
    """Memory in MiB."""
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    """Processor the image is built for."""
    scaling: Scaling = Scaling()
    spot_percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Share of tasks on Fargate Spot, beyond the first two; 100 puts those there, too."""
    domain: DomainName | None = None
    """Name under which the service is reached over HTTPS; without it, HTTP under the load balancer's name."""
    hosted_zone: DomainName | None = None
    """Public Route 53 zone that `domain` is in."""
    token_over_http: bool = False
    """Whether clients may send the app's token over plain HTTP; without a `domain` there is no other way."""
    allowed_cidrs: Annotated[tuple[Cidr, ...], Field(strict=False, min_length=1), AfterValidator(_unique)] = (
        IPv4Network("0.0.0.0/0"),
    )
    """Who may reach the load balancer; the default of a Terraform variable."""
    health_check: HealthCheck = HealthCheck()
    idle_timeout: Annotated[int, Field(ge=1, le=4000)] = 60
    """Seconds until the load balancer closes an idle connection."""
    keep_alive: Annotated[int, Field(ge=1, le=7200)] = 75
    """Seconds until the app closes an idle connection; more than `idle_timeout`."""
    deregistration_delay: Annotated[int, Field(ge=0, le=3600)] = 10
    """Seconds a task that is going away is given for requests in flight."""
    stop_timeout: Annotated[int, Field(ge=10, le=120)] = 30
    """Seconds between SIGTERM and SIGKILL."""
    exec: bool = False
    """Whether `aws ecs execute-command` opens a shell in a task."""
    read_only_root: bool = True
    """Whether the container's root file system is read-only."""
    writable_paths: Annotated[tuple[MountPath, ...], Field(strict=False), AfterValidator(_unique)] = ()
    """Paths on a volume of the task's own that stay writable."""
    secrets: Annotated[
        Mapping[str, Annotated[SecretReference, BeforeValidator(SecretReference.parse)]],
        AfterValidator(_frozen),
    ] = Field(default_factory=lambda: MappingProxyType({}))
    """Secrets of the app by name, each a reference: `ssm:/path` or `secretsmanager:name`."""


class Data(Table):
    """`[data]`: the app's DynamoDB table."""

    table: Name = "status"
    """The table's name, after project and environment."""
    point_in_time_recovery: bool = True
    """Whether the table can be restored to any second of the last 35 days."""
    deletion_protection: bool = False
    """Whether DynamoDB refuses to delete the table."""


class Logs(Table):
    """`[logs]`"""

    retention_days: Literal[
        1,
        3,
        5,
        7,
        14,
        30,
        60,
        90,
        120,
        150,
        180,
        365,
        400,
        545,
        731,
        1096,
        1827,
        2192,
        2557,
        2922,
        3288,
        3653,
    ] = 30
    """Days for which log groups keep their events."""


class Alarms(Table):
    """`[alarms]`"""

    email: Annotated[str, _text(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")] | None = None
    """Who is told; without it the alarms' topic has no subscriber yet."""


class Environment(Table):
    """One environment: `<name>.toml`."""

    name: Annotated[Name, Field(max_length=10)]
    """The file's name; not a key of the file."""
    account_id: AccountId = Field(description="the AWS account it lives in, twelve digits in quotes")
    region: Region = Field(description="the AWS region it lives in")
    owner: TagText = Field(description="who answers for it (a tag)")
    cost_centre: TagText = Field(description="who pays for it (a tag)")
    protected: bool = False
    """Whether what holds data, and the load balancer, refuse to be destroyed."""
    network: Network = Field(description="at least its `cidr`")
    services: Annotated[Mapping[Name, Service], AfterValidator(_enabled), AfterValidator(_frozen)] = Field(
        description="at least one service, such as [services.web]"
    )
    """Those that are enabled."""
    data: Data = Data()
    logs: Logs = Logs()
    alarms: Alarms = Alarms()


class Platform(BaseModel):
    """Everything the settings files say: the project, and its environments by name in sorted order."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    project: Project
    environments: Annotated[Mapping[str, Environment], AfterValidator(_frozen)]
    inherited: Annotated[Mapping[str, frozenset[tuple[str, ...]]], AfterValidator(_frozen)] = Field(
        default_factory=lambda: MappingProxyType({})
    )
    """By environment, the keys whose values stand in `project.toml`."""

    def file_of(self, environment: str, *key: str) -> str:
        """Returns the file that sets a key of an environment; its own if no file does."""
        return "project.toml" if key in self.inherited.get(environment, ()) else f"{environment}.toml"

    def account_ids(self) -> tuple[str, ...]:
        """Accounts in use, the project's own first, the others sorted."""
        others = {environment.account_id for environment in self.environments.values()}
        return (self.project.account_id, *sorted(others - {self.project.account_id}))
