"""Replication groups of ElastiCache: what it refuses, their members, and their changes.

moto makes one member whatever is asked for, does not know it as a cluster, forgets most changes, and never
ends the deletion of a group.
Sources: Amazon ElastiCache API Reference, "CreateReplicationGroup", "ModifyReplicationGroup",
"IncreaseReplicaCount", "DeleteReplicationGroup" and "DescribeCacheClusters"; Amazon ElastiCache User Guide,
"Authenticating with the Valkey and Redis OSS AUTH command", "Minimizing downtime in ElastiCache by using
Multi-AZ", "Comparing self-designed cluster engine versions" and "Finding connection endpoints".
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from moto.core.responses import ActionResult, PaginatedResult
from moto.ec2.models import ec2_backends
from moto.elasticache.exceptions import (
    CacheClusterNotFound,
    InvalidParameterCombinationException,
    InvalidParameterValueException,
    ReplicationGroupNotFound,
)
from moto.elasticache.models import CacheSubnetGroup, ElastiCacheBackend, ReplicationGroup
from moto.elasticache.responses import ElastiCacheResponse
from moto.moto_api._internal import mock_random

from ops.local.embedded_server.mends.elasticache_groups import (
    default_parameter_group,
    family_of_group,
    subnet_group,
)
from ops.local.embedded_server.mends.elasticache_users import user_group
from ops.local.embedded_server.patching import patch

_VERSIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "redis": {"6.2": "6.2.6", "7.0": "7.0.7", "7.1": "7.1.0"},
    "valkey": {"7.2": "7.2.6", "8.0": "8.0.1", "8.1": "8.1.0", "8.2": "8.2.0"},
}
"""The version that runs, by the engine and the version that is asked for."""

_ID: Final = re.compile(r"(?!.*--)[a-zA-Z][a-zA-Z0-9-]{0,39}(?<!-)")
_NODE_TYPE: Final = re.compile(r"cache\.[a-z0-9]+\.[a-z0-9]+")
_TOKEN: Final = re.compile(r"[!-~]{16,128}")
_NOT_IN_TOKENS: Final = frozenset('@"/')
_MOST_MEMBERS: Final = 6
_DIRECTIONS: Final = re.compile(r"north|south|east|west|central")

_CHANGES: Final = {
    "AtRestEncryptionEnabled": "at_rest_encryption_enabled",
    "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
    "CacheNodeType": "cache_node_type",
    "CacheParameterGroupName": "cache_parameter_group_name",
    "Engine": "engine",
    "NotificationTopicArn": "notification_topic_arn",
    "PreferredMaintenanceWindow": "preferred_maintenance_window",
    "ReplicationGroupDescription": "description",
    "SecurityGroupIds": "security_group_ids",
    "SnapshotRetentionLimit": "snapshot_retention_limit",
    "SnapshottingClusterId": "snapshotting_cluster_id",
    "SnapshotWindow": "snapshot_window",
    "TransitEncryptionEnabled": "transit_encryption_enabled",
    "TransitEncryptionMode": "transit_encryption_mode",
}
"""Arguments of ModifyReplicationGroup, and what moto calls them."""

_create = ElastiCacheBackend.create_replication_group
_describe = ElastiCacheBackend.describe_cache_clusters


def mend() -> None:
    """Mends moto's replication groups."""
    patch(ElastiCacheBackend, create_replication_group)
    patch(
        ElastiCacheResponse,
        modify_replication_group,
        delete_replication_group,
        increase_replica_count,
        decrease_replica_count,
        describe_cache_clusters,
    )


def create_replication_group(backend: ElastiCacheBackend, **wanted: Any) -> ReplicationGroup:
    """Creates a replication group that ElastiCache takes, with all its members."""
    replicas, members = wanted["replicas_per_node_group"], wanted["num_cache_clusters"]
    count = int(members or 1) if replicas is None else int(replicas) + 1
    engine = str(wanted["engine"] or "redis")
    wanted |= {"engine": engine, "engine_version": _version(engine, wanted["engine_version"])}
    _check(backend, wanted, count)
    wanted["cache_parameter_group_name"] = wanted["cache_parameter_group_name"] or default_parameter_group(
        engine, wanted["engine_version"], is_cluster=wanted["cluster_mode"] == "enabled"
    )
    wanted["replicas_per_node_group"] = count - 1
    if wanted["transit_encryption_enabled"]:
        wanted["transit_encryption_mode"] = wanted["transit_encryption_mode"] or "required"
    group = _create(backend, **wanted)
    group.cache_subnet_group_name = wanted["cache_subnet_group_name"] or "default"
    group.auto_minor_version_upgrade = wanted["auto_minor_version_upgrade"] is not False
    group.snapshot_window = wanted["snapshot_window"] or "05:00-06:00"
    group.preferred_maintenance_window = wanted["preferred_maintenance_window"] or "sun:03:00-sun:04:00"
    vars(group)["suffix"] = "".join(
        mock_random.choice("abcdefghijkmnpqrstuvwxyz0123456789") for _ in range(6)
    )
    _arrange(backend, group, group.member_clusters)
    return group


