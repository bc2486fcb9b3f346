"""The security group of a store in the network; the service stack adds a rule to it for each of its users."""

from typing import Final

from stacks import naming
from stacks.bindings import SecurityGroup
from stacks.constructs.network_connections import NetworkConnections
from stacks.constructs.platform_stack import PlatformStack
from stacks.policies import Statement
from stacks.settings import Environment

DEPLOY: Final = (
    Statement(
        "ChangeNetworks",
        actions=[
            "ec2:CreateSecurityGroup",
            "ec2:CreateTags",
            "ec2:DeleteSecurityGroup",
            "ec2:DeleteTags",
            "ec2:RevokeSecurityGroupEgress",
        ],
        resources=["*"],
    ),
)
"""What the deploy role needs for groups of stores. AWS chooses the ids, so no ARN can be named."""


class StoreGroup:
    """The group, and the `name` of the store; `what` it is, such as `database`, ends the group's name."""

    def __init__(
        self,
        scope: PlatformStack,
        environment: Environment,
        what: str,
        key: str,
        network: NetworkConnections,
    ) -> None:
        self.name = naming.store_name(scope.project.name, environment.name, key)
        group = SecurityGroup(
            scope,
            f"{what}_{key}_group",
            name=f"{self.name}-{what}",
            description=f"The {what} {self.name}",
            vpc_id=network.vpc_id,
            tags={"Name": f"{self.name}-{what}"},
        )
        self.id = group.id
