"""`<env>-data`: what holds an environment's data, apart from what a release changes."""

from stacks import kinds
from stacks.bindings import App
from stacks.constructs import platform_stack, table
from stacks.policies import Statement
from stacks.settings import Environment, Platform, Project


class DataStack(platform_stack.PlatformStack):
    """The status app's table of one environment, if it runs the app."""

    def __init__(self, app: App, project: Project, environment: Environment) -> None:
        super().__init__(app, project, kinds.DATA.of_environment(environment))
        if any(service.kind == "status" for service in environment.services.values()):
            kept = table.Table(self, project, environment)
            self.output("table", kept.name, "The status app's DynamoDB table")


def deploy(platform: Platform, account_id: str) -> tuple[Statement, ...]:
    """Gathers what applying data stacks takes beyond reading."""
    return (
        *platform_stack.deploy(platform, account_id),
        *table.deploy(platform.project, account_id),
    )
