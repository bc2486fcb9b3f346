"""The typed contract of `environments/*.toml`.

`project.toml` says what all environments share; every other file is one environment, named like
the file, and says what is different there. A setting is a word, a default and one sentence. Units are
in the sentence; durations are seconds throughout.
"""

from collections.abc import Mapping
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from stacks.addressing import Tier
from stacks.alarm_settings import Alarms
from stacks.service_settings import Service
from stacks.store_settings import Bucket, Cache, Database, KeyValueTable, Queue, Topic, Volume
from stacks.values import (
    AccountId,
    Cidr,
    Cidrs,
    DomainName,
    Endpoint,
    Name,
    Region,
    SubnetId,
    Table,
    TagText,
    VpcId,
    Zone,
    frozen,
    nothing,
    project_name,
    text,
    unique,
)

ANYWHERE = IPv4Network("0.0.0.0/0")


S = TypeVar("S", Service, Database, Cache, Queue, Topic, Bucket, KeyValueTable, Volume)


def _enabled(value: Mapping[str, S]) -> Mapping[str, S]:
    return {name: table for name, table in value.items() if table.enabled}


class Project(Table):
    """`project.toml`: what all environments share, without the tables that are defaults of an environment."""

    name: Annotated[Name, Field(max_length=12), AfterValidator(project_name)] = Field(
        description="the project's name; it begins every name"
    )
    repository: Annotated[
        str, text(r"(?=.{1,256}$)[\w.-]+/[\w.-]+", 'a GitHub repository such as "owner/name"')
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
        tuple[AccountId, ...], Field(strict=False), AfterValidator(unique)
    ] = ()
    """Accounts that have an OIDC provider of GitHub already: foundations use it and do not manage it."""
    releases: Annotated[tuple[Name, ...], Field(strict=False, max_length=6), AfterValidator(unique)] = ()
    """Environments in the order in which the workflows deploy to them, up to 6; others they leave alone."""
    owner: TagText = Field(description="who answers for what all environments share (a tag)")
    cost_centre: TagText = Field(description="who pays for what all environments share (a tag)")
    protected: bool = True
    """State bucket and registry cannot be destroyed while this is set."""
    untagged_image_days: Annotated[int, Field(ge=1, le=365)] = 14
    """Days after which an image without a tag expires."""
    state_version_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days for which previous versions of a state are kept."""


Subnets = Annotated[Mapping[Zone, SubnetId], AfterValidator(frozen)]


class ExistingNetwork(Table):
    """`[network.existing]`: a VPC that is there already, and that OakTree does not manage."""

    vpc_id: VpcId = Field(description="the VPC's id")
    public_subnets: Subnets = Field(
        description="subnets with a route to an internet gateway, for load balancers: ids by zone's letter"
    )
    private_subnets: Subnets = Field(default_factory=nothing)
    """Subnets for tasks, with a route to NAT gateways or endpoints, in the zones of `public_subnets`."""
    database_subnets: Subnets = Field(default_factory=nothing)
    """Subnets for databases."""

    def subnets(self, tier: Tier) -> Mapping[str, str]:
        """Returns the ids of a tier's subnets, by the zone's letter."""
        return {
            Tier.PUBLIC: self.public_subnets,
            Tier.PRIVATE: self.private_subnets,
            Tier.DATABASE: self.database_subnets,
        }[tier]


class Network(Table):
    """`[network]`"""

    cidr: Cidr | None = None
    """The VPC's IPv4 CIDR, such as "10.0.0.0/16", shared with no other environment. Required, but for an
    existing VPC."""
    existing: ExistingNetwork | None = None
    availability_zones: Annotated[tuple[Zone, ...], Field(strict=False), AfterValidator(unique)] = ("a", "b")
    """Letters of the zones; append to it to grow. The first has the gateway of `nat = "single"`."""
    zone_slots: Literal[2, 4, 8] = 4
    """Zones the addresses are planned for, from `a` on; changing it later moves every subnet."""
    nat: Literal["none", "single", "per-zone"] = "single"
    """NAT gateways; with `none`, tasks reach AWS through `endpoints` only."""
    tasks: Literal["private", "public"] = "private"
    """Tier that tasks run in; with `public`, each has a public address, and there is no NAT gateway."""
    endpoints: Annotated[tuple[Endpoint, ...], Field(strict=False), AfterValidator(unique)] = ()
    """AWS services with an interface endpoint in the VPC. S3 and DynamoDB always have a gateway endpoint."""
    flow_logs: Literal["off", "rejected", "all"] = "rejected"
    """Traffic that is recorded in CloudWatch Logs."""

    @property
    def required_cidr(self) -> IPv4Network:
        """The CIDR of a VPC that is to be created. Raises ValueError for an existing one without it."""
        if self.cidr is None:
            raise ValueError("an existing VPC has its CIDRs already")
        return self.cidr

    @property
    def zones(self) -> tuple[str, ...]:
        """Letters of its zones."""
        return tuple(self.existing.public_subnets) if self.existing else self.availability_zones

    def zones_of(self, tier: Tier) -> list[str]:
        """Returns the letters of the zones in which a tier has a subnet, sorted."""
        return sorted(self.existing.subnets(tier) if self.existing else self.availability_zones)

    @property
    def nat_zones(self) -> tuple[str, ...]:
        """Letters of the zones with a NAT gateway that OakTree manages.

        A single one is in the zone that is listed first, so that appending a zone moves nothing.
        """
        if self.existing or self.nat == "none":
            return ()
        return self.availability_zones[:1] if self.nat == "single" else self.availability_zones

    @property
    def has_internet(self) -> bool:
        """Whether there is a way from tasks to the internet, as far as is known of an existing VPC."""
        return self.tasks == "public" or self.nat != "none"


class Waf(Table):
    """`[load_balancer.waf]`: AWS WAF before the load balancer."""

    managed_rules: Annotated[
        tuple[
            Literal[
                "AWSManagedRulesAmazonIpReputationList",
                "AWSManagedRulesAnonymousIpList",
                "AWSManagedRulesAdminProtectionRuleSet",
                "AWSManagedRulesCommonRuleSet",
                "AWSManagedRulesKnownBadInputsRuleSet",
                "AWSManagedRulesLinuxRuleSet",
                "AWSManagedRulesPHPRuleSet",
                "AWSManagedRulesSQLiRuleSet",
                "AWSManagedRulesUnixRuleSet",
                "AWSManagedRulesWordPressRuleSet",
            ],
            ...,
        ],
        Field(strict=False),
        AfterValidator(unique),
    ] = (
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
    )
    """Rule groups of AWS, in the order in which they are asked."""
    rate_limit: Annotated[int, Field(ge=0, le=2_000_000_000)] = 2000
    """Requests that one address may make in five minutes, at least 10; 0 leaves the limit out."""
    count_only: bool = False
    """Whether matches are only counted, to try the rules before they block."""


class LoadBalancer(Table):
    """`[load_balancer]`: the one that the web services of an environment share."""

    domain: DomainName | None = None
    """Name that it has of its own, over HTTPS; without it, HTTP under the name that AWS gives it."""
    hosted_zone: DomainName | None = None
    """Public Route 53 zone that `domain` is in, and those of services that name no other."""
    idle_timeout: Annotated[int, Field(ge=1, le=4000)] = 60
    """Seconds until it closes an idle connection."""
    allowed_cidrs: Cidrs = (ANYWHERE,)
    """Who may reach it; the default of a Terraform variable."""
    waf: Waf | None = None
    """Without the table there is no web application firewall, which costs extra."""


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
    bake_minutes: Annotated[float, Field(ge=0, le=30)] = 0.0
    """Minutes for which a workflow watches the alarms of a release before the next environment gets it."""
    network: Network = Field(description="at least its `cidr`")
    services: Annotated[Mapping[Name, Service], AfterValidator(_enabled), AfterValidator(frozen)] = Field(
        description="at least one service, such as [services.web]"
    )
    """Those that are enabled."""
    databases: Annotated[Mapping[Name, Database], AfterValidator(_enabled), AfterValidator(frozen)] = Field(
        default_factory=nothing
    )
    """PostgreSQL databases on RDS."""
    caches: Annotated[Mapping[Name, Cache], AfterValidator(_enabled), AfterValidator(frozen)] = Field(
        default_factory=nothing
    )
    """Valkey caches on ElastiCache."""
    queues: Annotated[Mapping[Name, Queue], AfterValidator(_enabled), AfterValidator(frozen)] = Field(
        default_factory=nothing
    )
    """SQS queues."""
    topics: Annotated[Mapping[Name, Topic], AfterValidator(_enabled), AfterValidator(frozen)] = Field(
        default_factory=nothing
    )
    """SNS topics."""
    buckets: Annotated[Mapping[Name, Bucket], AfterValidator(_enabled), AfterValidator(frozen)] = Field(
        default_factory=nothing
    )
    """S3 buckets."""
    tables: Annotated[Mapping[Name, KeyValueTable], AfterValidator(_enabled), AfterValidator(frozen)] = Field(
        default_factory=nothing
    )
    """DynamoDB tables."""
    volumes: Annotated[Mapping[Name, Volume], AfterValidator(_enabled), AfterValidator(frozen)] = Field(
        default_factory=nothing
    )
    """Shared files on EFS."""
    load_balancer: LoadBalancer = LoadBalancer()
    data: Data = Data()
    logs: Logs = Logs()
    alarms: Alarms = Field(default_factory=Alarms)


class Platform(BaseModel):
    """Everything the settings files say: the project, and its environments by name in sorted order."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    project: Project
    environments: Annotated[Mapping[str, Environment], AfterValidator(frozen)]
    inherited: Annotated[Mapping[str, frozenset[tuple[str, ...]]], AfterValidator(frozen)] = Field(
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
