"""Reads the resources that cost money from a plan, and from the Terraform JSON of a stack.

A price may depend on what the plan leaves alone: that of a service on the size of its task definition. So
all resources of these types are read, but only the attributes that make a price.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from review.model import ABSENT, UNKNOWN, Billed, Block, Tree, blocks
from review.reading.entries import Entry
from review.reading.masking import either, tree_of, trees_of
from review.reading.references import References
from review.reading.structure import bare, configured_in, object_in, text_in

ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "aws_appautoscaling_target": ("min_capacity", "resource_id", "scalable_dimension"),
    "aws_cloudwatch_composite_alarm": (),
    "aws_cloudwatch_dashboard": (),
    "aws_cloudwatch_metric_alarm": ("metric_query", "period"),
    "aws_db_instance": (
        "allocated_storage",
        "engine",
        "instance_class",
        "iops",
        "manage_master_user_password",
        "multi_az",
        "storage_type",
    ),
    "aws_dynamodb_table": ("billing_mode",),
    "aws_ecs_cluster": ("setting",),
    "aws_ecs_service": (
        "capacity_provider_strategy",
        "desired_count",
        "launch_type",
        "name",
        "network_configuration",
        "task_definition",
    ),
    "aws_ecs_task_definition": (
        "arn",
        "cpu",
        "ephemeral_storage",
        "family",
        "memory",
        "requires_compatibilities",
        "revision",
        "runtime_platform",
    ),
    "aws_eip": ("public_ipv4_pool",),
    "aws_elasticache_cluster": ("engine", "node_type", "num_cache_nodes", "replication_group_id"),
    "aws_elasticache_replication_group": (
        "engine",
        "node_type",
        "num_cache_clusters",
        "num_node_groups",
        "replicas_per_node_group",
    ),
    "aws_kms_external_key": (),
    "aws_kms_key": (),
    "aws_kms_replica_key": (),
    "aws_lb": ("internal", "ip_address_type", "load_balancer_type", "subnet_mapping", "subnets"),
    "aws_nat_gateway": ("availability_mode",),
    "aws_route53_zone": (),
    "aws_secretsmanager_secret": ("replica",),
    "aws_service_discovery_private_dns_namespace": (),
    "aws_service_discovery_public_dns_namespace": (),
    "aws_vpc_endpoint": ("subnet_ids", "vpc_endpoint_type"),
    "aws_wafv2_web_acl": ("rule", "rule_json"),
}
"""The attributes that make the price of each type; of another type, only that there is one."""

SAME: Final = {"aws_alb": "aws_lb"}
"""Two names of one type. Source: the AWS provider's documentation of `aws_lb`."""

LINKS: Final = {
    "aws_appautoscaling_target": ("resource_id", "aws_ecs_service"),
    "aws_ecs_service": ("task_definition", "aws_ecs_task_definition"),
}
"""The attribute by which a type refers to what its price depends on, and the type of that."""