def modify_replication_group(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's ModifyReplicationGroup, which takes effect at once."""
    backend, given = response.elasticache_backend, response._get_params()
    group = _group(backend, given["ReplicationGroupId"])
    # Everything is checked before anything changes.
    version = _version(given.get("Engine", group.engine), given.get("EngineVersion", group.engine_version))
    automatic, multi_az = (
        given.get(argument, current == "enabled")
        for argument, current in (
            ("AutomaticFailoverEnabled", group.automatic_failover),
            ("MultiAZEnabled", group.multi_az),
        )
    )
    _check_failover(len(group.member_clusters), automatic=automatic, multi_az=multi_az)
    encrypted = given.get("TransitEncryptionEnabled", group.transit_encryption_enabled)
    added, removed = (given.get(f"UserGroupIdsTo{what}", []) for what in ("Add", "Remove"))
    _check_user_groups(backend, added, group.engine, encrypted=encrypted)
    if token := given.get("AuthToken"):
        _check_token(token, encrypted=encrypted)
    for argument, attribute in _CHANGES.items():
        if argument in given:
            setattr(group, attribute, given[argument])
    group.engine_version = version
    group.automatic_failover, group.multi_az = (
        "enabled" if each else "disabled" for each in (automatic, multi_az)
    )
    group.user_group_ids = [*(each for each in group.user_group_ids if each not in removed), *added]
    group.auth_token_enabled = bool(token) or group.auth_token_enabled
    if given.get("AuthTokenUpdateStrategy") == "DELETE":
        group.auth_token_enabled = False
    return ActionResult({"ReplicationGroup": group})


def increase_replica_count(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's IncreaseReplicaCount."""
    return _resize(response, grows=True)


def decrease_replica_count(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's DecreaseReplicaCount."""
    return _resize(response, grows=False)


def _resize(response: ElastiCacheResponse, *, grows: bool) -> ActionResult:
    backend, given = response.elasticache_backend, response._get_params()
    group = _group(backend, given["ReplicationGroupId"])
    before, count = len(group.member_clusters), int(given["NewReplicaCount"]) + 1
    if count == before or (count > before) is not grows or count > _MOST_MEMBERS:
        raise InvalidParameterValueException(f"The replication group has {before - 1} replicas.")
    _check_failover(
        count, automatic=group.automatic_failover == "enabled", multi_az=group.multi_az == "enabled"
    )
    names = [f"{group.replication_group_id}-{number + 1:0>3}" for number in range(count)]
    _arrange(backend, group, names)
    return ActionResult({"ReplicationGroup": group})


def delete_replication_group(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's DeleteReplicationGroup, with its last snapshot if it asks for one."""
    backend, given = response.elasticache_backend, response._get_params()
    group = _group(backend, given["ReplicationGroupId"])
    if snapshot := given.get("FinalSnapshotIdentifier"):
        backend.create_snapshot(snapshot, group.replication_group_id, None, None, None)
    del backend.replication_groups[group.replication_group_id]
    group.status = "deleting"
    return ActionResult({"ReplicationGroup": group})


def describe_cache_clusters(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's DescribeCacheClusters: the members of replication groups, and clusters of their own."""
    backend, name = response.elasticache_backend, response._get_param("CacheClusterId")
    members = [each for group in backend.replication_groups.values() for each in _members(group)]
    found = [each for each in members if name in (None, each["CacheClusterId"])]
    if name and not found:
        try:
            return PaginatedResult({"CacheClusters": _describe(backend, name)})
        except CacheClusterNotFound:
            raise CacheClusterNotFound(name) from None
    return PaginatedResult({"CacheClusters": [*found, *([] if name else _describe(backend))]})


def _check(backend: ElastiCacheBackend, wanted: Mapping[str, Any], count: int) -> None:
    name, engine = str(wanted["replication_group_id"]), str(wanted["engine"])
    if not _ID.fullmatch(name):
        raise InvalidParameterValueException(
            f"The parameter ReplicationGroupId is not a valid identifier: {name}. It begins with a letter, "
            "has only letters, digits and hyphens, 40 at most, does not end with a hyphen, and has no two "
            "consecutive ones."
        )
    if not _NODE_TYPE.fullmatch(str(wanted["cache_node_type"])):
        raise InvalidParameterValueException(f"Invalid cache node type: {wanted['cache_node_type']}")
    if count > _MOST_MEMBERS:
        raise InvalidParameterValueException(
            f"A node group has at most {_MOST_MEMBERS} members, not {count}."
        )
    encrypted, token = bool(wanted["transit_encryption_enabled"]), wanted["auth_token"]
    _check_failover(
        count * int(wanted["num_node_groups"] or 1),
        automatic=bool(wanted["automatic_failover_enabled"]),
        multi_az=bool(wanted["multi_az_enabled"]),
    )
    if token:
        _check_token(token, encrypted=encrypted)
    if token and wanted["user_group_ids"]:
        raise InvalidParameterCombinationException("AuthToken and UserGroupIds cannot be used together.")
    _check_user_groups(backend, wanted["user_group_ids"] or [], engine, encrypted=encrypted)
    if (group := wanted["cache_parameter_group_name"]) and (family := family_of_group(backend, group)):
        expected = default_parameter_group(engine, wanted["engine_version"]).removeprefix("default.")
        if family != expected:
            raise InvalidParameterCombinationException(
                f"Expected a parameter group of family {expected} but found one of family {family}"
            )
    _check_network(backend, wanted, multi_az=bool(wanted["multi_az_enabled"]))


def _check_network(backend: ElastiCacheBackend, wanted: Mapping[str, Any], *, multi_az: bool) -> None:
    if name := wanted["cache_subnet_group_name"]:
        zones = {*_zones(backend, subnet_group(backend, name))}
        if multi_az and len(zones) < 2:
            raise InvalidParameterCombinationException("Multi-AZ needs a subnet group with several zones.")
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    known = {each for groups in ec2.groups.values() for each in groups}
    if unknown := sorted(set(wanted["security_group_ids"] or ()) - known):
        raise InvalidParameterValueException(f"Some security groups are invalid: {', '.join(unknown)}")


def _check_failover(count: int, *, automatic: bool, multi_az: bool) -> None:
    if automatic and count < 2:
        raise InvalidParameterCombinationException(
            "Automatic failover is not supported for replication groups with fewer than two members."
        )
    if multi_az and not automatic:
        raise InvalidParameterCombinationException(
            "Multi-AZ can only be enabled together with automatic failover."
        )


def _check_token(token: str, *, encrypted: bool) -> None:
    if not encrypted:
        raise InvalidParameterCombinationException(
            "The AUTH token modification is only supported when encryption-in-transit is enabled."
        )
    if not _TOKEN.fullmatch(token) or _NOT_IN_TOKENS & {*token}:
        raise InvalidParameterValueException(
            'Invalid AuthToken provided: 16 to 128 printable characters, without @, " and /.'
        )


def _check_user_groups(
    backend: ElastiCacheBackend, names: Sequence[str], engine: str, *, encrypted: bool
) -> None:
    for name in names:
        group = user_group(backend, name)
        if not encrypted:
            raise InvalidParameterCombinationException("User groups need encryption in transit.")
        if engine == "redis" and group.engine != engine:
            raise InvalidParameterCombinationException(f"User group {name} is of engine {group.engine}.")


def _version(engine: str, version: str | None) -> str:
    known = _VERSIONS.get(engine)
    if known is None:
        raise InvalidParameterValueException(f"Invalid engine: {engine}")
    found = known.get(version, version) if version else [*known.values()][-1]
    if found not in known.values():
        raise InvalidParameterCombinationException(f"Cannot find version {version} for {engine}")
    return str(found)


def _group(backend: ElastiCacheBackend, name: str) -> ReplicationGroup:
    if name not in backend.replication_groups:
        raise ReplicationGroupNotFound(name)
    return backend.replication_groups[name]


def _zones(backend: ElastiCacheBackend, group: CacheSubnetGroup) -> Iterator[str]:
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    for each in group.subnet_ids:
        yield ec2.get_subnet(each).availability_zone


def _arrange(backend: ElastiCacheBackend, group: ReplicationGroup, names: Sequence[str]) -> None:
    """Gives a group its members, in the zones of its subnets, and its endpoints."""
    zones = [f"{backend.region_name}{letter}" for letter in "abc"]
    if subnets := backend.cache_subnet_groups.get(str(group.cache_subnet_group_name)):
        zones = list(dict.fromkeys(_zones(backend, subnets)))
    group.member_clusters = list(names)
    first, *_, number = backend.region_name.split("-")
    directions = _DIRECTIONS.findall(backend.region_name)
    short = f"{first}{''.join(each[0] for each in directions)}{number}"
    suffix, name = vars(group)["suffix"], group.replication_group_id
    domain = f"{short}.cache.amazonaws.com"
    if group.cluster_enabled:
        group.configuration_endpoint = {"address": f"clustercfg.{name}.{suffix}.{domain}", "port": group.port}
        return
    if group.transit_encryption_enabled:
        primary, reader = (f"{kind}.{name}.{suffix}.{domain}" for kind in ("master", "replica"))
    else:
        primary, reader = (f"{each}.{suffix}.ng.0001.{domain}" for each in (name, f"{name}-ro"))
    (node_group,) = group.node_groups
    node_group["primary_endpoint"] = {"address": primary, "port": group.port}
    node_group["reader_endpoint"] = {"address": reader, "port": group.port}
    node_group["node_group_members"] = [
        {
            "cache_cluster_id": member,
            "cache_node_id": "0001",
            "preferred_availability_zone": zones[place % len(zones)],
            "current_role": "replica" if place else "primary",
            "read_endpoint": {"address": f"{member}.{name}.{suffix}.{domain}", "port": group.port},
        }
        for place, member in enumerate(names)
    ]


def _members(group: ReplicationGroup) -> Iterator[dict[str, Any]]:
    for node_group in group.node_groups:
        for member in node_group["node_group_members"]:
            name = member["cache_cluster_id"]
            yield {
                "CacheClusterId": name,
                "ARN": group.arn.replace(
                    f":replicationgroup:{group.replication_group_id}", f":cluster:{name}"
                ),
                "ReplicationGroupId": group.replication_group_id,
                "CacheClusterStatus": "available",
                "CacheClusterCreateTime": group.replication_group_create_time,
                "CacheNodeType": group.cache_node_type,
                "Engine": group.engine,
                "EngineVersion": group.engine_version,
                "NumCacheNodes": 1,
                "PreferredAvailabilityZone": member["preferred_availability_zone"],
                "PreferredMaintenanceWindow": group.preferred_maintenance_window,
                "CacheParameterGroup": {
                    "CacheParameterGroupName": group.cache_parameter_group_name,
                    "ParameterApplyStatus": "in-sync",
                },
                "CacheSubnetGroupName": group.cache_subnet_group_name,
                "SecurityGroups": [
                    {"SecurityGroupId": each, "Status": "active"} for each in group.security_group_ids or ()
                ],
                "NotificationConfiguration": {
                    "TopicArn": group.notification_topic_arn,
                    "TopicStatus": "active",
                }
                if group.notification_topic_arn
                else None,
                "CacheNodes": [
                    {
                        "CacheNodeId": "0001",
                        "CacheNodeStatus": "available",
                        "Endpoint": member.get("read_endpoint"),
                        "ParameterGroupStatus": "in-sync",
                        "CustomerAvailabilityZone": member["preferred_availability_zone"],
                    }
                ],
                "AutoMinorVersionUpgrade": group.auto_minor_version_upgrade,
                "SnapshotRetentionLimit": group.snapshot_retention_limit,
                "SnapshotWindow": group.snapshot_window,
                "AuthTokenEnabled": group.auth_token_enabled,
                "TransitEncryptionEnabled": group.transit_encryption_enabled,
                "TransitEncryptionMode": group.transit_encryption_mode,
                "AtRestEncryptionEnabled": group.at_rest_encryption_enabled,
                "NetworkType": group.network_type,
                "IpDiscovery": group.ip_discovery,
            }
