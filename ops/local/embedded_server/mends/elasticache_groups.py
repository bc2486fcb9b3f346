"""Subnet groups and parameter groups of caches, of which moto has only half.

Sources: Amazon ElastiCache API Reference, "ModifyCacheSubnetGroup", "DeleteCacheSubnetGroup",
"CreateCacheParameterGroup", "ModifyCacheParameterGroup", "ResetCacheParameterGroup",
"DescribeCacheParameters" and "DeleteCacheParameterGroup"; Amazon ElastiCache User Guide, "Engine-specific
parameters". Which parameters a family has is not known here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from moto.core.responses import ActionResult, EmptyResult, PaginatedResult
from moto.ec2.models import ec2_backends
from moto.elasticache.exceptions import (
    CacheSubnetGroupNotFound,
    ElastiCacheException,
    InvalidParameterValueException,
)
from moto.elasticache.models import CacheSubnetGroup, ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse

from ops.local.embedded_server.patching import kept, patch

_FAMILIES: Final = ("redis6.x", "redis7", "valkey7", "valkey8")
_NAME: Final = re.compile(r"(?!.*--)[a-zA-Z][a-zA-Z0-9-]{0,254}(?<!-)")
_POLICIES: Final = (
    "volatile-lru",
    "allkeys-lru",
    "volatile-lfu",
    "allkeys-lfu",
    "volatile-random",
    "allkeys-random",
    "volatile-ttl",
    "noeviction",
)
_CHOICES: Final = {"maxmemory-policy": _POLICIES}

_create = ElastiCacheBackend.create_cache_subnet_group


@dataclass
class _ParameterGroup:
    arn: str
    name: str
    family: str
    description: str
    parameters: dict[str, str] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """Returns what DescribeCacheParameterGroups answers of the group."""
        return {
            "ARN": self.arn,
            "CacheParameterGroupName": self.name,
            "CacheParameterGroupFamily": self.family,
            "Description": self.description,
            "IsGlobal": False,
        }


def mend() -> None:
    """Mends moto's groups, and adds the missing actions."""
    patch(ElastiCacheBackend, create_cache_subnet_group, list_tags_for_resource)
    patch(
        ElastiCacheResponse,
        modify_cache_subnet_group,
        delete_cache_subnet_group,
        create_cache_parameter_group,
        describe_cache_parameter_groups,
        describe_cache_parameters,
        modify_cache_parameter_group,
        reset_cache_parameter_group,
        delete_cache_parameter_group,
    )


def default_parameter_group(engine: str, version: str, *, is_cluster: bool = False) -> str:
    """Returns the name of the parameter group that a cache has by default."""
    major = version.partition(".")[0]
    family = f"{engine}{major}" if (engine, major) != ("redis", "6") else "redis6.x"
    return f"default.{family}{'.cluster.on' if is_cluster else ''}"


def family_of_group(backend: ElastiCacheBackend, name: str) -> str:
    """Returns the family of a parameter group; every account has those whose names begin with `default.`."""
    if name.startswith("default."):
        return name.removeprefix("default.").removesuffix(".cluster.on")
    return _parameter_group(backend, name).family


def subnet_group(backend: ElastiCacheBackend, name: str) -> CacheSubnetGroup:
    """Returns a subnet group by its name."""
    if name not in backend.cache_subnet_groups:
        raise CacheSubnetGroupNotFound(name)
    return backend.cache_subnet_groups[name]


def list_tags_for_resource(backend: ElastiCacheBackend, arn: str) -> dict[str, list[dict[str, str]]]:
    """ElastiCache's ListTagsForResource, for parameter groups and user groups, too."""
    found: dict[str, list[dict[str, str]]] = backend.tagging_service.list_tags_for_resource(arn)
    return found


def create_cache_subnet_group(backend: ElastiCacheBackend, **wanted: Any) -> CacheSubnetGroup:
    """Creates a subnet group of subnets that exist; ElastiCache writes its name in small letters."""
    wanted["cache_subnet_group_name"] = _checked(wanted["cache_subnet_group_name"]).lower()
    _check_subnets(backend, wanted["subnet_ids"])
    return _create(backend, **wanted)


