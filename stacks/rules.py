"""What settings must fulfil beyond the form of each value: the limits of AWS, and no contradictions."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from types import MappingProxyType
from typing import Final, get_args

from stacks import naming, privatelink, store_rules, stores, watched_stores
from stacks.addressing import LARGEST_VPC_PREFIX, AddressError, Tier, plan_addresses
from stacks.alarm_settings import OF_KIND
from stacks.environment_rules import service_warnings, services_problems
from stacks.images import Image, images
from stacks.problems import Key, Problem, nearest
from stacks.service_rules import service_problems
from stacks.service_settings import Service
from stacks.settings import Environment, ExistingNetwork, LoadBalancer, Network, Platform, Project
from stacks.values import UseKind

FEWEST_ZONES: Final = 2
"""An Application Load Balancer needs subnets in two zones. Source: its User Guide, "Subnets"."""

RESERVED_ENVIRONMENTS: Final = frozenset({"foundation", "github"})
"""Names of environments that would be mistaken for a stack, or for the roles of GitHub workflows."""

LOWEST_RATE_LIMIT: Final = 10
"""Fewest requests in five minutes that a rule of AWS WAF limits. Source: AWS WAF Developer Guide."""

LEFT_OUT_OF_EXISTING: Final = MappingProxyType(
    {
        "availability_zones": "the keys of public_subnets are the zones",
        "zone_slots": "no subnets are planned there",
        "nat": "routes and NAT gateways are the VPC owner's",
        "flow_logs": "flow logs are the VPC owner's",
    }
)
"""Keys of `[network]` that have no effect on a VPC that is there already, and why."""

BUILD_SETTINGS: Final = ("dockerfile", "context", "target", "build_args", "architecture")
"""Settings, and fields of `Image`, on which the content of an image depends."""

ENDPOINTS_OF_TASKS: Final = frozenset({"ecr.api", "ecr.dkr", "logs"})
"""Interface endpoints that every task needs: they pull the image and write the log.

