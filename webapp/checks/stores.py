"""Checks what keeps data for services: databases, caches, topics, buckets, tables and volumes.

AWS describes each with one call, the only one that its grant allows; the finding follows from the answer.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_DATABASES: Final[Mapping[str, State]] = {
    **dict.fromkeys(
        (
            *("available", "backing-up", "configuring-enhanced-monitoring", "configuring-iam-database-auth"),
            *("configuring-log-exports", "delete-precheck", "modifying", "resetting-master-credentials"),
            *("storage-config-upgrade", "storage-initialization", "storage-optimization"),
        ),
        State.OPERATIONAL,
    ),
    # It is interrupted for a while, or may be.
    **dict.fromkeys(
        (
            *("converting-to-vpc", "maintenance", "moving-to-vpc", "rebooting", "renaming", "starting"),
            "upgrading",
        ),
        State.DEGRADED,
    ),
    **dict.fromkeys(
        (
            *("creating", "deleting", "failed", "inaccessible-encryption-credentials"),
            *("inaccessible-encryption-credentials-recoverable", "incompatible-create"),
            *("incompatible-network", "incompatible-option-group", "incompatible-parameters"),
            *("incompatible-restore", "insufficient-capacity", "restore-error", "stopped", "stopping"),
            "storage-full",
        ),
        State.DOWN,
    ),
}
"""Source: Amazon RDS User Guide, "Viewing Amazon RDS DB instance status"."""

_CACHES: Final[Mapping[str, State]] = {
    **dict.fromkeys(("available", "modifying", "snapshotting"), State.OPERATIONAL),
    **dict.fromkeys(("create-failed", "creating", "deleting"), State.DOWN),
}
"""Source: Amazon ElastiCache API Reference, "ReplicationGroup", Status."""

_TABLES: Final[Mapping[str, State]] = {
    **dict.fromkeys(("ACTIVE", "UPDATING"), State.OPERATIONAL),
    **dict.fromkeys(
        ("ARCHIVED", "ARCHIVING", "CREATING", "DELETING", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"), State.DOWN
    ),
}
"""Source: Amazon DynamoDB API Reference, "TableDescription", TableStatus."""

_VOLUMES: Final[Mapping[str, State]] = {
    **dict.fromkeys(("available", "updating"), State.OPERATIONAL),
    **dict.fromkeys(("creating", "deleted", "deleting", "error"), State.DOWN),
}
"""Source: Amazon EFS API Reference, "FileSystemDescription", LifeCycleState."""

_NO_VOLUME: Final = "The file system does not exist."


def found_database(status: str) -> Finding:
    """Returns the finding for the status of an instance; unknown for one that RDS has since added."""
    return Finding(_state(_DATABASES, status), f"The database is {status}.", {"status": status})


def found_cache(group: Mapping[str, Any]) -> Finding:
    """Returns the finding for what ElastiCache describes: its `status`, and the number of `nodes`."""
    status, nodes = group["Status"], len(group.get("MemberClusters", ()))
    return Finding(_state(_CACHES, status), f"The cache is {status}.", {"status": status, "nodes": nodes})


def found_topic(attributes: Mapping[str, str]) -> Finding:
    """Returns the finding for a topic that SNS knows.

    Details: the numbers of `subscriptions`, and of those that are `pending`, as nobody has confirmed them.
    """
    confirmed = int(attributes.get("SubscriptionsConfirmed", 0))
    pending = int(attributes.get("SubscriptionsPending", 0))
    message = f"Subscriptions: {confirmed} confirmed, {pending} pending."
    return Finding(State.OPERATIONAL, message, {"subscriptions": confirmed, "pending": pending})


def found_table(status: str) -> Finding:
    """Returns the finding for the status of a table."""
    return Finding(_state(_TABLES, status), f"The table is {status}.", {"status": status})


def found_volume(file_systems: list[Mapping[str, Any]]) -> Finding:
    """Returns the finding for what EFS describes: one file system, or none.

    Details: its `status`, and the number of `mount_targets`, of which it needs one.
    """
    if not file_systems:
        return Finding(State.DOWN, _NO_VOLUME)
    status, targets = file_systems[0]["LifeCycleState"], file_systems[0]["NumberOfMountTargets"]
    details = {"status": status, "mount_targets": targets}
    state = _state(_VOLUMES, status)
    if state is not State.OPERATIONAL:
        return Finding(state, f"The file system is {status}.", details)
    if not targets:
        return Finding(State.DOWN, "The file system has no mount target, so no task can mount it.", details)
    return Finding(State.OPERATIONAL, f"The file system is {status}; mount targets: {targets}.", details)


def _state(states: Mapping[str, State], status: str) -> State:
    """Returns the state for a status; unknown for one that AWS has since added."""
    return states.get(status, State.UNKNOWN)


def _check(
    kind: Kind,
    client: str,
    grant: Grant,
    describe: Callable[[Any, str], Awaitable[Any]],
    found: Callable[[Any], Finding],
    missing: str,
) -> Check:
    """Returns a check; `describe` makes the call of the grant for a client and the component's resource."""
    (action,) = grant.actions

    async def run(clients: "Clients", component: Component, _settings: "Settings") -> Finding:
        from webapp.calls import call_aws

        return found(await call_aws(action, describe(clients.of(client), component.resource)))

    return Check(kind=kind, clients=(client,), grants=(grant,), run=run, missing=missing)


