"""A role of a workload, which can never do more than the project's boundary admits."""

from collections.abc import Sequence

from stacks import naming, policies
from stacks.bindings import Construct, IamRole, IamRolePolicy
from stacks.policies import Statement
from stacks.settings import Project


class BoundedRole:
    """An IAM role under the permissions boundary that the account's foundation keeps.

    The deploy role may create roles with that boundary only, so it cannot give away more than it.
    `policy` is what it may do, for what must wait until it may.
    """

    def __init__(
        self,
        scope: Construct,
        key: str,
        *,
        name: str,
        description: str,
        project: Project,
        account_id: str,
        trust: str,
        statements: Sequence[Statement],
    ) -> None:
        role = IamRole(
            scope,
            key,
            name=name,
            description=description,
            assume_role_policy=trust,
            permissions_boundary=f"arn:aws:iam::{account_id}:policy/{naming.workload_boundary(project.name)}",
        )
        self.arn = role.arn
        self.policy = IamRolePolicy(
            scope,
            f"{key}_policy",
            name="permissions",
            role=role.id,
            policy=policies.document(*statements),
        )
