"""What one resource is charged for: which meters, and how many units of each.

Every function takes the attributes of a resource and says what it is in words, its charges, and what is
not known. An unknown value is never assumed: it is a gap, and the rest is charged.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from review.model import UNKNOWN, Block, Tree, blocks, is_nothing

ONE: Final = Decimal(1)
FREE_STORAGE: Final = 20
"""GB of ephemeral storage that come with a task. Source: "AWS Fargate Pricing", section "Pricing details"."""

_ALARM: Final = 60
"""Seconds; an alarm on a shorter period is a high-resolution one.
Source: Amazon CloudWatch User Guide, "Using Amazon CloudWatch alarms", section "Evaluating an alarm"."""

_BAND: Final = 3
"""Metrics of an anomaly detection alarm: the metric, and both bounds of the band.
Source: "Amazon CloudWatch Pricing", the example of an anomaly detection alarm."""

_EXTRA: Final = re.compile("BotControl|ACFP|ATP|AntiDDoS")
"""Managed rule groups with a monthly price of their own. Source: "AWS WAF Pricing"."""

_SIZE: Final = re.compile(r"\s*(\d*\.?\d+)\s*(gb|vcpu)?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Charge:
    """A number of units of a meter, for the whole month."""

    key: str
    units: Decimal


@dataclass(frozen=True, slots=True)
class Metered:
    """What a resource is in words, what it is charged for, and what is not known of it."""

    what: str = ""
    charges: tuple[Charge, ...] = ()
    gaps: tuple[str, ...] = ()


NOTHING: Final = Metered()


@dataclass(frozen=True, slots=True)
class Related:
    """What the charge of a service depends on beside itself: its size, and the least tasks it scales to."""

    task: Tree = None
    scaling: Tree = None


def charged(type_: str, values: Tree, related: Related) -> Metered:
    """Returns what a resource of a type with meters is charged for; nothing for other types."""
    rule = RULES.get(type_)
    if rule is None:
        return NOTHING
    if not isinstance(values, dict):
        return Metered(gaps=("its values are not known",))
    return rule(values, related)


def cluster(values: Block, _related: Related) -> Metered:
    """Returns Container Insights of an ECS cluster, which has no price here: by its services and tasks.

    Source: "Amazon CloudWatch Pricing", the examples of Container Insights.
    """
    settings = blocks(values.get("setting"))
    insights = [each.get("value") for each in settings if each.get("name") == "containerInsights"]
    if not any(value in ("enabled", "enhanced", UNKNOWN) for value in insights):
        return NOTHING
    return Metered(
        "Container Insights",
        gaps=("Container Insights has no price here: it costs by metrics of services and tasks",),
    )


def service(values: Block, related: Related) -> Metered:
    """Returns what the tasks of an ECS service are charged for: those that run at least."""
    strategy = blocks(values.get("capacity_provider_strategy"))
    providers = {str(each.get("capacity_provider")) for each in strategy}
    if values.get("launch_type") in ("EC2", "EXTERNAL") and not strategy:
        return Metered("tasks on instances")
    if strategy and not providers <= {"FARGATE", "FARGATE_SPOT"}:
        return Metered(gaps=("its capacity provider is not Fargate's",))
    if not strategy and values.get("launch_type") != "FARGATE":
        return Metered(gaps=("where its tasks run is not known",))
    count = _count(values, related.scaling)
    if count is None:
        return Metered(gaps=("the number of its tasks is not known",))
    if count == 0:
        return Metered("0 tasks")
    if not isinstance(related.task, dict):
        return Metered(gaps=("the size of its tasks is not known",))
    size, words, gaps = _task(related.task)
    spot = _spot(strategy, count)
    charges = [
        Charge(f"fargate.{'spot.' if on_spot else ''}{key}", units * tasks)
        for on_spot, tasks in ((False, count - spot), (True, spot))
        for key, units in size
        if tasks and not (on_spot and key == "storage")
    ]
    storage = sum(units for key, units in size if key == "storage")
    if spot and storage:
        charges.append(Charge("fargate.storage", Decimal(storage) * spot))
    network = blocks(values.get("network_configuration"))
    if any(each.get("assign_public_ip") is True for each in network):
        charges.append(Charge("ipv4", Decimal(count)))
    elif any(each.get("assign_public_ip") is UNKNOWN for each in network):
        gaps = (*gaps, "whether its tasks have public addresses is not known")
    on = f", {spot} on Spot" if spot else ""
    return Metered(f"{count} task{'' if count == 1 else 's'}{words}{on}", tuple(charges), gaps)


def _count(values: Block, scaling: Tree) -> int | None:
    """Returns the tasks that run at least: the minimum of its scaling, or else its desired count."""
    count = scaling.get("min_capacity") if isinstance(scaling, dict) else values.get("desired_count")
    return count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else None


def _spot(strategy: list[Block], count: int) -> int:
    """Returns how many of the tasks run on Spot: after the base, by weight, rounded to on-demand tasks.

    Source: Amazon ECS API Reference, "CapacityProviderStrategyItem".
    """
    base = {True: 0, False: 0}
    weight = {True: 0, False: 0}
    for each in strategy:
        is_spot = each.get("capacity_provider") == "FARGATE_SPOT"
        base[is_spot] += whole(each.get("base")) or 0
        weight[is_spot] += whole(each.get("weight")) or 0
    first = min(base[True], count)
    rest = count - first - min(base[False], count - first)
    total = weight[True] + weight[False]
    return first + (rest * weight[True] // total if total else 0)


def _task(task: Block) -> tuple[list[tuple[str, Decimal]], str, tuple[str, ...]]:
    """Returns the units of one task by the rest of their meter's key, its size in words, and gaps."""
    platform = next(iter(blocks(task.get("runtime_platform"))), {})
    architecture = platform.get("cpu_architecture") or "X86_64"
    family = platform.get("operating_system_family") or "LINUX"
    cpu, memory = _sized(task.get("cpu"), "vcpu"), _sized(task.get("memory"), "gb")
    if cpu is None or memory is None:
        return [], "", ("the size of its tasks is not known",)
    if architecture not in ("X86_64", "ARM64") or family != "LINUX":
        return [], "", ("its platform has no price here",)
    key = str(architecture).lower()
    units = [(f"{key}.vcpu", cpu), (f"{key}.gb", memory)]
    disk = next(iter(blocks(task.get("ephemeral_storage"))), {}).get("size_in_gib")
    if (size := whole(disk)) is not None and size > FREE_STORAGE:
        units.append(("storage", Decimal(size - FREE_STORAGE)))
    gaps = ("the size of its storage is not known",) if disk is UNKNOWN else ()
    return units, f" of {cpu:f} vCPU and {memory:f} GB, {architecture}", gaps


