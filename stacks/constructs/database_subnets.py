"""The place for relational databases."""

from typing import Final

from stacks.bindings import Construct, DbSubnetGroup
from stacks.constructs.subnets import Subnets
from stacks.policies import Statement
from stacks.settings import Project

LINKED_ROLE: Final = "rds.amazonaws.com"
"""The service whose linked role comes with the first RDS resource of an account."""


class DatabaseSubnets:
    """A DB subnet group over the database tier; `name` is what an RDS instance asks for."""

    def __init__(self, scope: Construct, name: str, database: Subnets) -> None:
        group = DbSubnetGroup(
            scope,
            "database_subnets",
            name=name,
            description="Subnets without a way out, for databases",
            subnet_ids=list(database.ids.values()),
            tags={"Name": name},
        )
        self.name = group.name


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for the subnet group."""
    name = project.name
    return (
        Statement(
            "ChangeDatabaseSubnets",
            actions=[
                "rds:AddTagsToResource",
                "rds:CreateDBSubnetGroup",
                "rds:DeleteDBSubnetGroup",
                "rds:ModifyDBSubnetGroup",
                "rds:RemoveTagsFromResource",
            ],
            resources=[f"arn:aws:rds:*:{account_id}:subgrp:{name}-*"],
        ),
    )
