"""Checks the status of an RDS instance."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_STATES: Final[Mapping[str, State]] = {
    **dict.fromkeys(
        (
            *("available", "backing-up", "configuring-enhanced-monitoring", "configuring-iam-database-auth"),
            *(
                "configuring-log-exports",
                "delete-precheck",
                "modifying",
                "resetting-master-credentials",
                "storage-config-upgrade",
            ),
            *("storage-initialization", "storage-optimization"),
        ),
        State.OPERATIONAL,
    ),
    # It is interrupted for a while, or may be.
    **dict.fromkeys(
        (
            *("converting-to-vpc", "maintenance", "moving-to-vpc", "rebooting", "renaming", "starting"),
            "upgrading",
        ),
        State.DEGRADED,
    ),
    **dict.fromkeys(
        (
            *("creating", "deleting", "failed", "inaccessible-encryption-credentials"),
            *(
                "inaccessible-encryption-credentials-recoverable",
                "incompatible-create",
                "incompatible-network",
            ),
            *("incompatible-option-group", "incompatible-parameters", "incompatible-restore"),
            *("insufficient-capacity", "restore-error", "stopped", "stopping", "storage-full"),
        ),
        State.DOWN,
    ),
}
"""Source: Amazon RDS User Guide, "Viewing Amazon RDS DB instance status"."""


async def check(clients: "Clients", component: Component, _settings: "Settings") -> Finding:
    """Returns the finding for the instance's status. Detail: its `status`. Raises `AwsError`."""
    from webapp.calls import call_aws

    answer = await call_aws(
        "rds:DescribeDBInstances",
        clients.of("rds").describe_db_instances(DBInstanceIdentifier=component.resource),
    )
    return found(answer["DBInstances"][0]["DBInstanceStatus"])


def found(status: str) -> Finding:
    """Returns the finding for the status of an instance; unknown for one that RDS has since added."""
    state = _STATES.get(status, State.UNKNOWN)
    return Finding(state, f"The database is {status}.", {"status": status})


CHECK: Final = Check(
    kind=Kind.DATABASE,
    clients=("rds",),
    grants=(Grant("CheckDatabases", ("rds:DescribeDBInstances",), Resource.DATABASES),),
    missing="The database does not exist.",
    run=check,
)
