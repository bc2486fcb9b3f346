"""A role of a workload, which can never do more than the project's boundary admits."""

from collections.abc import Sequence
from typing import Literal, get_args

from stacks import naming, policies
from stacks.bindings import IamRole, IamRolePolicy
from stacks.constructs.platform_stack import PlatformStack
from stacks.policies import Statement
from stacks.settings import Project

AssumedBy = Literal[
    "chatbot.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "events.amazonaws.com",
    "scheduler.amazonaws.com",
    "states.amazonaws.com",
    "vpc-flow-logs.amazonaws.com",
]
"""The AWS services that may act as a role of an environment."""


class BoundedRole:
    """An IAM role under the permissions boundary that the account's foundation keeps.

    The deploy role may create roles with that boundary only, so it cannot give away more than it.
    `policies` are what it may do, for what must wait until it may; none if that is nothing.
    """

    def __init__(
        self,
        scope: PlatformStack,
        key: str,
        *,
        name: str,
        description: str,
        service: AssumedBy,
        statements: Sequence[Statement],
    ) -> None:
        role = IamRole(
            scope,
            key,
            name=name,
            description=description,
            assume_role_policy=policies.service_trust(name, service, scope.account_id),
            permissions_boundary=naming.boundary_arn(scope.project.name, scope.account_id, service),
        )
        self.arn = role.arn
        self.policies: list[IamRolePolicy] = []
        if statements:
            policy = policies.inline_document(name, *statements)
            self.policies.append(
                IamRolePolicy(scope, f"{key}_policy", name="permissions", role=role.id, policy=policy)
            )


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for bounded roles, and denies it the roles of workflows."""
    name = project.name
    roles = f"arn:aws:iam::{account_id}:role/{name}-*"
    github = f"arn:aws:iam::{account_id}:role/{naming.github_role(name, '*')}"
    boundaries = sorted({naming.boundary_arn(name, account_id, each) for each in get_args(AssumedBy)})
    return (
        Statement(
            "CreateBoundedRoles",
            actions=["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"],
            resources=[roles],
            conditions={"StringEquals": {"iam:PermissionsBoundary": boundaries}},
        ),
        Statement(
            "ChangeRoles",
            actions=[
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:ListInstanceProfilesForRole",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
                "iam:UpdateRoleDescription",
            ],
            resources=[roles],
        ),
        Statement(
            "PassRolesToServices",
            actions=["iam:PassRole"],
            resources=[roles],
            conditions={"StringEquals": {"iam:PassedToService": list(get_args(AssumedBy))}},
        ),
        Statement(
            "NeverItsOwnRoles",
            effect="Deny",
            actions=[
                "iam:DeleteRole*",
                "iam:PassRole",
                "iam:PutRole*",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole*",
            ],
            resources=[github],
        ),
    )