Source: Amazon ECR User Guide, "Considerations for Amazon ECR VPC endpoints"; Amazon ECS Developer
Guide, "Interface VPC endpoints".
"""


def environment_problems(environment: Environment, project: Project | None) -> Iterator[Problem]:
    """Everything wrong within one environment whose values all have the right form.

    Without a project, whose file could not be used, what depends on it is left out.
    """
    if environment.name in RESERVED_ENVIRONMENTS:
        yield Problem((), None, f"an environment cannot be called {environment.name!r}; rename the file")
    if not environment.services:
        yield Problem(("services",), None, "at least one that is enabled, such as [services.web]")
    for problem in network_problems(environment.network):
        yield problem.under("network")
    for problem in _balancer_problems(environment.load_balancer):
        yield problem.under("load_balancer")
    for name, service in environment.services.items():
        for problem in service_problems(service):
            yield problem.under("services", name)
    yield from services_problems(environment, project)
    yield from store_rules.store_problems(environment, project)
    yield from _alarm_problems(environment)
    yield from _reachability_problems(environment)
    yield from _foreign_image_problems(environment)
    if project and not environment.network.has_internet and environment.region != project.region:
        yield Problem(
            ("network", "nat"),
            "none",
            f"images are in {project.region}, the registry's region, and endpoints lead to services of "
            f"{environment.region} only; choose another nat",
        )


def project_problems(project: Project, account_ids: Collection[str] | None) -> Iterator[Problem]:
    """Everything wrong within `project.toml` whose values all have the right form.

    Without the accounts of all environments, whose files could not be used, what depends on them is left out.
    """
    ids = {"repository_owner_id": project.repository_owner_id, "repository_id": project.repository_id}
    missing = [key for key, value in ids.items() if value is None]
    if len(missing) == 1:
        yield Problem(
            (missing[0],),
            None,
            f"is required with the other id: both or neither; {naming.how_to_find_ids(project)}",
        )
    for account_id in project.accounts_with_oidc_provider:
        if account_ids is not None and account_id not in account_ids:
            yield Problem(
                ("accounts_with_oidc_provider",),
                account_id,
                f"an account in use: {', '.join(sorted(account_ids))}",
            )


def network_problems(network: Network) -> Iterator[Problem]:
    """What is wrong within `[network]`; keys are relative to it."""
    if network.existing:
        yield from _existing_problems(network, network.existing)
        return
    zones = network.availability_zones
    if len(zones) < FEWEST_ZONES:
        yield Problem(
            ("availability_zones",), zones, f"at least {FEWEST_ZONES} zones: a load balancer needs them"
        )
    if network.tasks == "public" and network.nat != "none":
        yield Problem(
            ("nat",), network.nat, 'must be "none" with tasks = "public": no task needs a NAT gateway'
        )
    cidr = network.cidr
    if cidr is None:
        yield Problem(
            ("cidr",),
            None,
            'is required: the VPC\'s IPv4 CIDR, such as "10.0.0.0/16", shared with no other environment',
            missing=True,
        )
        return
    if cidr.prefixlen < LARGEST_VPC_PREFIX:
        yield Problem(("cidr",), str(cidr), f"a VPC is a /{LARGEST_VPC_PREFIX} or smaller")
        return
    if cidr.is_loopback or cidr.is_multicast or cidr.is_link_local or cidr.is_unspecified or cidr.is_reserved:
        yield Problem(("cidr",), str(cidr), 'addresses that hosts can have, such as those of "10.0.0.0/8"')
        return
    try:
        plan_addresses(cidr, zones, network.zone_slots)
    except AddressError as error:
        yield Problem(("availability_zones",), zones, f"do not fit cidr = {cidr}: {error}")


def _existing_problems(network: Network, existing: ExistingNetwork) -> Iterator[Problem]:
    for key, reason in LEFT_OUT_OF_EXISTING.items():
        if key in network.model_fields_set:
            yield Problem((key,), getattr(network, key), f"left out with network.existing: {reason}")
    public = existing.public_subnets
    if len(public) < FEWEST_ZONES:
        yield Problem(
            ("existing", "public_subnets"),
            public,
            f"subnets in at least {FEWEST_ZONES} zones: a load balancer needs them",
        )
    if network.tasks == "private" and existing.private_subnets.keys() != public.keys():
        yield Problem(
            ("existing", "private_subnets"),
            existing.private_subnets or None,
            "a subnet for tasks in each zone of public_subnets, where the load balancer is, and in no other: "
            f"{', '.join(sorted(public))}",
        )
    if 0 < len(existing.database_subnets) < FEWEST_ZONES:
        yield Problem(
            ("existing", "database_subnets"),
            existing.database_subnets,
            f"subnets in at least {FEWEST_ZONES} zones, which RDS asks for, or none",
        )
    places: dict[str, str] = {}
    for tier in Tier:
        for zone, subnet in existing.subnets(tier).items():
            place = f"{tier}_subnets.{zone}"
            if (other := places.setdefault(subnet, place)) != place:
                yield Problem(
                    ("existing", f"{tier}_subnets", zone),
                    subnet,
                    f"another subnet: this one is {other} already",
                )


def overlap_problems(networks: Mapping[str, Network]) -> Iterator[tuple[str, Problem]]:
    """Environments with common addresses or endpoints: the name of the later one, and the problem."""
    for (first, one), (second, other) in combinations(sorted(networks.items()), 2):
        shared = one.existing and other.existing and one.existing.vpc_id == other.existing.vpc_id
        if shared and (twice := set(one.endpoints) & set(other.endpoints)):
            yield (
                second,
                Problem(
                    ("network", "endpoints"),
                    sorted(twice),
                    f"leave it out: {first}.toml puts them into the same VPC, where their names can lead to "
                    "one endpoint only",
                ),
            )
        if not shared and one.cidr and other.cidr and one.cidr.overlaps(other.cidr):
            yield (
                second,
                Problem(
                    ("network", "cidr"),
                    str(other.cidr),
                    f"overlaps {one.cidr} of {first}.toml; each environment needs its own addresses",
                ),
            )


def platform_problems(environments: Mapping[str, Environment]) -> Iterator[tuple[str, Problem]]:
    """What only one service, store or environment may have and two do: the later one, and the problem."""
    names: dict[str, str] = {}
    domains: dict[str, str] = {}
    channels: dict[tuple[str, ...], str] = {}
    for environment in environments.values():
        for domain, table in _domains(environment):
            if (other := domains.setdefault(domain, environment.name)) != environment.name:
                allowed = f"a domain of its own: {other}.toml has it already"
                yield environment.name, Problem((*table, "domain"), domain, allowed)
        names.setdefault(environment.name, f"{environment.name}.toml")
        for kind in get_args(UseKind):
            for key in environment.services if kind == "services" else stores.of_kind(environment, kind):
                place, name = f"{environment.name}.toml: {kind}.{key}", f"{environment.name}-{key}"
                # Services have the names of environments, too: those of clusters.
                other = names.setdefault(name if kind == "services" else f"{kind} {name}", place)
                if other != place:
                    allowed = f"another name: it and {other} would both be called {name!r}"
                    yield environment.name, Problem((kind, key), None, allowed)
        for key, *channel in _channels(environment):
            whose = channels.setdefault((environment.account_id, *channel), environment.name)
            if whose != environment.name:
                allowed = f"a channel of its own: AWS knows one of an account once, and {whose}.toml has it"
                yield environment.name, Problem(("alarms", key, "channel_id"), channel[-1], allowed)


def _channels(environment: Environment) -> Iterator[tuple[str, ...]]:
    """Yields the chat channels of an environment: the key of their table, and what they are called."""
    if slack := environment.alarms.slack:
        yield "slack", slack.workspace_id, slack.channel_id
    if teams := environment.alarms.teams:
        yield "teams", teams.team_id, teams.channel_id


def image_problems(
    environments: Mapping[str, Environment], file_of: Callable[[str, Key], str]
) -> Iterator[tuple[str, Problem]]:
    """Images that two environments would build in different ways: the later one's name, and the problem.

    An image is built once, and what one environment has tested is promoted to the next. `file_of` returns
    the file that sets a key of an environment.
    """
    first: dict[str, tuple[str, Image]] = {}
    for environment in environments.values():
        for image in images(environment):
            name, other = first.setdefault(image.name, (environment.name, image))
            for key in BUILD_SETTINGS:
                value, there = getattr(image, key), getattr(other, key)
                if value != there:
                    service, _, sidecar = image.name.partition(".")
                    inner = ("sidecars", sidecar) if sidecar and key != "architecture" else ()
                    place = ("services", service, *inner, key)
                    said = str(Problem(place, there, "", file_of(name, place))).removesuffix(": ")
                    allowed = (
                        f"like {said}{'' if there else ' (not set)'}: the image {image.name} is built once "
                        "for all environments; set both alike, or give one of the services another name"
                    )
                    yield environment.name, Problem(place, value, allowed)
                    break


def warnings(platform: Platform) -> Iterator[Problem]:
    """What is allowed, and gives up something that people may not know of; with the file that says it.

    Source of the price: Amazon VPC pricing, "Public IPv4 addresses".
    """
    for environment in platform.environments.values():
        network = environment.network
        if network.tasks == "public":
            protected = " (which is protected)" if environment.protected else ""
            yield Problem(
                ("network", "tasks"),
                network.tasks,
                f"the tasks of {environment.name}{protected} run in no private tier: only their security "
                "groups keep the internet out, and each has a public IPv4 address, for which AWS charges "
                "$0.005 an hour",
                platform.file_of(environment.name, "network", "tasks"),
            )
        for problem in (*service_warnings(environment), *store_rules.warnings(environment)):
            yield replace(problem, file=platform.file_of(environment.name, *map(str, problem.key)))


def missing_endpoints(service: Service, present: Collection[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Returns what keeps the tasks of a service from running without a NAT gateway.

    The first set has the interface endpoints that are not in `present`, the second the IAM prefixes
    that no endpoint leads to. Where a prefix has several endpoints, any of them will do. Those of a status
    app's own calls are among `stores.needed_endpoints`.
    """
    prefixes = {action.split(":")[0] for each in service.permissions for action in each.actions}
    containers = (service, *service.sidecars.values())
    prefixes |= {reference.store for each in containers for reference in each.secrets.values()}
    prefixes |= {"ssmmessages"} if service.exec else set()
    prefixes -= privatelink.GATEWAYS
    known = {prefix: privatelink.ENDPOINTS[prefix] for prefix in prefixes & privatelink.ENDPOINTS.keys()}
    missing = {names[0] for names in known.values() if not set(names) & set(present)}
    return frozenset(missing | (ENDPOINTS_OF_TASKS - set(present))), frozenset(prefixes - known.keys())


