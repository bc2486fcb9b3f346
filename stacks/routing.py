"""Which requests the environment's load balancer sends to which service.

Pure functions of the settings. The listener's rules and the router at a desk derive from them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from stacks.service_settings import Service
from stacks.settings import Environment
from stacks.status_app import STATUS
from stacks.values import DEEPEST_PATH

VALUES_OF_A_RULE: Final = 5
"""Most values of a rule's conditions. Source: Application Load Balancers guide, "Quotas"."""

RULES_OF_A_BALANCER: Final = 100
"""Most rules of a load balancer, without default rules. Source: the same page."""

LOWEST_PRIORITY: Final = 50_000
"""The rule that is asked last. Source: Elastic Load Balancing API, CreateRule."""

ANY_ANSWER: Final = "200-499"
"""HTTP status codes of a service that answers, whatever it thinks of the path."""

PORT: Final = 8080
"""Where a web service listens unless its settings say otherwise."""

_BAND: Final = 5_000
"""Priorities of routes that are equally specific."""


@dataclass(frozen=True, slots=True)
class Route:
    """Requests to a host, or to any, below a path go to a service."""

    service: str
    host: str | None
    path: str
    cidrs: tuple[str, ...] = ()
    """Who may use it; nobody is kept out by an empty one."""
    part: int = 0
    """Which one it is of the routes that share a list of CIDRs too long for one rule."""

    @property
    def name(self) -> str:
        """Returns a name for its rule, six hash digits, which depends on nothing but itself."""
        return self._hash()[:6]

    @property
    def patterns(self) -> tuple[str, ...]:
        """Returns the patterns of its paths as the load balancer knows them; none for every path."""
        if self.path != "/":
            return self.path, f"{self.path}/*"
        return () if self.host else ("/*",)

    @property
    def priority(self) -> int:
        """Returns its rule's priority, which depends on nothing but itself; the lowest is asked first.

        A longer path comes before a shorter one, a host with a path before the host alone, and both
        before paths of any host. Among equals the order does not matter, and a hash decides.
        """
        depth = self.path.count("/") if self.path != "/" else 0
        if not self.host and not depth:
            return LOWEST_PRIORITY - self.part
        band = (0 if self.host else DEEPEST_PATH + 1) + DEEPEST_PATH - depth
        return 1 + band * _BAND + int(self._hash(), 16) % _BAND

    def _hash(self) -> str:
        return sha256(f"{self.host or ''} {self.path} {self.part}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Balancer:
    """A load balancer: the one that services share, or one service's own."""

    key: str
    """The service whose own it is; empty for the shared one."""
    domains: Mapping[str, str]
    """Hosted zones by domain; the first one's certificate is the default. Without any there is no HTTPS."""
    cidrs: tuple[str, ...]
    """Who may reach it."""
    routes: tuple[Route, ...]


def is_balanced(service: Service) -> bool:
    """Returns whether a service gets its requests from a load balancer."""
    return service.kind in ("web", "status") and not service.internal


def domains(environment: Environment, service: Service) -> tuple[str, ...]:
    """Returns the domains that a balanced service answers under: its own, or else the shared balancer's."""
    shared = environment.load_balancer.domain
    if service.domain or service.load_balancer == "own" or not shared:
        return service.domain
    return (shared,)


def balancers(environment: Environment) -> Iterator[Balancer]:
    """Yields the load balancers that an environment needs, the shared one first."""
    shared = tuple(routes(environment))
    cidrs = tuple(str(cidr) for cidr in environment.load_balancer.allowed_cidrs)
    balanced = {key: each for key, each in environment.services.items() if is_balanced(each)}
    if shared:
        zones: dict[str, str] = {}
        if environment.load_balancer.domain and environment.load_balancer.hosted_zone:
            zones[environment.load_balancer.domain] = environment.load_balancer.hosted_zone
        for service in balanced.values():
            if service.load_balancer == "shared":
                zones |= {
                    domain: zones.get(domain, zone_of(environment, service)) for domain in service.domain
                }
        yield Balancer("", zones, cidrs, shared)
    for key, service in balanced.items():
        if service.load_balancer == "own":
            yield Balancer(
                key,
                {domain: zone_of(environment, service) for domain in service.domain},
                tuple(str(cidr) for cidr in service.allowed_cidrs) if service.allowed_cidrs else cidrs,
                (Route(key, None, "/"),),
            )


def zone_of(environment: Environment, service: Service) -> str:
    """Returns the hosted zone of a service's domains; empty if none is named, which the rules refuse."""
    return service.hosted_zone or environment.load_balancer.hosted_zone or ""


def routes(environment: Environment) -> Iterator[Route]:
    """Yields the routes of the load balancer that services share, service by service."""
    for key, service in environment.services.items():
        if not is_balanced(service) or service.load_balancer == "own":
            continue
        for host in domains(environment, service) or (None,):
            route = Route(key, host, service.path)
            room = VALUES_OF_A_RULE - len(route.patterns) - (1 if host else 0)
            cidrs = [str(cidr) for cidr in service.allowed_cidrs or ()]
            for part, some in enumerate(_batched(cidrs, room) or [()]):
                yield Route(key, host, service.path, some, part)


def url(environment: Environment, service: Service, dns_name: str) -> str:
    """Returns where a balanced service is reached, behind a load balancer with a name of AWS's."""
    own = domains(environment, service)
    path = "" if service.path == "/" else service.path
    return f"https://{own[0]}{path}" if own else f"http://{dns_name}{path}"


def below(service: Service, path: str) -> str | None:
    """Returns a path as it follows the service's own; None if the load balancer sends it elsewhere."""
    if service.path == "/":
        return path
    inner = path.removeprefix(service.path)
    return inner if inner != path and inner[:1] in ("", "/", "?") else None


def port_of(service: Service) -> int | None:
    """Returns the port that a service's own container listens on, if any."""
    if service.kind == "status":
        return STATUS.port
    return service.port or (PORT if service.kind == "web" and not service.target_container else None)


def address_port(service: Service) -> int | None:
    """Returns the port that requests to a service go to: its own container's, or that of a sidecar."""
    sidecar = service.sidecars.get(service.target_container or "")
    return sidecar.port if sidecar else port_of(service)


def _batched(values: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(values[start : start + size]) for start in range(0, len(values), size)]