def modify_cache_subnet_group(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's ModifyCacheSubnetGroup."""
    backend, given = response.elasticache_backend, response._get_params()
    group = subnet_group(backend, given["CacheSubnetGroupName"])
    subnets = given.get("SubnetIds") or group.subnet_ids
    _check_subnets(backend, subnets)
    changed = CacheSubnetGroup(
        backend.account_id,
        backend.region_name,
        group.cache_subnet_group_name,
        given.get("CacheSubnetGroupDescription") or group.cache_subnet_group_description,
        subnets,
        group.tags,
    )
    backend.cache_subnet_groups[group.cache_subnet_group_name] = changed
    return ActionResult({"CacheSubnetGroup": changed})


def delete_cache_subnet_group(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's DeleteCacheSubnetGroup, for one that no cache is in."""
    backend = response.elasticache_backend
    group = subnet_group(backend, response._get_param("CacheSubnetGroupName"))
    if user := next(_users(backend, "cache_subnet_group_name", group.cache_subnet_group_name), None):
        raise ElastiCacheException(
            "CacheSubnetGroupInUse",
            f"Cache subnet group {group.cache_subnet_group_name} is currently in use by a cache: {user}.",
        )
    del backend.cache_subnet_groups[group.cache_subnet_group_name]
    return EmptyResult()


def create_cache_parameter_group(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's CreateCacheParameterGroup."""
    backend, given = response.elasticache_backend, response._get_params()
    name, family = _checked(given["CacheParameterGroupName"]).lower(), given["CacheParameterGroupFamily"]
    if family not in _FAMILIES:
        raise InvalidParameterValueException(f"CacheParameterGroupFamily {family} is not a valid family.")
    if name in _parameter_groups(backend):
        raise ElastiCacheException(
            "CacheParameterGroupAlreadyExists", f"Cache parameter group {name} already exists."
        )
    arn = f"arn:aws:elasticache:{backend.region_name}:{backend.account_id}:parametergroup:{name}"
    group = _ParameterGroup(arn, name, family, given.get("Description", ""))
    backend.tagging_service.tag_resource(arn, given.get("Tags", []))
    _parameter_groups(backend)[name] = group
    return ActionResult({"CacheParameterGroup": group.described()})


def describe_cache_parameter_groups(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's DescribeCacheParameterGroups."""
    backend, name = response.elasticache_backend, response._get_param("CacheParameterGroupName")
    groups = [_parameter_group(backend, name)] if name else _parameter_groups(backend).values()
    return PaginatedResult({"CacheParameterGroups": [each.described() for each in groups]})


def describe_cache_parameters(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's DescribeCacheParameters: those that somebody has set."""
    backend = response.elasticache_backend
    group = _parameter_group(backend, response._get_param("CacheParameterGroupName"))
    set_by_user = response._get_param("Source") in (None, "user")
    found = [
        {
            "ParameterName": name,
            "ParameterValue": value,
            "Source": "user",
            "DataType": "string",
            "IsModifiable": True,
            "ChangeType": "immediate",
        }
        for name, value in group.parameters.items()
        if set_by_user
    ]
    return PaginatedResult({"Parameters": found})


def modify_cache_parameter_group(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's ModifyCacheParameterGroup."""
    backend, given = response.elasticache_backend, response._get_params()
    group = _parameter_group(backend, given["CacheParameterGroupName"])
    values = {each["ParameterName"]: each["ParameterValue"] for each in given["ParameterNameValues"]}
    for name, value in values.items():
        if value not in _CHOICES.get(name, (value,)):
            raise InvalidParameterValueException(f"The value {value} is not valid for the parameter {name}.")
    group.parameters |= values
    return ActionResult({"CacheParameterGroupName": group.name})


def reset_cache_parameter_group(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's ResetCacheParameterGroup."""
    backend, given = response.elasticache_backend, response._get_params()
    group = _parameter_group(backend, given["CacheParameterGroupName"])
    named = [each["ParameterName"] for each in given.get("ParameterNameValues", [])]
    for name in list(group.parameters) if given.get("ResetAllParameters") else named:
        group.parameters.pop(name, None)
    return ActionResult({"CacheParameterGroupName": group.name})


def delete_cache_parameter_group(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's DeleteCacheParameterGroup, for one that no cache has."""
    backend = response.elasticache_backend
    group = _parameter_group(backend, response._get_param("CacheParameterGroupName"))
    if user := next(_users(backend, "cache_parameter_group_name", group.name), None):
        raise ElastiCacheException(
            "InvalidCacheParameterGroupState",
            f"One or more cache clusters are still members of this parameter group {group.name}, among them "
            f"{user}, so the group cannot be deleted.",
        )
    del _parameter_groups(backend)[group.name]
    return EmptyResult()


def _users(backend: ElastiCacheBackend, attribute: str, name: str) -> Iterator[str]:
    for group in backend.replication_groups.values():
        if getattr(group, attribute) == name:
            yield group.replication_group_id


def _parameter_groups(backend: ElastiCacheBackend) -> dict[str, _ParameterGroup]:
    return kept(backend, "parameter_groups", {})


def _parameter_group(backend: ElastiCacheBackend, name: str) -> _ParameterGroup:
    try:
        return _parameter_groups(backend)[name]
    except KeyError:
        raise ElastiCacheException(
            "CacheParameterGroupNotFound", f"CacheParameterGroup {name} not found."
        ) from None


def _check_subnets(backend: ElastiCacheBackend, subnet_ids: list[str]) -> None:
    known = {
        each
        for subnets in ec2_backends[backend.account_id][backend.region_name].subnets.values()
        for each in subnets
    }
    unknown = sorted(set(subnet_ids) - known)
    if unknown or not subnet_ids:
        raise ElastiCacheException("InvalidSubnet", f"Some input subnets are invalid: {', '.join(unknown)}")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidParameterValueException(
            f"{name} is not a valid name: it begins with a letter, has only letters, digits and hyphens, "
            "does not end with a hyphen, and has no two consecutive ones."
        )
    return name