_UNCHANGED: Final = frozenset({("no-op",), ("read",)})
_PLACES: Final = (
    ("arn", re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:([a-z]{2}(?:-[a-z]+)+-\d):")),
    ("availability_zone", re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d)[a-z]\Z")),
)
"""Attributes that name the region of a resource, and how."""

_EXPRESSION: Final = re.compile(r"\$\{(?:.*?\b)??(aws_[a-z0-9_]+\.[A-Za-z0-9_-]+)\.")


def billed_of(
    document: Mapping[str, Any],
    entries: Sequence[Entry],
    references: References,
    shown: Callable[[str], str],
) -> tuple[Billed, ...]:
    """Returns what costs money in a plan, by address; `shown` gives an address as it may be shown.

    What a plan forgets stays in the account, so it costs the same after it. Raises PlanError if the
    document is not built like a plan.
    """
    managed = [entry for entry in entries if not entry.is_data]
    regions = [_region_of(entry.change) for entry in managed]
    # A plan whose provider takes its region from the environment names it in ARNs and zones only.
    named = set(regions) - {""}
    only = named.pop() if len(named) == 1 else ""
    configured = _configured_regions(document)
    types = {entry.address: SAME.get(entry.type, entry.type) for entry in managed}
    found = []
    for entry, own in zip(managed, regions, strict=True):
        type_ = SAME.get(entry.type, entry.type)
        region = configured.get(bare(entry.address), "") or own or only
        before, after = _sides(type_, entry.change)
        after = before if entry.actions == ("forget",) else after
        links = tuple((name, shown(target)) for name, target in _links(entry, types, references))
        changed = entry.actions not in _UNCHANGED
        found.append(Billed(shown(entry.address), type_, region, before, after, changed, links))
    return tuple(sorted(found, key=lambda each: each.address))


def _links(entry: Entry, types: Mapping[str, str], references: References) -> Iterator[tuple[str, str]]:
    """Yields the attribute that refers to what the price depends on, and the address of that."""
    if entry.type in LINKS:
        name, type_ = LINKS[entry.type]
        found = [each for each in references.of(entry.address, (name,)).targets if types.get(each) == type_]
        if len(found) == 1:
            yield name, found[0]


def _region_of(change: Mapping[str, Any]) -> str:
    """Returns the region of a resource's ARN or zone, or ""."""
    for side in (change.get("before"), change.get("after")):
        if not isinstance(side, dict):
            continue
        for name, form in _PLACES:
            value = side.get(name)
            if isinstance(value, str) and (found := form.match(value)):
                return found[1]
    return ""


def _sides(type_: str, change: Mapping[str, Any]) -> tuple[Tree, Tree]:
    names, unknown = ATTRIBUTES.get(type_), change.get("after_unknown")
    if not names:
        before, after = (change.get(side) for side in ("before", "after"))
        return {} if before is not None else ABSENT, {} if after is not None or unknown is True else ABSENT
    marks = either(_part(change.get("before_sensitive"), names), _part(change.get("after_sensitive"), names))
    before, after, unknown = (
        _part(each, names) for each in (change.get("before"), change.get("after"), unknown)
    )
    if isinstance(before, dict) and isinstance(after, dict):
        return trees_of(before, after, marks, unknown)
    return (
        tree_of(before, marks) if isinstance(before, dict) else ABSENT,
        tree_of(after, marks, unknown)
        if isinstance(after, dict) or (after is None and unknown is True)
        else ABSENT,
    )


def _part(value: Any, names: tuple[str, ...]) -> Any:
    """Returns the named attributes of an object, or of its tree of marks; what is no object as it is."""
    return {name: value[name] for name in names if name in value} if isinstance(value, dict) else value


def _configured_regions(document: Mapping[str, Any]) -> dict[str, str]:
    """Returns the region of each resource's provider, by address without indices, if the plan says it."""
    providers = _provider_regions(document, object_in(document.get("variables"), "variables"))
    return {
        address: providers.get(text_in(resource, "provider_config_key", place), "")
        for place, address, resource in configured_in(document)
    }


def _provider_regions(document: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, str]:
    configuration = object_in(document.get("configuration"), "configuration")
    found = {}
    for key, provider in object_in(configuration.get("provider_config"), "provider_config").items():
        expressions = provider.get("expressions") if isinstance(provider, dict) else None
        region = expressions.get("region") if isinstance(expressions, dict) else None
        if not isinstance(region, dict):
            continue
        value = region.get("constant_value")
        references = region.get("references")
        if value is None and isinstance(references, list) and len(references) == 1:
            variable = variables.get(str(references[0]).removeprefix("var."))
            value = variable.get("value") if isinstance(variable, dict) else None
        found[key] = value if isinstance(value, str) else ""
    return found


def billed_in(configuration: Mapping[str, Any]) -> tuple[Billed, ...]:
    """Returns what the resources of a stack's Terraform JSON cost, as if all of it were new.

    An expression's value is UNKNOWN; a list of them still has its length. So is a resource with `count`
    or `for_each`, since only a plan knows how many there are. Raises PlanError if it is not Terraform JSON.
    """
    region = ""
    for provider in blocks(object_in(configuration.get("provider"), "provider").get("aws")):
        region = region or _constant(provider.get("region"))
    found = []
    for type_, resources in object_in(configuration.get("resource"), "resource").items():
        for name, resource in object_in(resources, f"resource.{type_}").items():
            values = object_in(resource, f"resource.{type_}.{name}")
            found.append(_written(f"{type_}.{name}", SAME.get(type_, type_), region, values))
    return tuple(sorted(found, key=lambda each: each.address))


def _written(address: str, type_: str, region: str, values: Mapping[str, Any]) -> Billed:
    is_many = "count" in values or "for_each" in values
    after: Tree = UNKNOWN if is_many else _known(_part(values, ATTRIBUTES.get(type_, ())))
    name, _ = LINKS.get(type_, ("", ""))
    link = values.get(name)
    target = _EXPRESSION.search(link) if isinstance(link, str) else None
    links = ((name, target[1]),) if target else ()
    return Billed(address, type_, region, ABSENT, after, True, links)


def _known(value: Any) -> Tree:
    """Returns a value of Terraform JSON with UNKNOWN in place of its expressions."""
    if isinstance(value, dict):
        block: Block = {key: _known(each) for key, each in value.items()}
        return block
    if isinstance(value, list):
        return [_known(each) for each in value]
    if isinstance(value, str):
        return UNKNOWN if "${" in value else value
    return value if value is None or isinstance(value, (bool, int, float)) else None


def _constant(value: object) -> str:
    return value if isinstance(value, str) and "${" not in value else ""
