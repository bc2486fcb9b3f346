"""A log group of CloudWatch Logs."""

from stacks.bindings import CloudwatchLogGroup, Construct
from stacks.settings import Environment


class LogGroup:
    """A log group that keeps its events for as long as the environment's settings say."""

    def __init__(self, scope: Construct, key: str, name: str, environment: Environment) -> None:
        group = CloudwatchLogGroup(
            scope,
            key,
            name=name,
            retention_in_days=environment.logs.retention_days,
        )
        self.name = group.name
        self.arn = group.arn