def _sized(value: Tree, unit: str) -> Decimal | None:
    """Returns vCPU or GB from a task's `cpu` or `memory`: units of 1/1024, or "1 vCPU" and "2 GB"."""
    found = _SIZE.fullmatch(str(value)) if isinstance(value, (str, int)) else None
    if not found or (found[2] and found[2].lower() != unit):
        return None
    number = Decimal(found[1]) if found[2] else Decimal(found[1]) / 1024
    return number.normalize() if number else None


def balancer(values: Block, _: Related) -> Metered:
    """Returns what a load balancer is charged for, and one public address in each of its zones."""
    kind = values.get("load_balancer_type", "application")
    keys = {"application": ("alb", "ALB"), "network": ("nlb", "NLB")}
    if not isinstance(kind, str) or kind not in keys:
        return Metered(gaps=("its type has no price here",))
    key, name = keys[kind]
    charges = (Charge(key, ONE),)
    internal = values.get("internal")
    if internal is True or values.get("ip_address_type") == "dualstack-without-public-ipv4":
        return Metered(f"internal {name}" if internal is True else name, charges)
    mapped = blocks(values.get("subnet_mapping"))
    # An Elastic IP is a resource of its own, which has its price there.
    zones = len([each for each in mapped if is_nothing(each.get("allocation_id"))]) if mapped else None
    zones = length(values.get("subnets")) if zones is None else zones
    if zones is None or internal is UNKNOWN:
        return Metered(name, charges, ("the number of its public addresses is not known",))
    return Metered(
        f"{name}, {_many(zones, 'public address', 'public addresses')}", _with(charges, "ipv4", zones)
    )


