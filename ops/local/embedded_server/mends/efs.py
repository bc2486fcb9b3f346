"""File systems of EFS: actions that moto lacks, and what EFS refuses of policies, paths and throughput.

Nothing can be mounted here. Sources: Amazon EFS API Reference, "PutBackupPolicy", "UpdateFileSystem",
"PutFileSystemPolicy", "DeleteFileSystemPolicy", "PutLifecycleConfiguration", "CreateAccessPoint" and its
types "RootDirectory" and "CreationInfo"; Amazon EFS User Guide, "Amazon EFS performance specifications".
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from moto.efs.exceptions import BadRequest, EFSError, FileSystemNotFound
from moto.efs.models import AccessPoint, EFSBackend, FileSystem
from moto.efs.responses import TYPE_RESPONSE, EFSResponse

from ops.local.embedded_server.authorization.policies import written_statements
from ops.local.embedded_server.patching import patch

_JSON: Final = {"Content-Type": "application/json"}
_BACKUPS: Final = ("ENABLED", "DISABLED")
_THROUGHPUTS: Final = ("bursting", "provisioned", "elastic")
_PATH: Final = re.compile(r"/|(/(?!\.+(/|$))[^$#<>;`|&?{}^*/\n]+){1,4}")
_LONGEST_PATH: Final = 100
_PERMISSIONS: Final = re.compile(r"[0-7]{3,4}")
_MOST_ID: Final = 2**32 - 1
_DAYS: Final = tuple(f"AFTER_{days}_DAYS" for days in (1, 7, 14, 30, 60, 90, 180, 270, 365))
_TRANSITIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "TransitionToIA": _DAYS,
    "TransitionToArchive": _DAYS,
    "TransitionToPrimaryStorageClass": ("AFTER_1_ACCESS",),
}

_create = EFSBackend.create_file_system
_create_access_point = EFSBackend.create_access_point
_put_policy = EFSBackend.put_file_system_policy
_put_lifecycle = EFSBackend.put_lifecycle_configuration
_backup = FileSystem.backup_policy


def mend() -> None:
    """Mends moto's file systems."""
    patch(
        EFSBackend,
        create_file_system,
        create_access_point,
        put_file_system_policy,
        put_lifecycle_configuration,
    )
    patch(EFSResponse, put_backup_policy, delete_file_system_policy, update_file_system)
    patch(FileSystem, backup_policy=property(backup_policy))


def create_file_system(backend: EFSBackend, **wanted: Any) -> FileSystem:
    """Creates a file system with a throughput that EFS takes."""
    _check_throughput(wanted["throughput_mode"], wanted["provisioned_throughput_in_mibps"])
    if wanted["throughput_mode"] == "elastic" and wanted["performance_mode"] == "maxIO":
        raise BadRequest("Elastic throughput is supported with the General Purpose performance mode only.")
    return _create(backend, **wanted)


def update_file_system(response: EFSResponse) -> TYPE_RESPONSE:
    """EFS's UpdateFileSystem, which changes the throughput."""
    system = _system(response.efs_backend, str(response._get_param("FileSystemId")))
    mode = response._get_param("ThroughputMode") or system.throughput_mode
    throughput = response._get_param("ProvisionedThroughputInMibps")
    _check_throughput(mode, throughput)
    system.throughput_mode, system.provisioned_throughput_in_mibps = mode, throughput
    return json.dumps(system.info_json()), {**_JSON, "status": 202}


def backup_policy(system: FileSystem) -> dict[str, str] | None:
    """What DescribeBackupPolicy answers."""
    given: str | None = vars(system).get("_backup_status")
    found: dict[str, str] | None = _backup.fget(system)  # type: ignore[attr-defined]  # a property
    return {"Status": given} if given else found


def put_backup_policy(response: EFSResponse) -> TYPE_RESPONSE:
    """EFS's PutBackupPolicy."""
    system = _system(response.efs_backend, str(response._get_param("FileSystemId")))
    status = (response._get_param("BackupPolicy") or {}).get("Status")
    if status not in _BACKUPS:
        raise BadRequest(f"The status of a backup policy is one of {', '.join(_BACKUPS)}: {status}")
    vars(system)["_backup_status"] = status
    return json.dumps({"BackupPolicy": {"Status": status}}), {**_JSON}


def put_file_system_policy(
    backend: EFSBackend, file_system_id: str, policy: str, bypass_policy_lockout_safety_check: bool
) -> None:
    """Sets a policy that EFS can read."""
    _system(backend, file_system_id)
    if not written_statements(policy):
        raise _refused("InvalidPolicyException", "The policy is malformed or contains an error.")
    _put_policy(backend, file_system_id, policy, bypass_policy_lockout_safety_check)


def delete_file_system_policy(response: EFSResponse) -> TYPE_RESPONSE:
    """EFS's DeleteFileSystemPolicy."""
    _system(response.efs_backend, str(response._get_param("FileSystemId"))).file_system_policy = None
    return "{}", {**_JSON}


def put_lifecycle_configuration(
    backend: EFSBackend, file_system_id: str, policies: list[dict[str, str]]
) -> None:
    """Sets transitions, each of them once and in an object of its own."""
    names = [name for policy in policies for name in policy]
    for policy in policies:
        for name, value in policy.items():
            if len(policy) != 1 or value not in _TRANSITIONS.get(name, ()) or names.count(name) > 1:
                raise BadRequest(f"One or more LifecyclePolicy objects specified are malformed: {policy}")
    _put_lifecycle(backend, file_system_id, policies)


def create_access_point(backend: EFSBackend, client_token: str, **wanted: Any) -> AccessPoint:
    """Creates an access point with a path and owners that EFS takes."""
    _system(backend, wanted["file_system_id"])
    if known := next(
        (each for each in backend.access_points.values() if each.client_token == client_token), None
    ):
        raise _refused(
            "AccessPointAlreadyExists", f"Access point {known.access_point_id} already exists.", 409
        )
    root = wanted["root_directory"] or {}
    path = root.get("Path", "/")
    if not _PATH.fullmatch(path) or len(path) > _LONGEST_PATH:
        raise BadRequest(
            f"{path} is not the path of a directory, with at most four levels and 100 characters."
        )
    owner = root.get("CreationInfo")
    if owner and not _PERMISSIONS.fullmatch(str(owner.get("Permissions", ""))):
        raise BadRequest(f"Permissions are three or four octal digits: {owner.get('Permissions')}")
    ids = [
        *((owner or {}).get(name, 0) for name in ("OwnerUid", "OwnerGid")),
        *((wanted["posix_user"] or {}).get(name, 0) for name in ("Uid", "Gid")),
    ]
    if not all(0 <= int(each) <= _MOST_ID for each in ids):
        raise BadRequest(f"A user or group id is from 0 to {_MOST_ID}.")
    return _create_access_point(backend, client_token, **wanted)


def _check_throughput(mode: str | None, provisioned: float | None) -> None:
    if mode is not None and mode not in _THROUGHPUTS:
        raise BadRequest(f"The throughput mode is one of {', '.join(_THROUGHPUTS)}: {mode}")
    if (mode == "provisioned") is not bool(provisioned):
        raise BadRequest(
            "ProvisionedThroughputInMibps goes with the throughput mode provisioned, and only that."
        )


def _system(backend: EFSBackend, name: str) -> FileSystem:
    if name not in backend.file_systems_by_id:
        raise FileSystemNotFound(name)
    return backend.file_systems_by_id[name]


def _refused(kind: str, text: str, status: int = 400) -> EFSError:
    error = EFSError(kind, text)
    error.code = status
    return error
