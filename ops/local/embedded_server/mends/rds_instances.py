"""RDS instances with PostgreSQL: what RDS fills in, defers and refuses, and moto does not.

Sources: Amazon RDS API Reference, "CreateDBInstance", "ModifyDBInstance", "DeleteDBInstance",
"RestoreDBInstanceFromDBSnapshot" and "DBInstance"; Amazon RDS User Guide, "Settings for DB instances",
"DB instance class types" and "Upgrading the RDS for PostgreSQL DB engine". The errors are as these quote
them: tryretool/terraform-retool-modules issue 70 (version), aws/aws-cdk pull request 5076 (user name),
hashicorp-education/learn-terraform-outputs pull request 12 (class), mattermost/mattermost-load-test-ng pull
request 707 (family), hashicorp/terraform-provider-aws issue 13389 and
ministryofjustice/cloud-platform-environments pull request 8659 (upgrades).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from moto.moto_api._internal import mock_random
from moto.rds.exceptions import (
    DBInstanceAlreadyExists,
    InvalidParameterCombination,
    InvalidParameterValue,
    RDSClientError,
)
from moto.rds.models import DBInstance, MasterUserSecret, RDSBackend

from ops.local.embedded_server.patching import kept, patch

MINOR_VERSIONS: Final = {"13": 23, "14": 20, "15": 15, "16": 11, "17": 7, "18": 1}
"""The minor version that RDS takes for a major one. Newer ones are accepted."""

_CLASS: Final = re.compile(
    r"db\.(?:t[34]g?|m[5-8][a-z]*|r[5-8][a-z]*|x[1-8][a-z]*|z1d)\.(?:micro|small|medium|large|\d*xlarge|metal)"
)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_RESERVED: Final = frozenset({"admin", "rdsadmin"})
_LEAST_STORAGE: Final = 20
"""GiB of storage of the types gp2 and gp3."""

_RENAMED: Final = {
    "enable_performance_insights": "performance_insights_enabled",
    "db_port_number": "port",
}
"""Arguments that a description calls otherwise."""

_FILLED_IN: Final[Mapping[str, Any]] = {
    "backup_target": "region",
    "customer_owned_ip_enabled": False,
    "database_insights_mode": "standard",
    "dedicated_log_volume": False,
    "engine_lifecycle_support": "open-source-rds-extended-support",
    "network_type": "IPV4",
    "performance_insights_enabled": False,
    "performance_insights_kms_key_id": None,
    "performance_insights_retention_period": None,
}
"""What a description has if nobody says otherwise."""

_DEFERRED: Final = {
    "allocated_storage": "AllocatedStorage",
    "db_instance_class": "DBInstanceClass",
    "engine_version": "EngineVersion",
    "iops": "Iops",
    "multi_az": "MultiAZ",
    "storage_throughput": "StorageThroughput",
    "storage_type": "StorageType",
}
"""What waits for the maintenance window unless it is to be applied immediately."""

_create = RDSBackend.create_db_instance
_modify = RDSBackend.modify_db_instance
_delete = RDSBackend.delete_db_instance
_restore = RDSBackend.restore_db_instance_from_db_snapshot
_restore_to_time = RDSBackend.restore_db_instance_to_point_in_time


def mend() -> None:
    """Mends moto's instances."""
    patch(
        RDSBackend,
        create_db_instance,
        modify_db_instance,
        delete_db_instance,
        restore_db_instance_from_db_snapshot,
        restore_db_instance_to_point_in_time,
    )
    # A restored instance is a copy, for which moto copies all that the secret knows: the whole backend.
    patch(MasterUserSecret, __deepcopy__=lambda secret, _: secret)