DATABASE: Final = _check(
    Kind.DATABASE,
    "rds",
    Grant("CheckDatabases", ("rds:DescribeDBInstances",), Resource.DATABASES),
    lambda rds, name: rds.describe_db_instances(DBInstanceIdentifier=name),
    lambda answer: found_database(answer["DBInstances"][0]["DBInstanceStatus"]),
    "The database does not exist.",
)
CACHE: Final = _check(
    Kind.CACHE,
    "elasticache",
    Grant("CheckCaches", ("elasticache:DescribeReplicationGroups",), Resource.CACHES),
    lambda elasticache, name: elasticache.describe_replication_groups(ReplicationGroupId=name),
    lambda answer: found_cache(answer["ReplicationGroups"][0]),
    "The cache does not exist.",
)
TOPIC: Final = _check(
    Kind.TOPIC,
    "sns",
    Grant("CheckTopics", ("sns:GetTopicAttributes",), Resource.TOPICS),
    lambda sns, arn: sns.get_topic_attributes(TopicArn=arn),
    lambda answer: found_topic(answer["Attributes"]),
    "The topic does not exist.",
)
# GetBucketLocation is the least that proves that it answers: HeadBucket takes the right to list the objects.
# Source: Amazon S3 User Guide, "Required permissions for Amazon S3 API operations".
BUCKET: Final = _check(
    Kind.BUCKET,
    "s3",
    Grant("CheckBuckets", ("s3:GetBucketLocation",), Resource.BUCKETS),
    lambda s3, name: s3.get_bucket_location(Bucket=name),
    lambda _: Finding(State.OPERATIONAL, "The bucket answers."),
    "The bucket does not exist.",
)
TABLE: Final = _check(
    Kind.TABLE,
    "dynamodb",
    Grant("CheckTables", ("dynamodb:DescribeTable",), Resource.TABLES),
    lambda dynamodb, name: dynamodb.describe_table(TableName=name),
    lambda answer: found_table(answer["Table"]["TableStatus"]),
    "The table does not exist.",
)
# Found by the creation token that the platform gave it: AWS chooses the id.
VOLUME: Final = _check(
    Kind.VOLUME,
    "efs",
    Grant("CheckVolumes", ("elasticfilesystem:DescribeFileSystems",), Resource.VOLUMES),
    lambda efs, token: efs.describe_file_systems(CreationToken=token),
    lambda answer: found_volume(answer["FileSystems"]),
    _NO_VOLUME,
)
