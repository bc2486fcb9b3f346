"""What databases, queues, buckets and tables must fulfil, by themselves and in view of who uses them."""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from stacks import naming
from stacks.addressing import Tier
from stacks.problems import Key, Problem, nearest
from stacks.service_settings import Service
from stacks.settings import Environment, Project
from stacks.store_settings import Bucket, Database, Index, KeyValueTable, MayExist, Notification, Topic
from stacks.stores import KINDS, of_kind
from stacks.values import Use

_RESERVED_WORDS: Final = """
    postgres rdsadmin template0 template1 admin
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
    current_catalog current_date current_role current_time current_timestamp current_user default deferrable
    desc distinct do else end except false fetch for foreign from grant group having in initially intersect
    into lateral leading limit localtime localtimestamp not null offset on only or order placing primary
    references returning select session_user some symmetric system_user table then to trailing true union
    unique user using variadic when where window with
"""

RESERVED_DATABASES: Final = frozenset(_RESERVED_WORDS.split())
"""Databases that a server of RDS has already, and words that RDS refuses as the name of one.

Sources: Amazon RDS API Reference, CreateDBInstance, DBName; PostgreSQL's documentation, "SQL Key Words",
those that are reserved."""

NO_PLACE: Final = "needs subnets to be in: set network.existing.database_subnets"

EXISTING: Final = {
    "databases": (r"[a-zA-Z][a-zA-Z0-9-]{0,62}", "the identifier of an RDS instance"),
    "queues": (r"[\w-]{1,75}(\.fifo)?", "the name of an SQS queue"),
    "buckets": (r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "the name of an S3 bucket"),
}
"""Kinds of stores that may be there already, and the form of their names."""

LONGEST_KEY: Final = 63
"""Characters of a key that the status app takes; see `webapp.components.ID_PATTERN`."""

RESERVED_TOPICS: Final = frozenset({"alarms", "on-call"})
RESERVED_BUCKETS: Final = frozenset({"access-logs"})
"""Names of topics and buckets that something else of an environment has."""

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
    runs_status = any(service.kind == "status" for service in environment.services.values())
    yield from _existing_problems(environment, project)
    for kind in KINDS if runs_status else ():
        for key in of_kind(environment, kind):
            if len(key) > LONGEST_KEY:
                allowed = f"a shorter name: it has {len(key)} characters, the status app takes {LONGEST_KEY}"
                yield Problem((kind, key), None, allowed)
    for key, database in environment.databases.items():
        if not database.existing:
            problems = _database_problems(environment, key, database)
            yield from (each.under("databases", key) for each in problems)
    for key, cache in environment.caches.items():
        problems = _window_problems(None, cache.maintenance_window, shortest=60)
        yield from (each.under("caches", key) for each in problems)
    without = set(environment.network.zones_of(Tier(environment.network.tasks)))
    without -= set(environment.network.zones_of(Tier.DATABASE))
    for key in environment.volumes if environment.network.zones_of(Tier.DATABASE) and without else ():
        allowed = f"needs network.existing.database_subnets in the zones {', '.join(sorted(without))}, too"
        yield Problem(("volumes", key), None, f"{allowed}: tasks mount it in their own zone")
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
        if key == environment.data.table and runs_status:
            yield Problem(("tables", key), None, "another name: the status app's table has it (data.table)")
    if project:
        yield from _name_problems(project, environment)