def create_db_instance(backend: RDSBackend, db_kwargs: Mapping[str, Any]) -> DBInstance:
    """Creates an instance that RDS would create."""
    given = {**db_kwargs}
    if given.get("engine") != "postgres":
        return _create(backend, given)
    given["engine_version"] = version = _version(str(given.get("engine_version") or max(MINOR_VERSIONS)))
    given["license_model"] = "postgresql-license"
    _check_class(given["db_instance_class"], version)
    _check_names(given)
    _check_group(backend, given.get("db_parameter_group_name"), version)
    if (storage := int(given.get("allocated_storage") or 0)) < _LEAST_STORAGE:
        kind = given.get("storage_type") or "gp2"
        raise InvalidParameterValue(
            f"Invalid storage size for engine name postgres and storage type {kind}: {storage}"
        )
    # RDS knows of more than moto, which passes over the rest.
    database = _create(backend, given)
    database.dbi_resource_id = f"db-{''.join(mock_random.choices('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', k=26))}"
    if database.ca_certificate_identifier == "rds-ca-default":
        database.ca_certificate_identifier = "rds-ca-rsa2048-g1"
    if not database.option_group_supplied:
        database.option_group_name = f"default:postgres-{_major(version)}"
    vars(database).update(_FILLED_IN)
    _keep(database, given)
    return database


def modify_db_instance(
    backend: RDSBackend, db_instance_identifier: str, db_kwargs: Mapping[str, Any]
) -> DBInstance:
    """Changes an instance; what waits for the maintenance window does so until all is applied."""
    given = {**db_kwargs}
    database = backend.describe_db_instances(db_instance_identifier)[0]
    if database.engine != "postgres":
        return _modify(backend, db_instance_identifier, given)
    version = database.engine_version
    if wanted := given.pop("engine_version", None):
        version = _upgraded(database, str(wanted), allowed=bool(given.get("allow_major_version_upgrade")))
        if version != database.engine_version:
            given["engine_version"] = version
    _check_class(given.get("db_instance_class", database.db_instance_class), version)
    group = given.get("db_parameter_group_name") or database.db_parameter_group_name
    if group and not database.is_default_parameter_group(group):
        _check_group(backend, group, version)
    if given.get("manage_master_user_password") and database.manage_master_user_password:
        # moto would make another secret, and forget the first one.
        del given["manage_master_user_password"]
    renamed = given.get("new_db_instance_identifier")
    if renamed and renamed in backend.databases:
        raise DBInstanceAlreadyExists()
    pending: dict[str, Any] = kept(database, "pending_modified_values", {})
    if given.get("apply_immediately"):
        deferred = {**_DEFERRED, "new_db_instance_identifier": "DBInstanceIdentifier"}
        waiting = {name: pending.pop(shown) for name, shown in deferred.items() if shown in pending}
        given = {**waiting, **given}
    else:
        if renamed:
            pending["DBInstanceIdentifier"] = given.pop("new_db_instance_identifier")
        for name, shown in _DEFERRED.items():
            if name in given and (value := given.pop(name)) != getattr(database, name):
                pending[shown] = value
    changed = _modify(backend, db_instance_identifier, given)
    _keep(changed, given)
    return changed


def delete_db_instance(
    backend: RDSBackend,
    db_instance_identifier: str,
    final_db_snapshot_identifier: str | None = None,
    skip_final_snapshot: bool | None = False,
    delete_automated_backups: bool | None = True,
) -> DBInstance:
    """Deletes an instance, if it is said what becomes of the data."""
    database = backend.databases.get(db_instance_identifier)
    if database and not database.deletion_protection and not database.db_cluster_identifier:
        if final_db_snapshot_identifier and skip_final_snapshot:
            raise InvalidParameterCombination(
                "FinalDBSnapshotIdentifier can not be specified when deleting a DB instance with "
                "SkipFinalSnapshot"
            )
        if not final_db_snapshot_identifier and not skip_final_snapshot:
            raise InvalidParameterCombination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            )
    return _delete(
        backend,
        db_instance_identifier,
        final_db_snapshot_identifier,
        skip_final_snapshot,
        delete_automated_backups,
    )


def restore_db_instance_from_db_snapshot(
    backend: RDSBackend, from_snapshot_id: str, overrides: Mapping[str, Any]
) -> DBInstance:
    """Creates an instance from a snapshot, whose password is the former one unless RDS is to manage it."""
    return _unmanaged(_restore(backend, from_snapshot_id, {**overrides}), overrides)


