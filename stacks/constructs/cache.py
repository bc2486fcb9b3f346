"""A cache that services share."""

from typing import Final

from stacks import stores
from stacks.bindings import (
    ElasticacheReplicationGroup,
    ElasticacheSubnetGroup,
    TerraformResourceLifecycle,
)
from stacks.constructs.network_connections import NetworkConnections
from stacks.constructs.platform_stack import PlatformStack
from stacks.constructs.store_group import StoreGroup
from stacks.policies import Statement
from stacks.settings import Environment, Project

LINKED_ROLE: Final = "elasticache.amazonaws.com"
"""The service whose linked role comes with the first cache of an account."""


class Cache:
    """An ElastiCache replication group of `[caches]` in the database tier, encrypted, reached over TLS only.

    Who may connect is a rule of the service stack. `stored` is what services use of it, by the keys of
    `stores`.
    """

    def __init__(
        self,
        scope: PlatformStack,
        environment: Environment,
        key: str,
        network: NetworkConnections,
    ) -> None:
        settings, prefix = environment.caches[key], f"cache_{key}"
        group = StoreGroup(scope, environment, "cache", key, network)
        name = group.name
        subnets = ElasticacheSubnetGroup(
            scope,
            f"{prefix}_subnets",
            name=name,
            description=f"Where the cache {name} is",
            subnet_ids=network.database_subnet_ids,
        )
        replicated = settings.replicas > 0
        cache = ElasticacheReplicationGroup(
            scope,
            prefix,
            replication_group_id=name,
            description=f"The cache {name}",
            engine="valkey",
            # No release applies this stack, and replicas need the failover that is switched with them.
            apply_immediately=True,
            engine_version=settings.version,
            node_type=settings.node,
            num_cache_clusters=1 + settings.replicas,
            automatic_failover_enabled=replicated,
            multi_az_enabled=replicated,
            port=stores.VALKEY,
            subnet_group_name=subnets.name,
            security_group_ids=[group.id],
            transit_encryption_enabled=True,
            at_rest_encryption_enabled="true",
            snapshot_retention_limit=settings.snapshot_days,
            maintenance_window=settings.maintenance_window,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=environment.protected),
        )
        self.stored = {
            stores.stored_key(
                "caches", key, "url"
            ): f"rediss://{cache.primary_endpoint_address}:{stores.VALKEY}",
            stores.stored_key("caches", key, "group"): group.id,
        }


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for caches.

    Source: AWS Service Authorization Reference, "Actions, resources, and condition keys for Amazon
    ElastiCache": to create a group takes rights on what it is made of, too.
    """
    elasticache, name = f"arn:aws:elasticache:*:{account_id}", project.name
    return (
        Statement(
            "ChangeCaches",
            actions=[
                "elasticache:AddTagsToResource",
                "elasticache:CreateCacheSubnetGroup",
                "elasticache:CreateReplicationGroup",
                "elasticache:DecreaseReplicaCount",
                "elasticache:DeleteCacheSubnetGroup",
                "elasticache:DeleteReplicationGroup",
                "elasticache:IncreaseReplicaCount",
                "elasticache:ModifyCacheSubnetGroup",
                "elasticache:ModifyReplicationGroup",
                "elasticache:RemoveTagsFromResource",
            ],
            resources=[
                *(
                    f"{elasticache}:{kind}:{name}-*"
                    for kind in ("cluster", "replicationgroup", "subnetgroup")
                ),
                f"{elasticache}:parametergroup:default.valkey*",
            ],
        ),
    )
