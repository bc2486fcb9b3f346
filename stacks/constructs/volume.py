"""A file system that tasks mount."""

from typing import Final

from stacks import stores
from stacks.bindings import (
    EfsBackupPolicy,
    EfsBackupPolicyBackupPolicy,
    EfsFileSystem,
    EfsFileSystemLifecyclePolicy,
    EfsFileSystemPolicy,
    EfsMountTarget,
    TerraformResourceLifecycle,
)
from stacks.constructs.network_connections import NetworkConnections
from stacks.constructs.platform_stack import PlatformStack
from stacks.constructs.store_group import StoreGroup
from stacks.policies import Statement, document, tls_only
from stacks.settings import Environment, Project

LINKED_ROLE: Final = "elasticfilesystem.amazonaws.com"
"""The service whose linked role comes with the first mount target of an account."""


class Volume:
    """An EFS file system of `[volumes]` with a mount target in each zone, encrypted, mounted over TLS only.

    Who may mount it is said by the access points and rules of the service stack. `stored` is what services
    use of it, by the keys of `stores`.
    """

    def __init__(
        self,
        scope: PlatformStack,
        environment: Environment,
        key: str,
        network: NetworkConnections,
    ) -> None:
        settings, prefix = environment.volumes[key], f"volume_{key}"
        group = StoreGroup(scope, environment, "volume", key, network)
        name = group.name
        days = settings.infrequent_access_days
        files = EfsFileSystem(
            scope,
            prefix,
            creation_token=name,
            encrypted=True,
            throughput_mode="elastic",
            lifecycle_policy=[EfsFileSystemLifecyclePolicy(transition_to_ia=f"AFTER_{days}_DAYS")]
            if days
            else None,
            tags={"Name": name},
            lifecycle=TerraformResourceLifecycle(prevent_destroy=environment.protected),
        )
        EfsFileSystemPolicy(
            scope,
            f"{prefix}_policy",
            file_system_id=files.id,
            # Without a statement that allows anything, nobody mounts it who has no right to by a role.
            policy=document(tls_only("elasticfilesystem:*", files.arn)),
        )
        EfsBackupPolicy(
            scope,
            f"{prefix}_backups",
            file_system_id=files.id,
            backup_policy=EfsBackupPolicyBackupPolicy(status="ENABLED" if settings.backups else "DISABLED"),
        )
        for zone, subnet in zip(network.database_zones, network.database_subnet_ids, strict=True):
            EfsMountTarget(
                scope,
                f"{prefix}_in_{zone}",
                file_system_id=files.id,
                subnet_id=subnet,
                security_groups=[group.id],
            )
        self.stored = {
            stores.stored_key("volumes", key, "id"): files.id,
            stores.stored_key("volumes", key, "arn"): files.arn,
            stores.stored_key("volumes", key, "group"): group.id,
        }


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for file systems and access points, whose ids AWS chooses.

    Source: Amazon EFS User Guide, "Managing mount targets", for the network interfaces.
    """
    efs, ec2 = f"arn:aws:elasticfilesystem:*:{account_id}", f"arn:aws:ec2:*:{account_id}"
    own, given = ({f"aws:{of}Tag/project": project.name} for of in ("Resource", "Request"))
    return (
        Statement(
            "CreateFileSystems",
            actions=["elasticfilesystem:CreateFileSystem"],
            resources=["*"],
            conditions={"StringEquals": given},
        ),
        Statement(
            "ChangeFileSystems",
            actions=[
                "elasticfilesystem:CreateAccessPoint",
                "elasticfilesystem:CreateMountTarget",
                "elasticfilesystem:DeleteAccessPoint",
                "elasticfilesystem:DeleteFileSystem",
                "elasticfilesystem:DeleteFileSystemPolicy",
                "elasticfilesystem:DeleteMountTarget",
                "elasticfilesystem:ModifyMountTargetSecurityGroups",
                "elasticfilesystem:PutBackupPolicy",
                "elasticfilesystem:PutFileSystemPolicy",
                "elasticfilesystem:PutLifecycleConfiguration",
                "elasticfilesystem:UntagResource",
                "elasticfilesystem:UpdateFileSystem",
            ],
            resources=[f"{efs}:file-system/*", f"{efs}:access-point/*"],
            conditions={"StringEquals": own},
        ),
        Statement(
            "TagFileSystems",
            actions=["elasticfilesystem:TagResource"],
            resources=[f"{efs}:file-system/*", f"{efs}:access-point/*"],
            conditions={"StringEquals": given},
        ),
        Statement(
            "ConnectFileSystems",
            actions=[
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:ModifyNetworkInterfaceAttribute",
            ],
            resources=[f"{ec2}:{kind}/*" for kind in ("network-interface", "security-group", "subnet")],
        ),
    )
