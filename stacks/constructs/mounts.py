"""The volumes that a service mounts, each by an access point of its own."""

from collections.abc import Iterator
from dataclasses import dataclass

from stacks import naming
from stacks.bindings import (
    Construct,
    EcsTaskDefinitionVolume,
    EcsTaskDefinitionVolumeEfsVolumeConfiguration,
    EcsTaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfig,
    EfsAccessPoint,
    EfsAccessPointPosixUser,
    EfsAccessPointRootDirectory,
    EfsAccessPointRootDirectoryCreationInfo,
)
from stacks.constructs.data_connections import DataConnections
from stacks.policies import Statement
from stacks.stores import Mount
from stacks.workloads import Workload


@dataclass(frozen=True)
class _Mounted:
    mount: Mount
    file_system_id: str
    file_system_arn: str
    access_point: EfsAccessPoint


class Mounts:
    """The access points of a workload; every container mounts every volume.

    All services see the files as the one user that the settings of the volume name.
    Source: Amazon EFS User Guide, "Working with Amazon EFS access points"; Amazon ECS Developer Guide,
    "Use Amazon EFS volumes with Amazon ECS".
    """

    def __init__(self, scope: Construct, workload: Workload, data: DataConnections) -> None:
        self._mounted: list[_Mounted] = []
        for each in workload.connections:
            if mount := each.mount:
                file_system = data.values[mount.file_system.key]
                uid, gid = map(int, mount.user.split(":"))
                point = EfsAccessPoint(
                    scope,
                    f"{workload.key}_volume_{mount.name}",
                    file_system_id=file_system,
                    posix_user=EfsAccessPointPosixUser(uid=uid, gid=gid),
                    root_directory=EfsAccessPointRootDirectory(
                        path="/shared",
                        creation_info=EfsAccessPointRootDirectoryCreationInfo(
                            owner_uid=uid, owner_gid=gid, permissions="0755"
                        ),
                    ),
                    tags={"Name": f"{workload.name}-{mount.name}"},
                )
                self._mounted.append(_Mounted(mount, file_system, data.values[mount.arn.key], point))

    def volumes(self) -> list[EcsTaskDefinitionVolume]:
        """Returns the volumes of a task."""
        return [
            EcsTaskDefinitionVolume(
                name=naming.task_volume(each.mount.name),
                efs_volume_configuration=EcsTaskDefinitionVolumeEfsVolumeConfiguration(
                    file_system_id=each.file_system_id,
                    transit_encryption="ENABLED",
                    authorization_config=EcsTaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfig(
                        access_point_id=each.access_point.id, iam="ENABLED"
                    ),
                ),
            )
            for each in self._mounted
        ]

    def points(self) -> list[dict[str, object]]:
        """Returns the mount points of each container, as ECS knows them."""
        return [
            {
                "sourceVolume": naming.task_volume(each.mount.name),
                "containerPath": each.mount.path,
                "readOnly": each.mount.read_only,
            }
            for each in self._mounted
        ]

    def statements(self) -> Iterator[Statement]:
        """Yields what the task role needs to mount them."""
        for each in self._mounted:
            writes = () if each.mount.read_only else ("elasticfilesystem:ClientWrite",)
            yield Statement(
                f"Mount{each.mount.name.title().replace('-', '')}",
                ["elasticfilesystem:ClientMount", *writes],
                [each.file_system_arn],
                conditions={"StringEquals": {"elasticfilesystem:AccessPointArn": each.access_point.arn}},
            )
