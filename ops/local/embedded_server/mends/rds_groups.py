"""DB parameter groups and DB subnet groups, of which moto forgets half.

It forgets who set a parameter, and what may be set; Terraform takes the parameters that `user` has set. It
loses a subnet group that is modified, and deletes one that is in use. Sources: Amazon RDS API Reference,
"ModifyDBParameterGroup", "ResetDBParameterGroup", "DeleteDBParameterGroup", "Parameter",
"ModifyDBSubnetGroup" and "DeleteDBSubnetGroup"; Amazon RDS User Guide, "Working with parameters on your RDS
for PostgreSQL DB instance"; the error about static parameters as hashicorp/terraform-provider-aws issue 216
quotes it, that about families as aws-cloudformation/cloudformation-coverage-roadmap issue 703 does. The names
of PostgreSQL's own parameters, and which of them take a restart, are those of the PostgreSQL on this machine,
if there is one.
"""

import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.ec2.models.subnets import Subnet
from moto.rds.exceptions import (
    DBParameterGroupNotFoundError,
    InvalidParameterCombination,
    InvalidParameterValue,
    RDSClientError,
)
from moto.rds.models import DBParameterGroup, DBSubnetGroup, RDSBackend
from moto.rds.responses import RDSResponse

from ops.local.database_server.binaries import find_binaries
from ops.local.embedded_server.mends.rds_instances import MINOR_VERSIONS
from ops.local.embedded_server.patching import patch

_OF_RDS: Final = {
    "rds.accepted_password_auth_method": False,
    "rds.adaptive_autovacuum": False,
    "rds.allowed_extensions": False,
    "rds.extensions": True,
    "rds.force_admin_logging_level": False,
    "rds.force_autovacuum_logging_level": False,
    "rds.force_ssl": False,
    "rds.log_retention_period": False,
    "rds.logical_replication": True,
    "rds.pg_stat_ramdisk_size": True,
    "rds.rds_superuser_reserved_connections": True,
    "rds.restrict_password_commands": True,
    "rds.superuser_variables": False,
}
"""RDS's own parameters, and whether they take a restart."""

_create = RDSBackend.create_db_parameter_group
_modify = RDSBackend.modify_db_parameter_group
_delete = RDSBackend.delete_db_parameter_group
_modify_subnets = RDSBackend.modify_db_subnet_group
_delete_subnets = RDSBackend.delete_subnet_group


def mend() -> None:
    """Mends moto's DB parameter groups and DB subnet groups."""
    patch(
        RDSBackend,
        create_db_parameter_group,
        modify_db_parameter_group,
        delete_db_parameter_group,
        modify_db_subnet_group,
        delete_subnet_group,
    )
    patch(RDSResponse, reset_db_parameter_group)


def create_db_parameter_group(backend: RDSBackend, db_parameter_group_kwargs: Mapping[str, Any]) -> Any:
    """Creates a group of a family that there is."""
    family = str(db_parameter_group_kwargs.get("db_parameter_group_family") or "")
    if family.startswith("postgres") and family.removeprefix("postgres") not in MINOR_VERSIONS:
        raise InvalidParameterValue(f"ParameterGroupFamily {family} is not a valid parameter group family")
    return _create(backend, {**db_parameter_group_kwargs})


def modify_db_parameter_group(
    backend: RDSBackend,
    db_parameter_group_name: str,
    db_parameter_group_parameters: Iterable[Mapping[str, Any]],
) -> DBParameterGroup:
    """Sets parameters, all of them or none."""
    given = [{**each} for each in db_parameter_group_parameters]
    group = _group(backend, db_parameter_group_name)
    for each in given:
        static = _is_static(str(group.family), each["ParameterName"])
        if static and each.get("ApplyMethod") == "immediate":
            raise InvalidParameterCombination("cannot use immediate apply method for static parameter")
        each |= {
            "ApplyType": "static" if static else "dynamic",
            "IsModifiable": True,
            "Source": "user",
        }
    return _modify(backend, db_parameter_group_name, given)


def reset_db_parameter_group(response: RDSResponse) -> ActionResult:
    """Gives some or all parameters of a group their defaults, which moto does not know."""
    group = _group(response.backend, response.params["DBParameterGroupName"])
    if response.params.get("ResetAllParameters"):
        group.parameters.clear()
    for each in response.params.get("Parameters") or ():
        group.parameters.pop(each["ParameterName"], None)
    return ActionResult({"DBParameterGroupName": group.name})


def delete_db_parameter_group(backend: RDSBackend, db_parameter_group_name: str) -> DBParameterGroup:
    """Deletes a group that no instance uses."""
    for database in backend.databases.values():
        if database.db_parameter_group_name == db_parameter_group_name:
            raise RDSClientError(
                "InvalidDBParameterGroupState",
                "One or more database instances are still members of this parameter group "
                f"{db_parameter_group_name}, so the group cannot be deleted",
            )
    return _delete(backend, db_parameter_group_name)


def modify_db_subnet_group(
    backend: RDSBackend, subnet_name: str, description: str, subnets: list[Subnet]
) -> DBSubnetGroup:
    """Changes a group's description and subnets, and keeps it."""
    group = _modify_subnets(backend, subnet_name, description, subnets)
    backend.subnet_groups[subnet_name] = group
    return group


def delete_subnet_group(backend: RDSBackend, subnet_name: str) -> DBSubnetGroup:
    """Deletes a DB subnet group that no instance is in."""
    for database in backend.databases.values():
        if database._db_subnet_group_name == subnet_name:
            raise RDSClientError(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{subnet_name}' because at least one database instance: "
                f"{database.db_instance_identifier} is still using it.",
            )
    return _delete_subnets(backend, subnet_name)


def _group(backend: RDSBackend, name: str) -> DBParameterGroup:
    if name not in backend.db_parameter_groups:
        raise DBParameterGroupNotFoundError(name)
    return backend.db_parameter_groups[name]


def _is_static(family: str, name: str) -> bool:
    """Returns whether a parameter takes a restart; refuses one that does not exist.

    Extensions have parameters of their own, which are taken for dynamic.
    """
    of_postgresql = _contexts() if family.startswith("postgres") else {}
    if not of_postgresql:
        return _OF_RDS.get(name, False)
    prefix, dot, _ = name.partition(".")
    if name not in (*of_postgresql, *_OF_RDS) and (not dot or prefix == "rds"):
        raise InvalidParameterValue(f"Could not find parameter with name: {name}")
    return _OF_RDS.get(name, of_postgresql.get(name) == "postmaster")


@cache
def _contexts() -> Mapping[str, str]:
    """Returns when PostgreSQL reads each parameter, or nothing if this machine has no PostgreSQL.

    Source: PostgreSQL documentation, "postgres", --describe-config, whose first columns these are.
    """
    binaries = find_binaries()
    if binaries is None:
        return {}
    command = (str(binaries / "postgres"), "--describe-config")
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {name: context for name, context, *_ in (line.split("\t") for line in lines)}
