"""What settings must fulfil beyond the form of each value: the limits of AWS, and no contradictions."""

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from typing import Final

from stacks import fargate, naming, privatelink
from stacks.addressing import LARGEST_VPC_PREFIX, AddressError, plan_addresses
from stacks.problems import Problem, nearest
from stacks.settings import Environment, Network, Project, Service
from stacks.workloads import program_of

FEWEST_ZONES: Final = 2
"""An Application Load Balancer needs subnets in two zones. Source: its User Guide, "Subnets"."""

EXEC_PATHS: Final = ("/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm")
"""What the agent of ECS Exec writes to. Source: containers-roadmap issues 1359 and 2824."""

RESERVED_ENVIRONMENTS: Final = frozenset({"foundation", "github"})
"""Names of environments that would be mistaken for a stack, or for the roles of GitHub workflows."""

RESERVED_SERVICES: Final = frozenset({"flow-logs"})
"""Names of services whose log group is another's."""

RULES_OF_A_GROUP: Final = 60
"""Inbound rules that a security group has room for. Source: Amazon VPC User Guide, "Amazon VPC quotas"."""

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
    for name, service in environment.services.items():
        for problem in service_problems(service):
            yield problem.under("services", name)
        if name in RESERVED_SERVICES:
            yield Problem(("services", name), None, f"a service cannot be called {name!r}")
        for problem in _name_problems(project, environment, name) if project else ():
            yield problem.under("services", name)
    yield from _reachability_problems(environment)
    if project and environment.network.nat == "none" and environment.region != project.region:
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
    zones = network.availability_zones
    if len(zones) < FEWEST_ZONES:
        yield Problem(
            ("availability_zones",), zones, f"at least {FEWEST_ZONES} zones: a load balancer needs them"
        )
    if network.cidr.prefixlen < LARGEST_VPC_PREFIX:
        yield Problem(("cidr",), str(network.cidr), f"a VPC is a /{LARGEST_VPC_PREFIX} or smaller")
        return
    cidr = network.cidr
    if cidr.is_loopback or cidr.is_multicast or cidr.is_link_local or cidr.is_unspecified or cidr.is_reserved:
        yield Problem(("cidr",), str(cidr), 'addresses that hosts can have, such as those of "10.0.0.0/8"')
        return
    try:
        plan_addresses(network.cidr, zones, network.zone_slots)
    except AddressError as error:
        yield Problem(("availability_zones",), zones, f"do not fit cidr = {network.cidr}: {error}")


def service_problems(service: Service) -> Iterator[Problem]:
    """What is wrong within `[services.<name>]`, if it is enabled; keys are relative to it."""
    if not service.enabled:
        return
    program = program_of(service)
    if found := fargate.problem_with(service.cpu, service.memory):
        key, allowed = found
        yield Problem((key,), getattr(service, key), f"Fargate does not sell this; {allowed}")
    if service.scaling.min_capacity > service.scaling.max_capacity:
        yield Problem(
            ("scaling", "min_capacity"),
            service.scaling.min_capacity,
            f"at most max_capacity = {service.scaling.max_capacity}",
        )
    if service.keep_alive <= service.idle_timeout:
        yield Problem(
            ("keep_alive",),
            service.keep_alive,
            f"more than idle_timeout = {service.idle_timeout}, or the load balancer answers 502 now and then",
        )
    if service.idle_timeout <= program.heartbeat:
        yield Problem(
            ("idle_timeout",),
            service.idle_timeout,
            f"more than {program.heartbeat}, or the load balancer ends the app's event streams",
        )
    if service.health_check.timeout >= service.health_check.interval:
        yield Problem(
            ("health_check", "timeout"),
            service.health_check.timeout,
            f"less than interval = {service.health_check.interval}",
        )
    yield from _domain_problems(service)
    yield from _exec_problems(service)
    # One more for Path MTU Discovery.
    rules = len(service.allowed_cidrs) * (2 if service.domain else 1) + 1
    if rules > RULES_OF_A_GROUP:
        yield Problem(
            ("allowed_cidrs",),
            None,
            f"fewer: {len(service.allowed_cidrs)} CIDRs make {rules} rules, a group takes {RULES_OF_A_GROUP}",
        )
    for name in sorted(service.secrets.keys() - program.secrets):
        yield Problem(
            ("secrets", name), None, f"the app has no such secret; {nearest(name, program.secrets)}"
        )


