"""Where an environment's tasks run."""

from typing import Final

from stacks import naming
from stacks.bindings import Construct, EcsCluster, EcsClusterCapacityProviders, EcsClusterSetting
from stacks.settings import Environment, Project

LINKED_ROLE: Final = "ecs.amazonaws.com"
"""The service whose linked role comes with the first cluster of an account."""


class Cluster:
    """An ECS cluster on Fargate and Fargate Spot, with Container Insights (ECS.12)."""

    def __init__(self, scope: Construct, project: Project, environment: Environment) -> None:
        self.name = naming.base(project.name, environment.name)
        cluster = EcsCluster(
            scope,
            "cluster",
            name=self.name,
            setting=[EcsClusterSetting(name="containerInsights", value="enabled")],
        )
        self.arn = cluster.arn
        self.capacity_providers = EcsClusterCapacityProviders(
            scope,
            "cluster_capacity",
            cluster_name=cluster.name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
        )
