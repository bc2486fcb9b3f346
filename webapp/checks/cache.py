"""Checks the status of an ElastiCache replication group."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_STATES: Final[Mapping[str, State]] = {
    **dict.fromkeys(("available", "modifying", "snapshotting"), State.OPERATIONAL),
    **dict.fromkeys(("create-failed", "creating", "deleting"), State.DOWN),
}
"""Source: Amazon ElastiCache API Reference, "ReplicationGroup", Status."""


async def check(clients: "Clients", component: Component, _settings: "Settings") -> Finding:
    """Returns operational while the cache can be used, else down; unknown for a status added since.

    Details: its `status`, and the number of `nodes`. Raises `AwsError`.
    """
    from webapp.calls import call_aws

    answer = await call_aws(
        "elasticache:DescribeReplicationGroups",
        clients.of("elasticache").describe_replication_groups(ReplicationGroupId=component.resource),
    )
    return found(answer["ReplicationGroups"][0])


def found(group: Mapping[str, Any]) -> Finding:
    """Returns the finding for what ElastiCache describes."""
    status, nodes = group["Status"], len(group.get("MemberClusters", ()))
    state = _STATES.get(status, State.UNKNOWN)
    return Finding(state, f"The cache is {status}.", {"status": status, "nodes": nodes})


CHECK: Final = Check(
    kind=Kind.CACHE,
    clients=("elasticache",),
    grants=(Grant("CheckCaches", ("elasticache:DescribeReplicationGroups",), Resource.CACHES),),
    missing="The cache does not exist.",
    run=check,
)