def nat(values: Block, _: Related) -> Metered:
    """Returns what a NAT gateway is charged for; its address is that of an `aws_eip`."""
    if values.get("availability_mode") == "regional":
        return Metered(gaps=("a regional NAT gateway is charged by the zones that AWS chooses",))
    return Metered("NAT gateway", (Charge("nat", ONE),))


def address(values: Block, _: Related) -> Metered:
    """Returns what an Elastic IP is charged for, in use or not; one of your own pool is free."""
    pool = values.get("public_ipv4_pool")
    own = isinstance(pool, str) and pool not in ("", "amazon")
    return Metered("own address") if own else Metered("public address", (Charge("ipv4", ONE),))


def endpoint(values: Block, _: Related) -> Metered:
    """Returns what a VPC endpoint is charged for: an interface in each zone; a gateway is free."""
    kind = values.get("vpc_endpoint_type")
    if is_nothing(kind) or kind == "Gateway":
        return Metered("gateway endpoint")
    zones = length(values.get("subnet_ids"))
    if kind != "Interface":
        return Metered(gaps=("its type has no price here",))
    if zones is None:
        return Metered(gaps=("the number of its zones is not known",))
    return Metered(f"interface endpoint in {_many(zones, 'zone')}", _with((), "endpoint", zones))


def database(values: Block, _: Related) -> Metered:
    """Returns what an RDS instance is charged for: instance, storage, and the secret that RDS manages."""
    engine, size, zones = (values.get(name) for name in ("engine", "instance_class", "multi_az"))
    if engine is UNKNOWN or size is UNKNOWN or zones is UNKNOWN:
        return Metered(gaps=("its engine, class or number of zones is not known",))
    if engine != "postgres" or not isinstance(size, str):
        return Metered(gaps=("only PostgreSQL has prices here",))
    kind = "multi" if zones is True else "single"
    charges, gaps = [Charge(f"rds.{size}.{kind}", ONE)], []
    storage, disk = whole(values.get("allocated_storage")), values.get("storage_type")
    if storage is None or disk is UNKNOWN:
        gaps.append("its storage is not known")
    elif disk != "gp3":
        gaps.append("only gp3 storage has a price here")
    else:
        charges.append(Charge(f"rds.gp3.{kind}", Decimal(storage)))
        # Above the baseline, IOPS have a price. Source: Amazon RDS User Guide, "gp3 storage".
        if (whole(values.get("iops")) or 0) > (12_000 if storage >= 400 else 3_000):
            gaps.append("its provisioned IOPS have no price here")
    if values.get("manage_master_user_password") is True:
        charges.append(Charge("secret", ONE))
    words = f"PostgreSQL {size}, {'Multi-AZ' if zones is True else 'single-AZ'}"
    return Metered(f"{words}, {storage} GB" if storage else words, tuple(charges), tuple(gaps))


def cache(values: Block, _: Related) -> Metered:
    """Returns what the nodes of a cache are charged for."""
    engine, size = values.get("engine"), values.get("node_type")
    if not is_nothing(values.get("replication_group_id")):
        return Metered("a node of its group")
    if engine != "valkey" or not isinstance(size, str):
        return Metered(gaps=("only Valkey nodes of a known type have prices here",))
    nodes = whole(values.get("num_cache_nodes")) or whole(values.get("num_cache_clusters"))
    shards, replicas = whole(values.get("num_node_groups")), whole(values.get("replicas_per_node_group"))
    if nodes is None and shards is not None and replicas is not None:
        nodes = shards * (replicas + 1)
    if nodes is None:
        return Metered(gaps=("the number of its nodes is not known",))
    return Metered(f"{_many(nodes, 'Valkey node')} {size}", _with((), f"valkey.{size}", nodes))