def _existing_problems(environment: Environment, project: Project | None) -> Iterator[Problem]:
    """Yields keys that have no effect on what is there already, those that only it has, and its name."""
    for kind, (pattern, form) in EXISTING.items():
        for key, store in of_kind(environment, kind).items():
            if not isinstance(store, MayExist):
                continue
            known = {
                "enabled",
                "existing",
                "name",
                "row",
                "database",
                "secret",
                *(("visibility_timeout",) * (kind == "queues")),
            }
            for said in sorted(store.model_fields_set):
                if store.existing and said not in known:
                    yield Problem(
                        (kind, key, said), None, "leave it out: OakTree changes nothing that exists already"
                    )
                if not store.existing and said in ("name", "database", "secret"):
                    yield Problem((kind, key, said), None, "only with existing = true")
            if store.name and not re.fullmatch(pattern, store.name):
                yield Problem((kind, key, "name"), store.name, form)
            elif store.name and project and store.name.startswith(f"{project.name}-"):
                yield Problem(
                    (kind, key, "name"), store.name, f"not one of {project.name}'s own, which begin so"
                )


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
    for kind in KINDS:
        for key in of_kind(environment, kind):
            found = [use for use in uses if (use.kind, use.name) == (kind, key)]
            if not found and not (kind == "queues" and key in told):
                yield Problem((kind, key), None, f"no service of {environment.name} has it in its uses")
            elif kind == "topics" and not environment.topics[key].subscriptions:
                yield Problem((kind, key), None, "no queue gets what is published: add subscriptions")
            elif (
                kind == "queues"
                and not environment.queues[key].existing
                and not any(use.reads for use in found)
            ):
                yield Problem(
                    (kind, key), None, f"no service of {environment.name} reads it: its messages expire"
                )


def _variable(use: Use) -> str:
    """Returns the variable that distinguishes uses: no other kind gives one that ends alike."""
    ends = {
        "services": "url",
        "databases": "host",
        "queues": "queue_url",
        "topics": "topic_arn",
        "caches": "cache_url",
    }
    return naming.variable(use.name, ends.get(use.kind, use.kind.removesuffix("s")))


def _database_problems(environment: Environment, key: str, database: Database) -> Iterator[Problem]:
    if key.replace("-", "_") in RESERVED_DATABASES:
        yield Problem((), None, "another name: RDS refuses this one for a database of PostgreSQL")
    windows = (database.backup_window, database.maintenance_window)
    yield from _window_problems(*windows, shortest=30)
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


DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = 24 * 60
_WEEK: Final = 7 * _DAY


def _window_problems(backup: str | None, maintenance: str | None, *, shortest: int) -> Iterator[Problem]:
    """Yields windows that are too short, in minutes, or that overlap.

    Sources: Amazon RDS User Guide, "Backup window" and "Amazon RDS maintenance window"; Amazon ElastiCache
    User Guide, "Managing maintenance".
    """
    days: set[int] = set()
    if backup:
        begin, length = _window(backup, _DAY)
        if length < shortest:
            yield Problem(("backup_window",), backup, f"at least {shortest} minutes")
        days = {(begin + minute) % _DAY for minute in range(length)}
    if maintenance:
        begin, length = _window(maintenance, _WEEK)
        if not shortest <= length <= _DAY:
            yield Problem(("maintenance_window",), maintenance, f"{shortest} minutes to 24 hours")
        elif any((begin + minute) % _DAY in days for minute in range(length)):
            yield Problem(("maintenance_window",), maintenance, f"outside backup_window = {backup!r}")


def _window(text: str, cycle: int) -> tuple[int, int]:
    """Returns the first minute of a window in its day or week, and how many it has."""
    first, last = (_minute(part) for part in text.split("-"))
    return first, (last - first) % cycle


def _minute(text: str) -> int:
    *day, hours, minutes = text.split(":")
    return (DAYS.index(day[0]) * _DAY if day else 0) + int(hours) * 60 + int(minutes)


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
                f"less than queues.{name}.visibility_timeout = {queue.visibility_timeout}, which can be "
                "raised: otherwise another task gets a message while this one still works on it",
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
    jobs = [key for key, service in environment.services.items() if service.kind == "job"]
    machines = {naming.job_name(project.name, environment.name, key): key for key in jobs}
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
        if key in RESERVED_TOPICS:
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
        rotated = naming.secret_rotation(project.name, environment.name, key)
        yield from _too_long(("databases", key), "a role", f"{rotated}-start", 64)
        if rotated in machines:
            allowed = f"another name: the job {machines[rotated]} has a state machine called {rotated!r}"
            yield Problem(("databases", key), None, allowed)


def _too_long(key: tuple[str, ...], what: str, name: str, limit: int) -> Iterator[Problem]:
    if len(name) > limit:
        yield Problem(
            key, None, f"{what} would be called {name!r}: {len(name)} characters, AWS allows {limit}"
        )
