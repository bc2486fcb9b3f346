"""The tables of alarms in `environments/*.toml`: who is notified, of what, and from which threshold on."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from stacks.values import Table, frozen, text, unique

AlarmName = Literal[
    "aborted",
    "balancer-errors",
    "connections",
    "cpu",
    "dead-letters",
    "evictions",
    "failed",
    "free-storage",
    "memory",
    "missing-run",
    "no-healthy-task",
    "no-running-task",
    "not-rotated",
    "not-started",
    "old-messages",
    "port-errors",
    "server-errors",
    "slow-answers",
    "system-errors",
    "throttles",
    "unhealthy-tasks",
]
"""Every alarm there is, by the last part of its name."""

UNHEALTHY: Final[tuple[AlarmName, ...]] = (
    "balancer-errors",
    "free-storage",
    "no-healthy-task",
    "no-running-task",
    "port-errors",
    "server-errors",
    "system-errors",
    "throttles",
)
"""Alarms about what users notice now, or will within the hour."""

Emails = Annotated[
    tuple[Annotated[str, text(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address")], ...],
    Field(strict=False),
    AfterValidator(unique),
]
Guid = Annotated[
    str,
    text(
        r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
        'an id such as "12345678-1234-1234-1234-123456789012"',
    ),
]
Watched = Annotated[
    str,
    text(
        r"((caches|databases|queues|tables)\.)?[a-z][a-z0-9-]*",
        'a service such as "web", or a store such as "queues.orders"',
    ),
]
Percent = Annotated[int, Field(ge=1, le=100)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]


class Thresholds(Table):
    """`[alarms.thresholds]`: an alarm is raised above its threshold, `database_free_gib` below it."""

    server_errors: Count = 10
    """Answers of a service's tasks with 5xx, in a minute."""
    balancer_errors: Count = 10
    """Answers of a load balancer itself with 5xx, in a minute."""
    answer_seconds: Annotated[float, Field(gt=0, le=4000)] = 1.0
    """Seconds that the tasks of a service take to answer, on average."""
    cpu_percent: Percent = 90
    """CPU use of a service's tasks, on average."""
    memory_percent: Percent = 90
    """Memory use of a service's tasks, on average."""
    queue_seconds: Annotated[int, Field(ge=1, le=1_209_600)] = 900
    """Age of the oldest message in a queue, in seconds."""
    database_cpu_percent: Percent = 90
    """CPU use of a database."""
    database_free_gib: Annotated[float, Field(gt=0, le=65_536)] = 2.0
    """Storage that a database still has, in GiB."""
    database_connections: Count = 80
    """Connections to a database; PostgreSQL of RDS allows about 110 for each GiB of memory."""
    table_throttles: Count = 10
    """Requests to a table that DynamoDB throttles, in a minute."""
    cache_cpu_percent: Percent = 90
    """Use of the one core that a cache's engine runs on."""
    cache_memory_percent: Percent = 90
    """Memory use of a cache."""
    cache_evictions: Count = 100
    """Keys that a cache evicts for want of memory, in a minute."""


_OF_TASKS: Final = ("cpu_percent", "memory_percent")
_OF_REQUESTS: Final = ("server_errors", "balancer_errors", "answer_seconds")

OF_KIND: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "web": (*_OF_REQUESTS, *_OF_TASKS),
        "status": (*_OF_REQUESTS, *_OF_TASKS),
        "worker": _OF_TASKS,
        "job": (),
        "queues": ("queue_seconds",),
        "databases": ("database_cpu_percent", "database_free_gib", "database_connections"),
        "tables": ("table_throttles",),
        "caches": ("cache_cpu_percent", "cache_memory_percent", "cache_evictions"),
    }
)
"""The thresholds of a service, by its kind, and of a store, by the table that it stands in."""


class Slack(Table):
    """`[alarms.slack]`: a channel that gets every alarm."""

    workspace_id: Annotated[str, text(r"[0-9A-Z]{1,255}", 'a workspace id such as "T0123ABCDEF"')] = Field(
        description="the id of a Slack workspace that the AWS account is authorized for"
    )
    channel_id: Annotated[str, text(r"[A-Za-z0-9]{1,255}", 'a channel id such as "C0123ABCDEF"')] = Field(
        description="the channel's id, the end of its link"
    )


class Teams(Table):
    """`[alarms.teams]`: a channel of Microsoft Teams that gets every alarm."""

    tenant_id: Guid = Field(description="the id of the Microsoft tenant")
    team_id: Guid = Field(description="the id of a team that the AWS account is authorized for")
    channel_id: Annotated[
        str,
        text(
            r"[\w=+/.,-]*%3[aA][\w=+/.,-]*%40[\w=+/.,-]*",
            'a channel id as in its link, such as "19%3aabc%40thread.tacv2"',
        ),
    ] = Field(description="the channel's id, as in its link")


def _nobody() -> Mapping[str, Thresholds]:
    return MappingProxyType({})


class Alarms(Table):
    """`[alarms]`"""

    emails: Emails = ()
    """Addresses that get a message for every alarm."""
    on_call: Emails = ()
    """Addresses, such as a paging service's, that get a message only when the environment is unhealthy."""
    unhealthy: Annotated[tuple[AlarmName, ...], Field(strict=False), AfterValidator(unique)] = UNHEALTHY
    """Alarms of which any makes the environment unhealthy."""
    slack: Slack | None = None
    """A Slack channel that gets every alarm."""
    teams: Teams | None = None
    """A channel of Microsoft Teams that gets every alarm."""
    thresholds: Thresholds = Thresholds()
    """From where on alarms are raised."""
    exceptions: Annotated[Mapping[Watched, Thresholds], AfterValidator(frozen)] = Field(
        default_factory=_nobody
    )
    """Other thresholds of single services or stores."""

    def thresholds_of(self, key: str) -> Thresholds:
        """Returns the thresholds of a service such as `web` or a store such as `queues.orders`."""
        if own := self.exceptions.get(key):
            return self.thresholds.model_copy(
                update={name: getattr(own, name) for name in own.model_fields_set}
            )
        return self.thresholds
