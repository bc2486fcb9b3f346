"""A log group of CloudWatch Logs."""

from stacks.bindings import CloudwatchLogGroup, Construct
from stacks.policies import Statement
from stacks.settings import Environment, Project


class LogGroup:
    """A log group that keeps its events for as long as the environment's settings say."""

    def __init__(self, scope: Construct, key: str, name: str, environment: Environment) -> None:
        group = CloudwatchLogGroup(
            scope,
            key,
            name=name,
            retention_in_days=environment.logs.retention_days,
        )
        self.resource = group
        self.name = group.name
        self.arn = group.arn


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for log groups."""
    name = project.name
    return (
        Statement(
            "ChangeLogs",
            actions=[
                "logs:CreateLogGroup",
                "logs:DeleteLogGroup",
                "logs:PutRetentionPolicy",
                "logs:TagResource",
                "logs:UntagResource",
            ],
            resources=[f"arn:aws:logs:*:{account_id}:log-group:/{name}/*"],
        ),
    )