def _alarm_problems(environment: Environment) -> Iterator[Problem]:
    """Yields thresholds of what is not there."""
    known = [*environment.services, *watched_stores.keys(environment)]
    for key, thresholds in environment.alarms.exceptions.items():
        place = ("alarms", "exceptions", key)
        if key not in known:
            yield Problem(place, None, f"a service or store; {nearest(key, known)}")
            continue
        service = environment.services.get(key)
        kind = service.kind if service else key.partition(".")[0]
        for name in sorted(thresholds.model_fields_set - set(OF_KIND[kind])):
            has = ", ".join(OF_KIND[kind]) or "none"
            yield Problem((*place, name), None, f"leave it out: {key} has no such threshold, only {has}")
    for key, database in environment.databases.items():
        free = environment.alarms.thresholds_of(f"databases.{key}").database_free_gib
        if not database.existing and free >= database.storage:
            yield Problem(
                ("databases", key, "storage"),
                database.storage,
                f"more than alarms.thresholds.database_free_gib = {free:g}, or its alarm is always raised",
            )


def _reachability_problems(environment: Environment) -> Iterator[Problem]:
    if environment.network.has_internet:
        return
    for name, service in environment.services.items():
        missing, unreachable = missing_endpoints(service, stores.endpoints(environment))
        if missing:
            yield Problem(
                ("network", "nat"),
                "none",
                f"tasks of {name!r} would have no way to {', '.join(sorted(missing))}; "
                f"add {'them' if len(missing) > 1 else 'it'} to network.endpoints or choose another nat",
            )
        if unreachable:
            yield Problem(
                ("network", "nat"),
                "none",
                f"tasks of {name!r} may call {', '.join(sorted(unreachable))}, which no interface endpoint "
                "leads to; choose another nat",
            )


