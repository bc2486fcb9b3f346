"""The tables of what keeps data in `environments/*.toml`: databases, queues, buckets and tables."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from stacks.page_settings import Row
from stacks.values import ContainerPath, Name, SecretReference, Table, frozen, nothing, text, unique

Window = Annotated[
    str,
    text(
        r"(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):[0-5]\d-(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):[0-5]\d",
        'a weekly window in UTC, such as "sun:03:00-sun:04:00"',
    ),
]
DailyWindow = Annotated[
    str,
    text(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", 'a daily window in UTC, such as "01:00-02:00"'),
]
AttributeName = Annotated[
    str, text(r"[A-Za-z][\w.-]{0,254}", "an attribute's name: letters, digits, _, - and .")
]
AttributeType = Literal["S", "N", "B"]
Origin = Annotated[str, text(r"\*|https?://[\w.*:-]+", 'an origin, such as "https://www.example.com"')]
IndexName = Annotated[str, text(r"[A-Za-z0-9_.-]{3,255}", "3 to 255 letters, digits, _, - and .")]


class Store(Table):
    """What all of them have in common."""

    enabled: bool = True
    """Whether the environment has it."""
    row: Row = Row()
    """How the status page shows it."""


class MayExist(Store):
    """What a store has that may be there already, in the environment's account and region."""

    existing: bool = False
    """Whether it is there already: OakTree then creates and changes nothing of it."""
    name: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    """What it is called there, by default as OakTree would call it."""


class Database(MayExist):
    """`[databases.<name>]`: PostgreSQL on RDS, in the database tier."""

    version: Annotated[str, text(r"1[3-8]", 'a major version of PostgreSQL on RDS, "13" to "18"')] = "17"
    """Major version of PostgreSQL; RDS upgrades the minor one in the maintenance window."""
    instance: Annotated[
        str, text(r"db\.[a-z][a-z0-9-]*\.[a-z0-9-]+", 'an RDS instance class, such as "db.t4g.micro"')
    ] = "db.t4g.micro"
    """Instance class, which decides memory and processors."""
    storage: Annotated[int, Field(ge=20, le=65_536)] = 20
    """Storage in GiB to begin with."""
    max_storage: Annotated[int, Field(ge=0, le=65_536)] = 100
    """Storage in GiB up to which RDS lets it grow by itself; 0 to leave it as it is."""
    multi_zone: bool = False
    """Whether a second instance in another zone takes over when the first fails."""
    backup_days: Annotated[int, Field(ge=0, le=35)] = 7
    """Days within which it can be restored to any second; 0 for no backups."""
    backup_window: DailyWindow | None = None
    """When the daily snapshot is taken, by default at a time that RDS chooses."""
    maintenance_window: Window | None = None
    """When RDS may restart it for updates, by default at a time that RDS chooses."""
    performance_insights: bool = True
    """Whether the load by query is kept for seven days."""
    rotation_days: Annotated[int, Field(ge=1, le=1000)] = 7
    """Days after which RDS changes the password."""
    database: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Database in an existing instance, by default called like this table, with underscores for hyphens."""
    secret: Annotated[SecretReference, BeforeValidator(SecretReference.parse)] | None = None
    """Secret of an existing database whose JSON has `username` and `password`, by default the one that RDS
    manages."""
    deletion_protection: bool | None = None
    """Whether RDS refuses to delete it, by default as the environment's `protected`."""


class Cache(Store):
    """`[caches.<name>]`: Valkey on ElastiCache, in the database tier."""

    version: Literal["7.2", "8.0", "8.1"] = "8.0"
    """Version of Valkey."""
    node: Annotated[
        str, text(r"cache\.[a-z][a-z0-9-]*\.[a-z0-9]+", 'an ElastiCache node type, such as "cache.t4g.micro"')
    ] = "cache.t4g.micro"
    """Node type, which decides memory and processors."""
    replicas: Annotated[int, Field(ge=0, le=5)] = 0
    """Copies in other zones, one of which takes over when the first node fails."""
    snapshot_days: Annotated[int, Field(ge=0, le=35)] = 0
    """Days for which daily snapshots are kept; 0 for none."""
    maintenance_window: Window | None = None
    """When ElastiCache may update it, by default at a time that it chooses."""


class Volume(Store):
    """`[volumes.<name>]`: files on EFS that several tasks share."""

    path: ContainerPath = Field(description="where every container of a service that uses it has it")
    user: Annotated[
        str, text(r"[1-9]\d{0,8}:[1-9]\d{0,8}", 'a user and group by number, not root, such as "1000:1000"')
    ] = "1000:1000"
    """User and group that own all files, whoever writes them; it cannot be changed later."""
    backups: bool = True
    """Whether AWS Backup keeps daily backups for 35 days."""
    infrequent_access_days: Literal[0, 1, 7, 14, 30, 60, 90, 180, 270, 365] = 30
    """Days without access after which a file goes to cheaper storage; 0 for never."""


