"""What is watched of the stores that services use; see `stacks/watched.py`."""

from collections.abc import Iterator, Mapping
from typing import Final

from stacks import naming
from stacks.alarm_settings import Thresholds
from stacks.metrics import Chart, Metric
from stacks.settings import Environment
from stacks.stores import of_kind
from stacks.watched import SQS, STEP_FUNCTIONS, Alarm, Watched, in_words

DYNAMODB: Final = "AWS/DynamoDB"
ELASTICACHE: Final = "AWS/ElastiCache"
RDS: Final = "AWS/RDS"

GIB: Final = 1024**3

TABLE_OPERATIONS: Final = (
    "GetItem",
    "BatchGetItem",
    "Query",
    "Scan",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchWriteItem",
    "TransactGetItems",
    "TransactWriteItems",
)
"""Operations by which DynamoDB counts its errors: as many metrics as an alarm takes.

Source: CloudWatch User Guide, "Create an alarm based on a metric math expression".
"""


def keys(environment: Environment) -> Iterator[str]:
    """Yields what the stores of an environment are called here and in `[alarms.exceptions]`."""
    for kind in ("caches", "databases", "queues", "tables"):
        yield from (f"{kind}.{name}" for name in of_kind(environment, kind))
    if any(service.kind == "status" for service in environment.services.values()):
        yield f"tables.{environment.data.table}"


def of_environment(project: str, environment: Environment) -> Iterator[tuple[str, Watched]]:
    """Yields the stores of an environment as they are watched, each with its key; of a cache each node."""
    for key in keys(environment):
        kind, _, name = key.partition(".")
        limits = environment.alarms.thresholds_of(key)
        match kind:
            case "caches":
                group = naming.store_name(project, environment.name, name)
                for node in range(1, environment.caches[name].replicas + 2):
                    yield f"{key}.{node:03}", cache(limits, f"{group}-{node:03}")
            case "databases":
                yield key, database(limits, naming.database_identifier(project, environment, name))
            case "queues":
                existing = environment.queues[name].existing
                letters = None if existing else naming.queue_dead_letters(project, environment, name)
                yield key, queue(limits, naming.queue_name(project, environment, name), letters)
            case "tables":
                table_name = naming.store_name(project, environment.name, name)
                yield key, table(limits, table_name)
                # The status app's table is not in the settings, and has none.
                for each in environment.tables[name].indexes if name in environment.tables else ():
                    yield f"{key}.{each}", index(limits, table_name, each)


def queue(limits: Thresholds, name: str, dead_letters: str | None) -> Watched:
    """Watches a queue and its dead-letter queue, if that is known, by their names.

    Source: Amazon SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS".
    """
    age = Metric(SQS, "ApproximateAgeOfOldestMessage", "Maximum", {"QueueName": name})
    # SQS reports nothing of a queue that was empty for six hours, in which nothing waits.
    alarms = (
        Alarm(
            "old-messages",
            f"The oldest message is waiting for more than {in_words(limits.queue_seconds)}",
            (age,),
            limits.queue_seconds,
            5,
        ),
    )
    seen = Watched(alarms, ((Chart.WAITING, _visible(name)), (Chart.AGE, age)))
    return seen + _dead_letters(dead_letters) if dead_letters else seen


def _dead_letters(name: str) -> Watched:
    visible = _visible(name)
    alarm = Alarm("dead-letters", "Messages could not be processed: they are dead letters", (visible,), 0, 1)
    return Watched((alarm,), ((Chart.DEAD_LETTERS, visible),))


def _visible(queue_name: str) -> Metric:
    return Metric(SQS, "ApproximateNumberOfMessagesVisible", "Maximum", {"QueueName": queue_name})


def database(limits: Thresholds, identifier: str) -> Watched:
    """Watches an instance of RDS, by its identifier.

    Source: Amazon RDS User Guide, "Amazon CloudWatch instance-level metrics for Amazon RDS".
    """
    dimensions = {"DBInstanceIdentifier": identifier}
    cpu = Metric(RDS, "CPUUtilization", "Average", dimensions)
    storage = Metric(RDS, "FreeStorageSpace", "Minimum", dimensions)
    connections = Metric(RDS, "DatabaseConnections", "Maximum", dimensions)
    # RDS reports every minute while the instance is up. Without data it is being created, restarted or
    # stopped: the alarms of its services tell of an outage, and these would add nothing.
    alarms = (
        Alarm(
            "cpu",
            f"CPU use of the database stays above {limits.database_cpu_percent} %",
            (cpu,),
            limits.database_cpu_percent,
            15,
        ),
        Alarm(
            "free-storage",
            f"The database has less than {limits.database_free_gib:g} GiB of storage left",
            (storage,),
            limits.database_free_gib * GIB,
            15,
            below=True,
        ),
        Alarm(
            "connections",
            f"The database has more than {limits.database_connections} connections",
            (connections,),
            limits.database_connections,
            5,
        ),
    )
    lines = (
        (Chart.DATABASE_CPU, cpu),
        (Chart.DATABASE_STORAGE, storage),
        (Chart.DATABASE_CONNECTIONS, connections),
    )
    return Watched(alarms, lines)


