"""The place for relational databases."""

from stacks.bindings import Construct, DbSubnetGroup
from stacks.constructs.subnets import TierSubnets


class DatabaseSubnets:
    """A DB subnet group over the database tier; `name` is what an RDS instance asks for."""

    def __init__(self, scope: Construct, name: str, database: TierSubnets) -> None:
        group = DbSubnetGroup(
            scope,
            "database_subnets",
            name=name,
            description="Subnets without a way out, for databases",
            subnet_ids=list(database.ids.values()),
            tags={"Name": name},
        )
        self.name = group.name
