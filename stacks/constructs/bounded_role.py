"""A role of a workload, which can never do more than the project's boundary admits."""

from collections.abc import Sequence
from typing import Literal

from stacks import naming, policies
from stacks.bindings import IamRole, IamRolePolicy
from stacks.constructs.platform_stack import PlatformStack
from stacks.policies import Statement

AssumedBy = Literal["ecs-tasks.amazonaws.com", "vpc-flow-logs.amazonaws.com"]
"""The AWS services that may act as a role of an environment."""


class BoundedRole:
    """An IAM role under the permissions boundary that the account's foundation keeps.

    The deploy role may create roles with that boundary only, so it cannot give away more than it.
    `policy` is what it may do, for what must wait until it may.
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
            assume_role_policy=policies.service_trust(service, scope.account_id),
            permissions_boundary=naming.workload_boundary_arn(scope.project.name, scope.account_id),
        )
        self.arn = role.arn
        self.policy = IamRolePolicy(
            scope,
            f"{key}_policy",
            name="permissions",
            role=role.id,
            policy=policies.document(*statements),
        )
