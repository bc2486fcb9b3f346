"""The most that any role of a workload can do, whatever its own policy says."""

from collections.abc import Iterator
from typing import Final

from stacks import components, naming, policies, stores
from stacks.bindings import Construct, IamPolicy
from stacks.constructs.image_repository import PULL_ACTIONS
from stacks.policies import Statement
from stacks.settings import Platform, Project
from stacks.status_app import STATUS, Resource
from stacks.workloads import Workload, workloads

EXEC_ACTIONS = (
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
"""What ECS Exec takes. Source: Amazon ECS Developer Guide, "Task IAM role", ECS Exec permissions."""

_NAMED: Final = 3
"""How many services an error about the boundary's size names."""


class WorkloadBoundary:
    """The permissions boundary of all roles that environments create in this account.

    Source: IAM User Guide, "Permissions boundaries for IAM entities".
    """

    def __init__(self, scope: Construct, platform: Platform, account_id: str) -> None:
        project = platform.project
        name = project.name
        policy = IamPolicy(
            scope,
            "workload_boundary",
            name=naming.workload_boundary(name),
            description="The most that a role of a workload can do",
            policy=policies.managed_document(
                naming.workload_boundary(name),
                *_of_the_app(project, account_id),
                Statement(
                    "Logs",
                    actions=[
                        "logs:CreateLogStream",
                        "logs:DescribeLogStreams",
                        "logs:PutLogEvents",
                    ],
                    resources=[_log_groups(project, account_id)],
                ),
                Statement(
                    "PullImages",
                    actions=PULL_ACTIONS,
                    resources=[naming.repository_arn(project, "*"), *_pulled(platform, account_id)],
                ),
                Statement(
                    "ReadSecrets",
                    actions=["secretsmanager:GetSecretValue", "ssm:GetParameters"],
                    resources=[
                        f"arn:aws:secretsmanager:*:{account_id}:secret:*",
                        f"arn:aws:ssm:*:{account_id}:parameter/*",
                    ],
                ),
                # These know no resources. Source: AWS Service Authorization Reference.
                Statement(
                    "WithoutResource",
                    actions=["ecr:GetAuthorizationToken", "logs:DescribeLogGroups", *EXEC_ACTIONS],
                    resources=["*"],
                ),
                *stores.bounds(project, account_id),
                *_permissions(platform, account_id),
                largest=_largest(platform, account_id),
            ),
        )
        self.arn = policy.arn


def _of_the_app(project: Project, account_id: str) -> Iterator[Statement]:
    """One statement for each kind of resource that the app acts on.

    What it asks about queues, topics, buckets and tables is among what any service may do with them.
    """
    name = project.name
    resources = {
        Resource.TABLE: f"arn:aws:dynamodb:*:{account_id}:table/{name}-*",
        Resource.SERVICES: f"arn:aws:ecs:*:{account_id}:service/{name}-*",
        Resource.STATE_MACHINES: f"arn:aws:states:*:{account_id}:stateMachine:{name}-*",
        Resource.DATABASES: f"arn:aws:rds:*:{account_id}:db:{name}-*",
        Resource.CACHES: f"arn:aws:elasticache:*:{account_id}:replicationgroup:{name}-*",
        Resource.VOLUMES: "*",
        Resource.IMAGES: naming.repository_arn(project, "*"),
        Resource.ALARMS: f"arn:aws:cloudwatch:*:{account_id}:alarm:*",
        Resource.TARGETS: "*",
        Resource.ANY: "*",
    }
    for kind, arn in resources.items():
        actions = {action for grant in STATUS.grants if grant.resource is kind for action in grant.actions}
        if actions:
            yield Statement(f"App{kind.title().replace('_', '')}", sorted(actions), [arn])


def _permissions(platform: Platform, account_id: str) -> Iterator[Statement]:
    """What the settings allow services of this account, actions of the same resources in one statement.

    That includes stores that were there before, whose names are not the project's.
    """
    actions: dict[tuple[str, ...], set[str]] = {}
    for workload in _workloads(platform, account_id):
        existing = [each for used in workload.connections if not used.bounded for each in used.statements]
        if workload.grants:
            existing += components.about_existing(workload.project, workload.environment)
        for permission in (*workload.permissions, *existing):
            actions.setdefault(tuple(sorted(permission.resources)), set()).update(permission.actions)
    for number, resources in enumerate(sorted(actions), start=1):
        yield Statement(f"Permissions{number}", sorted(actions[resources]), resources)


def _largest(platform: Platform, account_id: str) -> str:
    """Returns a sentence that names the services with the most permissions; empty if none has any."""
    sizes: dict[str, int] = {}
    for environment in platform.environments.values():
        for key, service in environment.services.items() if environment.account_id == account_id else ():
            place = ("services", key, "permissions")
            name = f"{platform.file_of(environment.name, *place)}: {'.'.join(place)}"
            words = [word for each in service.permissions for word in (*each.actions, *each.resources)]
            sizes[name] = sum(map(len, words))
    largest = sorted((name for name, size in sizes.items() if size), key=lambda name: (-sizes[name], name))
    named = ", ".join(f"{name} ({sizes[name]} characters)" for name in largest[:_NAMED])
    return f" The services with the most permissions: {named}." if named else ""


def _pulled(platform: Platform, account_id: str) -> list[str]:
    """The repositories of other projects that services of this account run images of."""
    own = naming.repository_arn(platform.project, "")
    found = {arn for each in _workloads(platform, account_id) for arn in each.repository_arns}
    return sorted(arn for arn in found if not arn.startswith(own))


def _workloads(platform: Platform, account_id: str) -> Iterator[Workload]:
    for environment in platform.environments.values():
        if environment.account_id == account_id:
            yield from workloads(platform.project, environment)


def _log_groups(project: Project, account_id: str) -> str:
    return f"arn:aws:logs:*:{account_id}:log-group:/{project.name}/*"