class Queue(MayExist):
    """`[queues.<name>]`: SQS, with a dead-letter queue."""

    fifo: bool = False
    """Whether messages of a group stay in order and are delivered once; it cannot be changed later."""
    visibility_timeout: Annotated[int, Field(ge=1, le=43_200)] = 120
    """Seconds for which a message that was received is hidden: longer than the work on it takes."""
    retention: Annotated[int, Field(ge=60, le=1_209_600)] = 345_600
    """Seconds after which a message that nobody took is dropped."""
    delay: Annotated[int, Field(ge=0, le=900)] = 0
    """Seconds for which a new message is hidden."""
    max_receives: Annotated[int, Field(ge=1, le=1000)] = 5
    """Receives without success after which a message goes to the dead-letter queue."""


class Subscription(Table):
    """`[[topics.<name>.subscriptions]]`: a queue that gets what is published."""

    queue: Name = Field(description="the queue of the environment that gets it")
    filter: Annotated[
        Mapping[str, Annotated[tuple[str, ...], Field(strict=False, min_length=1)]], AfterValidator(frozen)
    ] = Field(default_factory=nothing)
    """Values that an attribute of a message must have one of, by the attribute's name."""
    filter_by: Literal["attributes", "body"] = "attributes"
    """Whether `filter` is about the attributes of a message or about keys of its body, which then is JSON."""
    raw: bool = True
    """Whether the queue gets the message alone, without what SNS says of it."""


class Topic(Store):
    """`[topics.<name>]`: SNS, from one service to several queues."""

    fifo: bool = False
    """Whether messages of a group stay in order, for queues with `fifo`; it cannot be changed later."""
    subscriptions: Annotated[tuple[Subscription, ...], Field(strict=False)] = ()
    """Queues that get what is published."""


class Notification(Table):
    """`[[buckets.<name>.notify]]`: messages about objects that come and go."""

    queue: Name = Field(description="the queue of the environment that gets them")
    events: Annotated[
        tuple[Literal["created", "removed"], ...], Field(strict=False, min_length=1), AfterValidator(unique)
    ] = ("created",)
    """Events that are notified: objects created, removed, or both."""
    prefix: Annotated[str, Field(max_length=512)] = ""
    """How the names of the objects begin."""
    suffix: Annotated[str, Field(max_length=512)] = ""
    """How they end."""


class Cors(Table):
    """`[[buckets.<name>.cors]]`: web pages of other origins that may use the bucket."""

    origins: Annotated[
        tuple[Origin, ...],
        Field(strict=False, min_length=1),
        AfterValidator(unique),
    ] = Field(description="their origins")
    methods: Annotated[
        tuple[Literal["GET", "HEAD", "PUT", "POST", "DELETE"], ...],
        Field(strict=False, min_length=1),
        AfterValidator(unique),
    ] = ("GET", "HEAD")
    """What they may do."""
    headers: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(unique)] = ("*",)
    """Headers that they may send."""
    max_age: Annotated[int, Field(ge=0, le=86_400)] = 3600
    """Seconds for which browsers remember that."""


class Bucket(MayExist):
    """`[buckets.<name>]`: S3, private, encrypted and versioned."""

    former_version_days: Annotated[int, Field(ge=1, le=36_500)] = 30
    """Days for which what was overwritten or deleted can be restored."""
    expire_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    """Days after which objects are deleted; 0 for never."""
    infrequent_access_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    """Days, at least 30, after which objects go to cheaper storage that costs more to read; 0 for never."""
    cors: Annotated[tuple[Cors, ...], Field(strict=False, max_length=100)] = ()
    """Who may use it from a web page."""
    notify: Annotated[tuple[Notification, ...], Field(strict=False)] = ()
    """Queues that are notified of its objects."""


class Index(Table):
    """`[tables.<name>.indexes.<index>]`: a global secondary index."""

    partition_key: AttributeName = Field(description="attribute that it is asked by")
    partition_type: AttributeType = "S"
    """S for text, N for numbers, B for bytes."""
    sort_key: AttributeName | None = None
    """Attribute that it is sorted by."""
    sort_type: AttributeType = "S"
    """Type of `sort_key`."""


class KeyValueTable(Store):
    """`[tables.<name>]`: DynamoDB, paid by request."""

    partition_key: AttributeName = "id"
    """Attribute that items are found by; it cannot be changed later, nor can the other keys."""
    partition_type: AttributeType = "S"
    """S for text, N for numbers, B for bytes."""
    sort_key: AttributeName | None = None
    """Attribute that the items of a partition are sorted by."""
    sort_type: AttributeType = "S"
    """Type of `sort_key`."""
    indexes: Annotated[
        Mapping[IndexName, Index],
        Field(max_length=20),
        AfterValidator(frozen),
    ] = Field(default_factory=nothing)
    """Further keys to ask by."""
    expiry_attribute: AttributeName | None = None
    """Attribute with the time in seconds since 1970 after which an item is deleted."""
    point_in_time_recovery: bool = True
    """Whether it can be restored to any second of the last 35 days."""
    deletion_protection: bool | None = None
    """Whether DynamoDB refuses to delete it, by default as the environment's `protected`."""
