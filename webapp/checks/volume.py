"""Checks an EFS file system, found by the creation token that the platform gave it: AWS chooses its id."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_STATES: Final[Mapping[str, State]] = {
    **dict.fromkeys(("available", "updating"), State.OPERATIONAL),
    **dict.fromkeys(("creating", "deleted", "deleting", "error"), State.DOWN),
}
"""Source: Amazon EFS API Reference, "FileSystemDescription", LifeCycleState."""

_MISSING: Final = "The file system does not exist."


async def check(clients: "Clients", component: Component, _settings: "Settings") -> Finding:
    """Returns operational while the file system is available and has a mount target.

    Details: its `status`, and the number of `mount_targets`. Raises `AwsError`.
    """
    from webapp.calls import call_aws

    answer = await call_aws(
        "elasticfilesystem:DescribeFileSystems",
        clients.of("efs").describe_file_systems(CreationToken=component.resource),
    )
    return found(answer["FileSystems"])


def found(file_systems: list[Mapping[str, Any]]) -> Finding:
    """Returns the finding for what EFS describes: one file system, or none."""
    if not file_systems:
        return Finding(State.DOWN, _MISSING)
    status, targets = file_systems[0]["LifeCycleState"], file_systems[0]["NumberOfMountTargets"]
    details = {"status": status, "mount_targets": targets}
    state = _STATES.get(status, State.UNKNOWN)
    if state is not State.OPERATIONAL:
        return Finding(state, f"The file system is {status}.", details)
    if not targets:
        return Finding(State.DOWN, "The file system has no mount target, so no task can mount it.", details)
    return Finding(State.OPERATIONAL, f"The file system is {status}; mount targets: {targets}.", details)


CHECK: Final = Check(
    kind=Kind.VOLUME,
    clients=("efs",),
    grants=(Grant("CheckVolumes", ("elasticfilesystem:DescribeFileSystems",), Resource.VOLUMES),),
    missing=_MISSING,
    run=check,
)
