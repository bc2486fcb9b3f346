"""What a service gets for each store that it uses: variables, secrets, permissions, and the way there.

Nobody writes an ARN, a port or a policy by hand. A store has a row in `ACCESS` and a function below.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, get_args

from stacks import components, naming, privatelink
from stacks.containers import Stored, StoredSecret
from stacks.policies import Statement
from stacks.settings import Environment, Project
from stacks.values import Use, UseKind

POSTGRESQL: Final = 5432
"""The TCP port of databases."""

VALKEY: Final = 6379
"""The TCP port of caches."""

NFS: Final = 2049
"""The TCP port of volumes."""


@dataclass(frozen=True, slots=True)
class Access:
    """What reading or writing takes, on a store itself or on what is in it."""

    actions: tuple[str, ...]
    resource: str = "{arn}"
    """The resource, with `{arn}` for the store's own."""
    reads: bool = True
    """Whether it comes with the right to read, to write, or either."""
    writes: bool = True


ACCESS: Final[Mapping[str, tuple[Access, ...]]] = MappingProxyType(
    {
        "queues": (
            Access(("sqs:GetQueueAttributes", "sqs:GetQueueUrl")),
            Access(("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"), writes=False),
            Access(("sqs:SendMessage",), reads=False),
        ),
        "topics": (Access(("sns:GetTopicAttributes", "sns:Publish")),),
        "buckets": (
            Access(("s3:GetBucketLocation",)),
            Access(("s3:ListBucket",), writes=False),
            Access(("s3:GetObject", "s3:GetObjectTagging"), "{arn}/*", writes=False),
            Access(
                (
                    "s3:AbortMultipartUpload",
                    "s3:DeleteObject",
                    "s3:ListMultipartUploadParts",
                    "s3:PutObject",
                    "s3:PutObjectTagging",
                ),
                "{arn}/*",
                reads=False,
            ),
        ),
        "tables": (
            Access(("dynamodb:DescribeTable",)),
            Access(
                (
                    "dynamodb:BatchGetItem",
                    "dynamodb:ConditionCheckItem",
                    "dynamodb:GetItem",
                    "dynamodb:Query",
                    "dynamodb:Scan",
                ),
                writes=False,
            ),
            Access(("dynamodb:Query", "dynamodb:Scan"), "{arn}/index/*", writes=False),
            Access(
                (
                    "dynamodb:BatchWriteItem",
                    "dynamodb:DeleteItem",
                    "dynamodb:PutItem",
                    "dynamodb:UpdateItem",
                ),
                reads=False,
            ),
        ),
    }
)
"""What each kind of store takes. Source: AWS Service Authorization Reference."""

KINDS: Final = tuple(kind for kind in get_args(UseKind) if kind != "services")
"""The kinds of stores, by their tables in the settings."""

CALLED: Final[Mapping[str, str]] = MappingProxyType(
    {"queues": "sqs", "topics": "sns", "databases": "secretsmanager"}
)
"""The AWS service, by its IAM prefix, that tasks must reach to use a store, beside the gateway endpoints'."""


@dataclass(frozen=True, slots=True)
class Way:
    """The way to a store within the network: a TCP port, and its security group."""

    port: int
    group: Stored


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume in the containers of a service."""

    name: str
    path: str
    user: str
    """User and group by number."""
    read_only: bool
    file_system: Stored
    arn: Stored


@dataclass(frozen=True, slots=True)
class Connection:
    """What a service gets for one entry of `uses`."""

    use: Use
    variables: Mapping[str, str | Stored]
    secrets: Mapping[str, StoredSecret] = field(default_factory=dict)
    statements: tuple[Statement, ...] = ()
    way: Way | None = None
    mount: Mount | None = None
    bounded: bool = True
    """Whether the boundary of all services admits it already, by the project's names."""

    @property
    def there(self) -> str:
        """Returns the key by which the data stack says that the store is there."""
        return stored_key(self.use.kind, self.use.name, "name")

    @property
    def stored(self) -> tuple[str, ...]:
        """Returns the keys of what only the data stack knows of it."""
        mounted = (self.mount.file_system, self.mount.arn) if self.mount else ()
        found = (*self.variables.values(), *self.secrets.values(), self.way and self.way.group, *mounted)
        return (self.there, *(each.key for each in found if isinstance(each, Stored | StoredSecret)))


def connections(project: Project, environment: Environment, uses: Iterable[Use]) -> tuple[Connection, ...]:
    """Returns what each store gives a service that uses it, in the order of `uses`."""
    return tuple(
        _connection(project, environment, use, number)
        for number, use in enumerate(uses, start=1)
        if use.kind != "services" and use.name in of_kind(environment, use.kind)
    )


def bounds(project: Project, account_id: str) -> Iterator[Statement]:
    """Yields the most that any service may do with each kind of store, whatever the settings say."""
    name = project.name
    arns = {
        "queues": f"arn:aws:sqs:*:{account_id}:{name}-*",
        "topics": f"arn:aws:sns:*:{account_id}:{name}-*",
        # The state bucket's name ends in a region.
        "buckets": f"arn:aws:s3:::{name}-*-{account_id}",
        "tables": f"arn:aws:dynamodb:*:{account_id}:table/{name}-*",
    }
    for kind, arn in arns.items():
        actions = sorted({action for access in ACCESS[kind] for action in access.actions})
        resources = sorted({access.resource.format(arn=arn) for access in ACCESS[kind]})
        yield Statement(f"Use{kind.title()}", actions, resources)
    # Its id is AWS's to choose; access points and policies say which.
    yield Statement(
        "UseVolumes",
        ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
        [f"arn:aws:elasticfilesystem:*:{account_id}:file-system/*"],
    )