def _foreign_image_problems(environment: Environment) -> Iterator[Problem]:
    """Yields the images that tasks cannot pull without a way to the internet.

    The endpoints of ECR lead to its private repositories in the same region only.
    Source: Amazon ECR User Guide, "Considerations for Amazon ECR VPC endpoints".
    """
    if environment.network.has_internet:
        return
    region = environment.region
    for name, service in environment.services.items():
        for sidecar, container in (("", service), *service.sidecars.items()):
            if container.image and f".dkr.ecr.{region}.amazonaws.com/" not in container.image:
                place = ("sidecars", sidecar, "image") if sidecar else ("image",)
                yield Problem(
                    ("services", name, *place),
                    container.image,
                    f'with network.nat = "none", tasks reach private repositories of ECR in {region} only; '
                    "copy the image to one, or choose another nat",
                )


def _balancer_problems(balancer: LoadBalancer) -> Iterator[Problem]:
    if (balancer.domain is None) != (balancer.hosted_zone is None):
        key, other = ("hosted_zone", "domain") if balancer.domain else ("domain", "hosted_zone")
        if key == "hosted_zone":
            yield Problem((key,), None, f"is required with {other}: both or neither")
    elif balancer.domain and not f".{balancer.domain}".endswith(f".{balancer.hosted_zone}"):
        yield Problem(("domain",), balancer.domain, f"within hosted_zone = {balancer.hosted_zone!r}")
    if balancer.waf and 0 < balancer.waf.rate_limit < LOWEST_RATE_LIMIT:
        yield Problem(
            ("waf", "rate_limit"), balancer.waf.rate_limit, f"at least {LOWEST_RATE_LIMIT}, or 0 for no limit"
        )


def _domains(environment: Environment) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields every domain of an environment once, with the table that has it."""
    found: dict[str, tuple[str, ...]] = {}
    if environment.load_balancer.domain:
        found[environment.load_balancer.domain] = ("load_balancer",)
    for key, service in environment.services.items():
        for domain in service.domain:
            found.setdefault(domain, ("services", key))
    yield from found.items()
