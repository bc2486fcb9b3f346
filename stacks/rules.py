"""What settings must fulfil beyond the form of each value: the limits of AWS, and no contradictions."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Final

from stacks import fargate, naming
from stacks.addressing import LARGEST_VPC_PREFIX, AddressError, plan_addresses
from stacks.problems import Problem, nearest
from stacks.settings import Environment, Network, Service
from webapp import contract

FEWEST_ZONES: Final = 2
"""An Application Load Balancer needs subnets in two zones. Source: its User Guide, "Subnets"."""

EXEC_PATHS: Final = ("/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm")
"""What the agent of ECS Exec writes to. Source: containers-roadmap issues 1359 and 2824."""

RESERVED_NAMES: Final = frozenset({"foundation"})
"""Names of environments that would be mistaken for a stack."""

_ENDPOINT_OF_PREFIX: Final = {
    "cloudwatch": "monitoring",
    "ecr": "ecr.api",
    "ecs": "ecs",
    "logs": "logs",
    "secretsmanager": "secretsmanager",
    "ssm": "ssm",
    "sts": "sts",
}
"""Interface endpoint of each IAM prefix the app may use; DynamoDB and S3 have gateway endpoints."""


def environment_problems(environment: Environment, project: str) -> Iterator[Problem]:
    """Everything wrong within one environment whose values all have the right form."""
    if environment.name in RESERVED_NAMES:
        yield Problem((), None, f"an environment cannot be called {environment.name!r}; rename the file")
    for problem in network_problems(environment.network):
        yield problem.under("network")
    for name, service in environment.services.items():
        for problem in (*service_problems(service), *_name_problems(project, environment, name)):
            yield problem.under("services", name)
    yield from _reachability_problems(environment)


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
    try:
        plan_addresses(network.cidr, zones, network.zone_slots)
    except AddressError as error:
        yield Problem(("availability_zones",), zones, f"do not fit cidr = {network.cidr}: {error}")


def service_problems(service: Service) -> Iterator[Problem]:
    """What is wrong within `[services.<name>]`; keys are relative to it."""
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
    if service.health_check.timeout >= service.health_check.interval:
        yield Problem(
            ("health_check", "timeout"),
            service.health_check.timeout,
            f"less than interval = {service.health_check.interval}",
        )
    yield from _domain_problems(service)
    yield from _exec_problems(service)
    for name in service.secrets.keys() - contract.secret_names():
        yield Problem(
            ("secrets", name), None, f"the app has no such secret; {nearest(name, contract.secret_names())}"
        )


def platform_problems(environments: Mapping[str, Environment]) -> Iterator[tuple[str, Problem]]:
    """What is wrong between environments: the name of the later one, and the problem."""
    for (first, one), (second, other) in combinations(sorted(environments.items()), 2):
        if one.network.cidr.overlaps(other.network.cidr):
            yield (
                second,
                Problem(
                    ("network", "cidr"),
                    str(other.network.cidr),
                    f"overlaps {one.network.cidr} of {first}.toml; each environment needs its own addresses",
                ),
            )


def needed_endpoints(service: Service) -> frozenset[str]:
    """Interface endpoints without which the tasks of a service cannot run where there is no NAT gateway.

    Source: Amazon ECR User Guide, "Considerations for Amazon ECR VPC endpoints"; Amazon ECS
    Developer Guide, "Interface VPC endpoints".
    """
    prefixes = {action.split(":")[0] for grant in contract.GRANTS for action in grant.actions}
    of_the_app = {_ENDPOINT_OF_PREFIX[prefix] for prefix in prefixes & _ENDPOINT_OF_PREFIX.keys()}
    of_secrets = {_ENDPOINT_OF_PREFIX[reference.store] for reference in service.secrets.values()}
    of_exec = {"ssmmessages"} if service.exec else set()
    return frozenset({"ecr.api", "ecr.dkr", "logs"} | of_the_app | of_secrets | of_exec)


def _reachability_problems(environment: Environment) -> Iterator[Problem]:
    if environment.network.nat != "none":
        return
    for name, service in environment.services.items():
        missing = needed_endpoints(service) - set(environment.network.endpoints)
        if missing:
            yield Problem(
                ("network", "nat"),
                "none",
                f"tasks of {name!r} would have no way to {', '.join(sorted(missing))}; "
                f"add {'them' if len(missing) > 1 else 'it'} to network.endpoints or choose another nat",
            )


def _domain_problems(service: Service) -> Iterator[Problem]:
    if (service.domain is None) != (service.hosted_zone is None):
        key = "hosted_zone" if service.hosted_zone is None else "domain"
        other = "domain" if key == "hosted_zone" else "hosted_zone"
        yield Problem((key,), None, f"is required with {other}: both or neither")
    elif service.domain and not f".{service.domain}".endswith(f".{service.hosted_zone}"):
        yield Problem(("domain",), service.domain, f"within hosted_zone = {service.hosted_zone!r}")


def _exec_problems(service: Service) -> Iterator[Problem]:
    missing = [path for path in EXEC_PATHS if path not in service.writable_paths]
    if service.exec and service.read_only_root and missing:
        paths = ", ".join(f'"{path}"' for path in (*service.writable_paths, *missing))
        yield Problem(
            ("exec",),
            True,
            f"needs mounts while read_only_root is set; add writable_paths = [{paths}]",
        )


def _name_problems(project: str, environment: Environment, service: str) -> Iterator[Problem]:
    for what, name, limit in naming.limited_names(project, environment, service):
        if len(name) > limit:
            yield Problem(
                (),
                None,
                f"{what} would be called {name!r}: {len(name)} characters, AWS allows {limit}",
            )
    if naming.load_balancer_name(project, environment.name, service).startswith("internal-"):
        yield Problem((), None, "a load balancer's name cannot begin with 'internal-'; rename the project")
