"""What databases, queues, buckets and tables must fulfil, by themselves and in view of who uses them."""

from collections.abc import Iterator
from itertools import combinations
from typing import Final, get_args

from stacks import naming
from stacks.addressing import Tier
from stacks.problems import Key, Problem, nearest
from stacks.service_settings import Service
from stacks.settings import Environment, Project
from stacks.store_settings import Bucket, Database, Index, KeyValueTable, MayExist, Notification, Topic
from stacks.stores import of_kind
from stacks.values import Use, UseKind

RESERVED_DATABASES: Final = frozenset({"postgres", "rdsadmin", "template0", "template1"})
"""Databases that a server of RDS has already."""

NO_PLACE: Final = "needs network.existing.database_subnets, which it would be in"

STORE_KINDS: Final = tuple(kind for kind in get_args(UseKind) if kind != "services")

RESERVED_BUCKETS: Final = frozenset({"access-logs"})
"""Names of buckets that something else of an environment has."""

LEAST_GROWTH: Final = 1.1
"""How many times the storage its limit must be. Source: Amazon RDS User Guide, "Managing capacity
automatically with Amazon RDS storage autoscaling"."""

DAYS_BEFORE_INFREQUENT: Final = 30
"""Fewest days in the standard class. Source: Amazon S3 User Guide, "Transitioning objects using Amazon S3
Lifecycle"."""


def store_problems(environment: Environment, project: Project | None) -> Iterator[Problem]:
    """What is wrong with the stores of an environment.

    Without a project, whose file could not be used, what depends on its name is left out.
    """
    yield from _existing_problems(environment)
    for key, database in environment.databases.items():
        if not database.existing:
            problems = _database_problems(environment, key, database)
            yield from (each.under("databases", key) for each in problems)
    for kind in ("caches", "volumes"):
        for key in of_kind(environment, kind):
            if not environment.network.zones_of(Tier.DATABASE):
                yield Problem((kind, key), None, NO_PLACE)
    for key, bucket in environment.buckets.items():
        yield from (each.under("buckets", key) for each in _bucket_problems(environment, key, bucket))
    for key, topic in environment.topics.items():
        yield from (each.under("topics", key) for each in _topic_problems(environment, topic))
    for key, table in environment.tables.items():
        yield from (each.under("tables", key) for each in _table_problems(table))
        if key == environment.data.table:
            yield Problem(("tables", key), None, "another name: the status app's table has it (data.table)")
    if project:
        yield from _name_problems(project, environment)


def _existing_problems(environment: Environment) -> Iterator[Problem]:
    """Yields keys that have no effect on what is there already, and those that only it has."""
    for kind in ("databases", "queues", "buckets"):
        for key, store in of_kind(environment, kind).items():
            if not isinstance(store, MayExist):
                continue
            known = {"enabled", "existing", "name", "secret", *(("visibility_timeout",) * (kind == "queues"))}
            for said in sorted(store.model_fields_set):
                if store.existing and said not in known:
                    yield Problem(
                        (kind, key, said), None, "left out: OakTree changes nothing that exists already"
                    )
                if not store.existing and said in ("name", "secret"):
                    yield Problem((kind, key, said), None, "only with existing = true")


def use_problems(environment: Environment, service: Service) -> Iterator[Problem]:
    """What is wrong with the stores that a service uses, and how it uses them; keys are relative to it."""
    given: dict[str, Use] = {}
    for index, use in enumerate(service.uses):
        if use.kind != "services":
            known = of_kind(environment, use.kind)
            if use.name not in known:
                close = nearest(f"{use.kind}.{use.name}", [f"{use.kind}.{each}" for each in known])
                yield Problem(
                    ("uses", index), str(use), f"one that [{use.kind}] of {environment.name} has; {close}"
                )
        other = given.setdefault(_variable(use), use)
        if other is not use:
            allowed = (
                f"once: {other} is there already, and without :read and :write it allows both"
                if (other.kind, other.name) == (use.kind, use.name)
                else f"another name: {other} gives the variable {_variable(use)}, too"
            )
            yield Problem(("uses", index), str(use), allowed)
    yield from _queue_problems(environment, service)
    yield from _path_problems(environment, service)