def alarm(values: Block, _: Related) -> Metered:
    """Returns what an alarm is charged for: each of its metrics, by the shortest period."""
    queries = values.get("metric_query")
    if queries is UNKNOWN or values.get("period") is UNKNOWN:
        return Metered(gaps=("its metrics are not known",))
    found = blocks(queries)
    expressions = [str(each.get("expression") or "") for each in found]
    if any(re.match(r"\s*SELECT\b", each, re.IGNORECASE) for each in expressions):
        return Metered(gaps=("how many metrics its query matches is not known",))
    metrics = [metric for each in found for metric in blocks(each.get("metric"))]
    periods = [whole(each.get("period")) for each in (*metrics, *(() if found else (values,)))]
    if not periods or None in periods:
        return Metered(gaps=("its metrics are not known",))
    count = _BAND if any("ANOMALY_DETECTION_BAND" in each for each in expressions) else len(periods)
    high = any(period is not None and period < _ALARM for period in periods)
    kind = "high-resolution" if high else "standard"
    return Metered(
        f"{kind} alarm, {_many(count, 'metric')}", _with((), f"alarm.{'high' if high else 'standard'}", count)
    )


def web_acl(values: Block, _: Related) -> Metered:
    """Returns what a web ACL and its rules are charged for."""
    rules = values.get("rule")
    if rules is UNKNOWN or not is_nothing(values.get("rule_json")):
        return Metered("web ACL", (Charge("waf.acl", ONE),), ("its rules are not known",))
    count = length(rules) or 0
    gaps = ("managed rules with a price of their own have none here",) if _EXTRA.search(repr(rules)) else ()
    return Metered(
        f"web ACL, {_many(count, 'rule')}", _with((Charge("waf.acl", ONE),), "waf.rule", count), gaps
    )


def secret(values: Block, _: Related) -> Metered:
    """Returns what a secret and its replicas are charged for."""
    replicas = length(values.get("replica")) or 0
    gaps = ("the number of its replicas is not known",) if values.get("replica") is UNKNOWN else ()
    return Metered(_many(1 + replicas, "secret"), (Charge("secret", Decimal(1 + replicas)),), gaps)


def table(values: Block, _: Related) -> Metered:
    """Returns what a DynamoDB table is charged for: on demand, nothing that is fixed."""
    if values.get("billing_mode") in ("PROVISIONED", UNKNOWN, None):
        return Metered(gaps=("provisioned capacity of DynamoDB has no price here",))
    return NOTHING


def _one(key: str, what: str) -> Callable[[Block, Related], Metered]:
    return lambda _, __: Metered(what, (Charge(key, ONE),))


RULES: Final[Mapping[str, Callable[[Block, Related], Metered]]] = {
    "aws_cloudwatch_composite_alarm": _one("alarm.composite", "composite alarm"),
    "aws_cloudwatch_dashboard": _one("dashboard", "dashboard"),
    "aws_cloudwatch_metric_alarm": alarm,
    "aws_db_instance": database,
    "aws_dynamodb_table": table,
    "aws_ecs_cluster": cluster,
    "aws_ecs_service": service,
    "aws_eip": address,
    "aws_elasticache_cluster": cache,
    "aws_elasticache_replication_group": cache,
    "aws_kms_external_key": _one("kms", "KMS key"),
    "aws_kms_key": _one("kms", "KMS key"),
    "aws_kms_replica_key": _one("kms", "KMS key"),
    "aws_lb": balancer,
    "aws_nat_gateway": nat,
    "aws_route53_zone": _one("zone", "hosted zone"),
    "aws_secretsmanager_secret": secret,
    # Each namespace has a hosted zone. Source: AWS Cloud Map Developer Guide, "AWS Cloud Map namespaces".
    "aws_service_discovery_private_dns_namespace": _one("zone", "hosted zone of a namespace"),
    "aws_service_discovery_public_dns_namespace": _one("zone", "hosted zone of a namespace"),
    "aws_vpc_endpoint": endpoint,
    "aws_wafv2_web_acl": web_acl,
}
"""What is charged, by the type of a resource."""


def length(value: Tree) -> int | None:
    """Returns the number of items of a list, or None if it is not known."""
    return len(value) if isinstance(value, list) else None


def whole(value: Tree) -> int | None:
    """Returns a whole number, also one within a string, or None."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _with(charges: tuple[Charge, ...], key: str, units: int) -> tuple[Charge, ...]:
    return (*charges, Charge(key, Decimal(units))) if units else charges


def _many(count: int, noun: str, nouns: str = "") -> str:
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"
