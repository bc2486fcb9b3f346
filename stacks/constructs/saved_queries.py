"""Saved queries of CloudWatch Logs Insights about the logs of an environment's services.

Source: Amazon CloudWatch Logs User Guide, "CloudWatch Logs Insights language query syntax".
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from stacks import naming
from stacks.bindings import CloudwatchQueryDefinition, Construct
from stacks.policies import Statement
from stacks.settings import Environment, Project

QUERIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        # In the level of a line of JSON, or anywhere in a line of text.
        "errors": (
            "fields @timestamp, @log, @message",
            "filter @message like /(?i)\\b(error|exception|traceback|critical|fatal)\\b/",
            "sort @timestamp desc",
            "limit 100",
        ),
        # Of services that write a line of JSON with duration_ms for each request, as the status app does.
        "slow-requests": (
            "fields @timestamp, @log, duration_ms, @message",
            "filter ispresent(duration_ms)",
            "sort duration_ms desc",
            "limit 100",
        ),
        # CloudWatch Logs charges for each byte that it takes in.
        "bytes-by-service": (
            "stats sum(strlen(@message)) as bytes, count(*) as lines by @log",
            "sort bytes desc",
        ),
    }
)
"""Queries by name, command by command."""

MOST_GROUPS: Final = 50
"""Most log groups that a query reads. Source: CloudWatch Logs User Guide, "CloudWatch Logs quotas"."""

DEPLOY: Final = (
    Statement(
        "WithoutResource",
        actions=["logs:DeleteQueryDefinition", "logs:PutQueryDefinition"],
        resources=["*"],
    ),
)
"""What the deploy role needs; these actions know no resources."""


class SavedQueries:
    """Each query, for all log groups; numbered where they are more than one query reads."""

    def __init__(
        self, scope: Construct, project: Project, environment: Environment, log_groups: Sequence[str]
    ) -> None:
        for start in range(0, len(log_groups), MOST_GROUPS):
            end = f"-{start // MOST_GROUPS + 1}" if start else ""
            for name, commands in QUERIES.items():
                CloudwatchQueryDefinition(
                    scope,
                    f"query_{name}{end}".replace("-", "_"),
                    name=naming.saved_query(project.name, environment.name, f"{name}{end}"),
                    log_group_names=list(log_groups[start : start + MOST_GROUPS]),
                    query_string="\n| ".join(commands),
                )