def warnings(environment: Environment) -> Iterator[Problem]:
    """Stores that nobody uses, and queues that nobody reads."""
    uses = [use for service in environment.services.values() for use in service.uses]
    told = {each.queue for bucket in environment.buckets.values() for each in bucket.notify}
    told |= {each.queue for topic in environment.topics.values() for each in topic.subscriptions}
    for kind in STORE_KINDS:
        for key in of_kind(environment, kind):
            found = [use for use in uses if (use.kind, use.name) == (kind, key)]
            if not found and not (kind == "queues" and key in told):
                yield Problem((kind, key), None, f"no service of {environment.name} has it in its uses")
            elif kind == "topics" and not environment.topics[key].subscriptions:
                yield Problem((kind, key), None, "no queue gets what is published: add subscriptions")
            elif kind == "queues" and not any(use.reads for use in found):
                yield Problem(
                    (kind, key), None, f"no service of {environment.name} reads it: its messages expire"
                )


def _variable(use: Use) -> str:
    """Returns the variable by which uses are told apart: no other kind gives one that ends alike."""
    ends = {
        "services": "url",
        "databases": "host",
        "queues": "queue_url",
        "topics": "topic_arn",
        "caches": "cache_url",
    }
    return naming.variable(use.name, ends.get(use.kind, use.kind.removesuffix("s")))


def _database_problems(environment: Environment, key: str, database: Database) -> Iterator[Problem]:
    if key in RESERVED_DATABASES:
        yield Problem((), None, "another name: every PostgreSQL of RDS has this database already")
    if not environment.network.zones_of(Tier.DATABASE):
        yield Problem((), None, NO_PLACE)
    if database.max_storage and database.max_storage < database.storage * LEAST_GROWTH:
        least = -(-database.storage * 11 // 10)
        yield Problem(
            ("max_storage",),
            database.max_storage,
            f"at least {least} with storage = {database.storage}, or 0",
        )
    if environment.protected and not database.backup_days:
        yield Problem(("backup_days",), 0, "at least 1: the environment is protected")


def _bucket_problems(environment: Environment, key: str, bucket: Bucket) -> Iterator[Problem]:
    if key in RESERVED_BUCKETS:
        yield Problem((), None, f"a bucket cannot be called {key!r}: the load balancers log to it")
    days, expiry = bucket.infrequent_access_days, bucket.expire_days
    if 0 < days < DAYS_BEFORE_INFREQUENT:
        yield Problem(("infrequent_access_days",), days, f"at least {DAYS_BEFORE_INFREQUENT}, or 0 for never")
    if days and 0 < expiry <= days:
        yield Problem(("expire_days",), expiry, f"more than infrequent_access_days = {days}, or 0 for never")
    for index, each in enumerate(bucket.notify):
        place = ("notify", index, "queue")
        if each.queue in environment.queues and environment.queues[each.queue].existing:
            yield Problem(place, each.queue, "a queue that OakTree creates: its policy has to admit S3")
        elif each.queue not in environment.queues:
            close = nearest(each.queue, environment.queues)
            yield Problem(place, each.queue, f"a queue of {environment.name}; {close}")
        elif environment.queues[each.queue].fifo:
            yield Problem(place, each.queue, "a queue with fifo = false: S3 sends to no other")
    numbered = enumerate(bucket.notify)
    for (first, one), (second, other) in combinations(numbered, 2):
        if _overlap(one, other):
            yield Problem(
                ("notify", second),
                None,
                f"another prefix or suffix: S3 tells one queue of an object, and notify.{first} has the same",
            )


def _topic_problems(environment: Environment, topic: Topic) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, each in enumerate(topic.subscriptions):
        place = ("subscriptions", index, "queue")
        queue = environment.queues.get(each.queue)
        if queue is None:
            close = nearest(each.queue, environment.queues)
            yield Problem(place, each.queue, f"a queue of {environment.name}; {close}")
        elif queue.existing:
            yield Problem(place, each.queue, "a queue that OakTree creates: its policy has to admit SNS")
        elif queue.fifo != topic.fifo:
            yield Problem(place, each.queue, f"a queue with fifo = {str(topic.fifo).lower()}, as the topic")
        if each.queue in seen:
            yield Problem(place, each.queue, "each queue once: SNS knows one subscription of it")
        seen.add(each.queue)


def _overlap(one: Notification, other: Notification) -> bool:
    """Whether an object could be told to both.

    Source: Amazon S3 User Guide, "Configuring event notifications using object key name filtering".
    """
    return bool(
        set(one.events) & set(other.events)
        and (one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix))
        and (one.suffix.endswith(other.suffix) or other.suffix.endswith(one.suffix))
    )


