"""The most that any role of a workload can do, whatever its own policy says."""

from stacks import naming, policies
from stacks.bindings import Construct, IamPolicy
from stacks.constructs.image_repository import PULL_ACTIONS
from stacks.policies import Statement
from stacks.settings import Project
from webapp import contract

EXEC_ACTIONS = (
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
"""What ECS Exec takes. Source: Amazon ECS Developer Guide, "Task IAM role", ECS Exec permissions."""


class WorkloadBoundary:
    """The permissions boundary of all roles that environments create in this account.

    Source: IAM User Guide, "Permissions boundaries for IAM entities".
    """

    def __init__(self, scope: Construct, project: Project, account_id: str) -> None:
        name = project.name
        app_actions = sorted({action for grant in contract.GRANTS for action in grant.actions})
        policy = IamPolicy(
            scope,
            "workload_boundary",
            name=naming.workload_boundary(name),
            description="The most that a role of a workload can do",
            policy=policies.document(
                Statement(
                    "App", actions=app_actions, resources=[f"arn:aws:dynamodb:*:{account_id}:table/{name}-*"]
                ),
                Statement(
                    "Logs",
                    actions=[
                        "logs:CreateLogStream",
                        "logs:DescribeLogStreams",
                        "logs:PutLogEvents",
                    ],
                    resources=[f"arn:aws:logs:*:{account_id}:log-group:/{name}/*"],
                ),
                Statement(
                    "PullImages",
                    actions=PULL_ACTIONS,
                    resources=[f"arn:aws:ecr:{project.region}:{project.account_id}:repository/{name}/*"],
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
            ),
        )
        self.arn = policy.arn