def of_kind(environment: Environment, kind: str) -> Mapping[str, object]:
    """Returns the stores of one kind in an environment."""
    return {
        "databases": environment.databases,
        "caches": environment.caches,
        "queues": environment.queues,
        "topics": environment.topics,
        "buckets": environment.buckets,
        "tables": environment.tables,
        "volumes": environment.volumes,
    }[kind]


def endpoints(environment: Environment) -> tuple[str, ...]:
    """Returns the interface endpoints of an environment: those that its settings name, and those needed."""
    return tuple(sorted({*environment.network.endpoints, *needed_endpoints(environment)}))


def needed_endpoints(environment: Environment) -> tuple[str, ...]:
    """Returns the interface endpoints without which tasks do not reach the stores that they use.

    Nor does a status app reach what tells it how everything is.
    """
    if environment.network.has_internet:
        return ()
    kinds = {use.kind for service in environment.services.values() for use in service.uses}
    called = {CALLED[kind] for kind in kinds if kind in CALLED}
    called |= components.called(environment) - privatelink.GATEWAYS
    return tuple(sorted(privatelink.ENDPOINTS[prefix][0] for prefix in called))


def stored_key(kind: str, name: str, what: str) -> str:
    """Returns the key of what the data stack tells of a store, such as `databases_shop_group`."""
    return f"{kind}_{name}_{what}"


def _connection(project: Project, environment: Environment, use: Use, number: int) -> Connection:
    kind, name = use.kind, use.name
    match kind:
        case "databases":
            secret = stored_key(kind, name, "secret")
            return Connection(
                use,
                variables={
                    naming.variable(name, "host"): Stored(stored_key(kind, name, "host")),
                    naming.variable(name, "port"): Stored(stored_key(kind, name, "port")),
                    naming.variable(name, "name"): environment.databases[name].database
                    or database_name(name),
                },
                secrets={
                    naming.variable(name, "user"): StoredSecret(secret, "username"),
                    naming.variable(name, "password"): StoredSecret(secret, "password"),
                },
                way=Way(POSTGRESQL, Stored(stored_key(kind, name, "group"))),
            )
        case "caches":
            return Connection(
                use,
                variables={naming.variable(name, "cache_url"): Stored(stored_key(kind, name, "url"))},
                way=Way(VALKEY, Stored(stored_key(kind, name, "group"))),
            )
        case "queues":
            url = naming.queue_url(project.name, environment, name)
            arn = naming.queue_arn(environment, naming.queue_name(project.name, environment, name))
            return Connection(
                use,
                {naming.variable(name, "queue_url"): url},
                statements=_statements(use, number, arn),
                bounded=not environment.queues[name].existing,
            )
        case "topics":
            arn = naming.topic_arn(project.name, environment, name)
            return Connection(
                use, {naming.variable(name, "topic_arn"): arn}, statements=_statements(use, number, arn)
            )
        case "volumes":
            volume = environment.volumes[name]
            return Connection(
                use,
                {naming.variable(name, "path"): volume.path},
                way=Way(NFS, Stored(stored_key(kind, name, "group"))),
                mount=Mount(
                    name,
                    volume.path,
                    volume.user,
                    read_only=not use.writes,
                    file_system=Stored(stored_key(kind, name, "id")),
                    arn=Stored(stored_key(kind, name, "arn")),
                ),
            )
        case "buckets":
            bucket = naming.bucket_name(project.name, environment, name)
            arn = f"arn:aws:s3:::{bucket}"
            return Connection(
                use,
                {naming.variable(name, "bucket"): bucket},
                statements=_statements(use, number, arn),
                bounded=not environment.buckets[name].existing,
            )
        case "tables":
            table = naming.store_name(project.name, environment.name, name)
            arn = naming.store_table_arn(project.name, environment, name)
            return Connection(
                use, {naming.variable(name, "table"): table}, statements=_statements(use, number, arn)
            )
        case _:
            raise NotImplementedError(f"nothing connects with {kind}")


def database_name(name: str) -> str:
    """Returns the name of the database within a PostgreSQL server, where a hyphen would need quotes."""
    return name.replace("-", "_")


def _statements(use: Use, number: int, arn: str) -> tuple[Statement, ...]:
    """Returns one statement for each resource of a store."""
    actions: dict[str, set[str]] = {}
    for access in ACCESS[use.kind]:
        if (access.reads and use.reads) or (access.writes and use.writes):
            actions.setdefault(access.resource.format(arn=arn), set()).update(access.actions)
    words = "".join(word.title() for word in (use.kind, *use.name.split("-")))
    # Names that differ by a hyphen or a digit only would be the same without the number.
    return tuple(
        Statement(f"Use{number}Part{part}{words}", sorted(found), [resource])
        for part, (resource, found) in enumerate(actions.items(), start=1)
    )