def restore_db_instance_to_point_in_time(
    backend: RDSBackend, source_db_identifier: str, target_db_identifier: str, overrides: Mapping[str, Any]
) -> DBInstance:
    """Creates an instance from the backups of another one; see `restore_db_instance_from_db_snapshot`."""
    source = backend.describe_db_instances(source_db_identifier)[0]
    if not source.backup_retention_period:
        raise RDSClientError(
            "PointInTimeRestoreNotEnabled",
            f"Point in time restore is not enabled for the DB instance {source_db_identifier}",
        )
    restored = _restore_to_time(backend, source_db_identifier, target_db_identifier, {**overrides})
    return _unmanaged(restored, overrides)


def _unmanaged(database: DBInstance, overrides: Mapping[str, Any]) -> DBInstance:
    database.deletion_protection = bool(overrides.get("deletion_protection", False))
    if database.manage_master_user_password and not overrides.get("manage_master_user_password"):
        database.update(manage_master_user_password=False)
    return database


def _keep(database: DBInstance, given: Mapping[str, Any]) -> None:
    """Keeps what moto forgets, or keeps by the wrong name."""
    described = vars(database)
    for argument, value in given.items():
        name = _RENAMED.get(argument, argument)
        if value is not None and name in (*_FILLED_IN, *_RENAMED.values()):
            described[name] = value
    insights = described["performance_insights_enabled"]
    key = f"arn:aws:kms:{database.region}:{database.account_id}:key/aws-rds"
    for name, value in {
        "performance_insights_kms_key_id": key,
        "performance_insights_retention_period": 7,
    }.items():
        described[name] = (described[name] or value) if insights else None


def _major(version: str) -> str:
    return version.partition(".")[0]


def _version(version: str) -> str:
    """Returns a whole version; RDS chooses the minor one if there is none."""
    major, _, minor = version.partition(".")
    if major not in MINOR_VERSIONS or (minor and not re.fullmatch(r"[1-9]\d?", minor)):
        raise InvalidParameterCombination(f"Cannot find version {version} for postgres")
    return version if minor else f"{major}.{MINOR_VERSIONS[major]}"


def _upgraded(database: DBInstance, wanted: str, *, allowed: bool) -> str:
    """Returns the version that an instance gets, which is never an older one."""
    now = database.engine_version
    if wanted == _major(now):
        return now
    version = _version(wanted)
    if [int(part) for part in version.split(".")] < [int(part) for part in now.split(".")]:
        raise InvalidParameterCombination(f"Cannot upgrade postgres from {now} to {version}")
    if _major(version) != _major(now) and not allowed:
        raise InvalidParameterCombination(
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version."
        )
    return version


def _check_class(name: str, version: str) -> None:
    if not _CLASS.fullmatch(name):
        raise InvalidParameterCombination(
            "RDS does not support creating a DB instance with the following combination: "
            f"DBInstanceClass={name}, Engine=postgres, EngineVersion={version}, "
            "LicenseModel=postgresql-license. For supported combinations of instance class and database "
            "engine version, see the documentation."
        )


def _check_names(given: Mapping[str, Any]) -> None:
    user, database = str(given.get("master_username") or ""), str(given.get("db_name") or "")
    if not _NAME.fullmatch(user):
        raise InvalidParameterValue(
            "MasterUsername must begin with a letter and contain only alphanumeric characters or underscores."
        )
    if user.lower() in _RESERVED:
        raise InvalidParameterValue(
            f"MasterUsername {user} cannot be used as it is a reserved word used by the engine"
        )
    if database and not _NAME.fullmatch(database):
        raise InvalidParameterValue(
            "DBName must begin with a letter and contain only alphanumeric characters."
        )


def _check_group(backend: RDSBackend, name: str | None, version: str) -> None:
    """Refuses a parameter group of another version; moto refuses one that does not exist."""
    group = backend.db_parameter_groups.get(name or "")
    family = f"postgres{_major(version)}"
    if group and group.family != family:
        raise InvalidParameterCombination(
            f"The parameter group {name} with DBParameterGroupFamily {group.family} can't be used for this "
            f"instance. Use a parameter group with DBParameterGroupFamily {family}."
        )