def overlap_problems(networks: Mapping[str, Network]) -> Iterator[tuple[str, Problem]]:
    """Environments with common addresses: the name of the later one, and the problem."""
    for (first, one), (second, other) in combinations(sorted(networks.items()), 2):
        if one.cidr.overlaps(other.cidr):
            yield (
                second,
                Problem(
                    ("network", "cidr"),
                    str(other.cidr),
                    f"overlaps {one.cidr} of {first}.toml; each environment needs its own addresses",
                ),
            )


def platform_problems(environments: Mapping[str, Environment]) -> Iterator[tuple[str, Problem]]:
    """What only one service may have and two do: the later one's environment, and the problem."""
    names: dict[str, str] = {}
    domains: dict[str, str] = {}
    for environment in environments.values():
        for key, service in environment.services.items():
            place = f"{environment.name}.toml: services.{key}"
            name = f"{environment.name}-{key}"
            if (other := names.setdefault(name, place)) != place:
                allowed = f"another name: it and {other} would both be called {name!r}"
                yield environment.name, Problem(("services", key), None, allowed)
            if service.domain and (other := domains.setdefault(service.domain, place)) != place:
                allowed = f"a domain of its own: {other} has it already"
                yield environment.name, Problem(("services", key, "domain"), service.domain, allowed)


def missing_endpoints(service: Service, present: Collection[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Returns what keeps the tasks of a service from running without a NAT gateway.

    The first set has the interface endpoints that are not in `present`, the second the IAM prefixes
    that no endpoint leads to. Where a prefix has several endpoints, any of them will do.
    """
    prefixes = {action.split(":")[0] for grant in program_of(service).grants for action in grant.actions}
    prefixes |= {reference.store for reference in service.secrets.values()}
    prefixes |= {"ssmmessages"} if service.exec else set()
    prefixes -= privatelink.GATEWAYS
    known = {prefix: privatelink.ENDPOINTS[prefix] for prefix in prefixes & privatelink.ENDPOINTS.keys()}
    missing = {names[0] for names in known.values() if not set(names) & set(present)}
    return frozenset(missing | (ENDPOINTS_OF_TASKS - set(present))), frozenset(prefixes - known.keys())


def _reachability_problems(environment: Environment) -> Iterator[Problem]:
    if environment.network.nat != "none":
        return
    for name, service in environment.services.items():
        missing, unreachable = missing_endpoints(service, environment.network.endpoints)
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


def _domain_problems(service: Service) -> Iterator[Problem]:
    if (service.domain is None) != (service.hosted_zone is None):
        key = "hosted_zone" if service.hosted_zone is None else "domain"
        other = "domain" if key == "hosted_zone" else "hosted_zone"
        yield Problem((key,), None, f"is required with {other}: both or neither")
    elif service.domain and not f".{service.domain}".endswith(f".{service.hosted_zone}"):
        yield Problem(("domain",), service.domain, f"within hosted_zone = {service.hosted_zone!r}")
    if not service.domain and not service.token_over_http:
        for name in sorted(service.secrets.keys() & program_of(service).tokens):
            yield Problem(
                ("secrets", name),
                None,
                "clients would send the token over plain HTTP, where others can read it; add domain and "
                "hosted_zone, or accept that with token_over_http = true",
            )


def _exec_problems(service: Service) -> Iterator[Problem]:
    missing = [path for path in EXEC_PATHS if path not in service.writable_paths]
    if service.exec and service.read_only_root and missing:
        paths = ", ".join(f'"{path}"' for path in (*service.writable_paths, *missing))
        yield Problem(
            ("exec",),
            True,
            f"needs mounts while read_only_root is set; add writable_paths = [{paths}]",
        )


def _name_problems(project: Project, environment: Environment, service: str) -> Iterator[Problem]:
    for what, name, limit in naming.limited_names(project.name, environment, service):
        if len(name) > limit:
            yield Problem(
                (),
                None,
                f"{what} would be called {name!r}: {len(name)} characters, AWS allows {limit}",
            )