def rotation(state_machine: str) -> Watched:
    """Watches what redeploys the services that use a database, by its state machine's ARN.

    Source: Step Functions Developer Guide, "Execution metrics".
    """
    failed = Metric(STEP_FUNCTIONS, "ExecutionsFailed", "Sum", {"StateMachineArn": state_machine})
    alarm = Alarm(
        "not-rotated",
        "The password changed, and services that use it were not redeployed: tasks still have the old one",
        (failed,),
        0,
        1,
    )
    return Watched((alarm,))


def table(limits: Thresholds, name: str) -> Watched:
    """Watches a table of DynamoDB, by its name.

    Source: Amazon DynamoDB Developer Guide, "DynamoDB metrics and dimensions": throttles and consumed
    capacity are counted by table, errors of DynamoDB by table and operation only.
    """
    dimensions = {"TableName": name}
    throttled = _throttles(limits, dimensions)
    errors = tuple(
        Metric(DYNAMODB, "SystemErrors", "Sum", {**dimensions, "Operation": operation})
        for operation in TABLE_OPERATIONS
    )
    failed = Alarm("system-errors", "DynamoDB answered requests with errors of its own", errors, 0, 5)
    capacity = (
        Metric(DYNAMODB, f"Consumed{kind}CapacityUnits", "Sum", dimensions) for kind in ("Read", "Write")
    )
    return throttled + Watched((failed,), tuple((Chart.TABLE_CAPACITY, each) for each in capacity))


def index(limits: Thresholds, table_name: str, name: str) -> Watched:
    """Watches a global secondary index, whose throttles its table does not count. Source: as of `table`."""
    return _throttles(limits, {"TableName": table_name, "GlobalSecondaryIndexName": name})


def _throttles(limits: Thresholds, dimensions: Mapping[str, str]) -> Watched:
    throttles = tuple(
        Metric(DYNAMODB, f"{kind}ThrottleEvents", "Sum", dimensions) for kind in ("Read", "Write")
    )
    alarm = Alarm(
        "throttles",
        f"DynamoDB throttled more than {limits.table_throttles} requests in a minute",
        throttles,
        limits.table_throttles,
        5,
    )
    return Watched((alarm,), tuple((Chart.TABLE_THROTTLES, each) for each in throttles))


def cache(limits: Thresholds, node: str) -> Watched:
    """Watches a node of a cache, by its `CacheClusterId`, such as `oaktree-dev-sessions-001`.

    Source: Amazon ElastiCache User Guide, "Metrics for Valkey and Redis OSS".
    """
    dimensions = {"CacheClusterId": node}
    cpu = Metric(ELASTICACHE, "EngineCPUUtilization", "Average", dimensions)
    memory = Metric(ELASTICACHE, "DatabaseMemoryUsagePercentage", "Average", dimensions)
    evictions = Metric(ELASTICACHE, "Evictions", "Sum", dimensions)
    # As of a database: without data, the node is not up.
    alarms = (
        Alarm(
            "cpu",
            f"The engine uses more than {limits.cache_cpu_percent} % of its core",
            (cpu,),
            limits.cache_cpu_percent,
            10,
        ),
        Alarm(
            "memory",
            f"Memory use of the cache stays above {limits.cache_memory_percent} %",
            (memory,),
            limits.cache_memory_percent,
            10,
        ),
        Alarm(
            "evictions",
            f"The cache evicts more than {limits.cache_evictions} keys in a minute: it is too small",
            (evictions,),
            limits.cache_evictions,
            10,
        ),
    )
    lines = ((Chart.CACHE_CPU, cpu), (Chart.CACHE_MEMORY, memory), (Chart.CACHE_EVICTIONS, evictions))
    return Watched(alarms, lines)