def _table_problems(table: KeyValueTable) -> Iterator[Problem]:
    types: dict[str, str] = {}
    keyed: list[tuple[Key, KeyValueTable | Index]] = [((), table)]
    keyed += ((("indexes", name), index) for name, index in table.indexes.items())
    for place, each in keyed:
        if each.sort_key == each.partition_key:
            yield Problem((*place, "sort_key"), each.sort_key, "another attribute than partition_key")
        if "sort_type" in each.model_fields_set and not each.sort_key:
            yield Problem((*place, "sort_type"), each.sort_type, "only with sort_key")
        for key, kind in ((each.partition_key, each.partition_type), (each.sort_key, each.sort_type)):
            if key and types.setdefault(key, kind) != kind:
                yield Problem(place, None, f"one type for the attribute {key}: it is {types[key]!r} already")


def _path_problems(environment: Environment, service: Service) -> Iterator[Problem]:
    """Yields volumes that would be where another volume, or a writable path, is."""
    taken = {
        path: "writable_paths"
        for each in (service, *service.sidecars.values())
        for path in each.writable_paths
    }
    for index, use in enumerate(service.uses):
        volume = environment.volumes.get(use.name) if use.kind == "volumes" else None
        other = taken.setdefault(volume.path, str(use)) if volume else str(use)
        if volume and other != str(use):
            allowed = f"a volume with another path: {other} has {volume.path} already"
            yield Problem(("uses", index), str(use), allowed)


def _queue_problems(environment: Environment, service: Service) -> Iterator[Problem]:
    read = [use.name for use in service.uses if use.kind == "queues" and use.reads]
    needed = service.timeout if service.kind == "job" else service.stop_timeout
    what = "timeout" if service.kind == "job" else "stop_timeout"
    for name in read:
        queue = environment.queues.get(name)
        if queue and queue.visibility_timeout <= needed:
            yield Problem(
                (what,),
                needed,
                f"less than queues.{name}.visibility_timeout = {queue.visibility_timeout}, or another task "
                "gets a message while this one still works on it",
            )
    scaling = service.scaling
    if scaling.queue and scaling.queue not in read:
        yield Problem(
            ("scaling", "queue"),
            scaling.queue,
            f"a queue that it reads, one of its uses; {nearest(scaling.queue, read)}",
        )


def _name_problems(project: Project, environment: Environment) -> Iterator[Problem]:
    """Yields names of queues that two things would have, and names that AWS takes for too long.

    Sources: Amazon SQS API Reference, CreateQueue (80); Amazon S3 User Guide, "Bucket naming rules" (63);
    Amazon RDS API Reference, CreateDBInstance (63); Amazon ElastiCache API Reference,
    CreateReplicationGroup (40).
    """
    taken = {
        naming.dead_letter_queue(project.name, environment.name, key): f"services.{key}"
        for key, service in environment.services.items()
        if service.kind == "job"
    }
    for key, queue in environment.queues.items():
        place = f"queues.{key}"
        if queue.existing:
            continue
        names = (
            naming.queue_name(project.name, environment, key),
            naming.queue_dead_letters(project.name, environment, key),
        )
        for name in names:
            if (other := taken.setdefault(name, place)) != place:
                yield Problem(("queues", key), None, f"another name: {other} has a queue called {name!r}")
        yield from _too_long(("queues", key), "the dead-letter queue", names[1], 80)
    for key in environment.topics:
        if key == "alarms":
            yield Problem(("topics", key), None, "another name: alarms are published to a topic called so")
    for key, bucket in environment.buckets.items():
        if bucket.existing:
            continue
        name = naming.bucket_name(project.name, environment, key)
        yield from _too_long(("buckets", key), "the bucket", name, 63)
    for key in environment.caches:
        name = naming.store_name(project.name, environment.name, key)
        yield from _too_long(("caches", key), "the cache", name, 40)
    for key in environment.databases:
        name = naming.store_name(project.name, environment.name, key)
        yield from _too_long(("databases", key), "the database", name, 63)


def _too_long(key: tuple[str, ...], what: str, name: str, limit: int) -> Iterator[Problem]:
    if len(name) > limit:
        yield Problem(
            key, None, f"{what} would be called {name!r}: {len(name)} characters, AWS allows {limit}"
        )
