"""What services must fulfil in view of each other, and of the environment that they share."""

from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from typing import Final

from stacks import components, naming, routing
from stacks.problems import Problem, nearest
from stacks.service_settings import Service
from stacks.settings import ANYWHERE, Environment, Project
from stacks.status_app import STATUS
from stacks.store_rules import use_problems
from stacks.workloads import used_services

RESERVED: Final = frozenset({"balancer", "flow-logs"})
"""Names of services that something else of an environment has."""

RULES_OF_A_GROUP: Final = 60
"""Rules of a security group in one direction. Source: Amazon VPC User Guide, "Amazon VPC quotas"."""


def services_problems(environment: Environment, project: Project | None) -> Iterator[Problem]:
    """What is wrong with services only in view of each other and of the environment.

    Without a project, whose file could not be used, what depends on it is left out.
    """
    for key, service in environment.services.items():
        if key in RESERVED:
            yield Problem(("services", key), None, f"a service cannot be called {key!r}")
        for problem in (
            *_balancer_problems(environment, service),
            *_reference_problems(environment, key, service),
            *(_name_problems(project, environment, key, service) if project else ()),
            *_permission_problems(service, project),
            *use_problems(environment, service),
        ):
            yield problem.under("services", key)
    yield from _stream_problems(environment)
    yield from _circles(environment)
    yield from _route_problems(environment)
    yield from _domain_problems(environment)
    yield from _group_problems(environment)


def service_warnings(environment: Environment) -> Iterator[Problem]:
    """What is allowed and may surprise: who reaches a service, who runs it, and what the page shows."""
    used = {name for service in environment.services.values() for name in used_services(service.uses)}
    is_probed = any(service.kind == "status" for service in environment.services.values())
    who = "only the status app can" if is_probed else "nobody can"
    for key, service in environment.services.items():
        if service.internal and key not in used:
            yield Problem(
                ("services", key, "internal"),
                True,
                f"{who} reach {key} in {environment.name}: no service has it in its uses",
            )
        for name, container in (("", service), *service.sidecars.items()):
            if container.user and container.user.partition(":")[0] in ("root", "0"):
                place = ("services", key, *(("sidecars", name) if name else ()), "user")
                yield Problem(place, container.user, f"{name or key} runs as root in {environment.name}")
        for index, group in enumerate(service.page.groups):
            if group not in components.groups(environment):
                close = nearest(group, components.groups(environment))
                yield Problem(
                    ("services", key, "page", "groups", index),
                    group,
                    f"no row of {environment.name} is in this group; {close}",
                )


def _balancer_problems(environment: Environment, service: Service) -> Iterator[Problem]:
    if not routing.is_balanced(service):
        return
    balancer = environment.load_balancer
    own, zone = service.domain, service.hosted_zone or balancer.hosted_zone
    for domain in own:
        if zone is None:
            yield Problem(
                ("hosted_zone",), None, f"is required with domain: the public Route 53 zone of {domain}"
            )
        elif not f".{domain}".endswith(f".{zone}"):
            yield Problem(("domain",), domain, f"within hosted_zone = {zone!r}")
    if service.hosted_zone and not own:
        yield Problem(("domain",), None, "is required with hosted_zone: both or neither")
    if own and service.load_balancer == "shared" and not balancer.domain:
        yield Problem(
            ("domain",),
            ", ".join(own),
            "the load balancer needs a domain, too, whose certificate it shows to whoever asks for no name "
            "it knows: add domain and hosted_zone to [load_balancer]",
        )
    if service.kind == "status":
        yield from _status_problems(environment, service)


def _status_problems(environment: Environment, service: Service) -> Iterator[Problem]:
    idle = environment.load_balancer.idle_timeout
    if service.keep_alive <= idle:
        yield Problem(
            ("keep_alive",),
            service.keep_alive,
            f"more than load_balancer.idle_timeout = {idle}, or the load balancer answers 502 now and then",
        )
    if not routing.domains(environment, service) and not service.token_over_http:
        for name in sorted(service.secrets.keys() & STATUS.tokens):
            yield Problem(
                ("secrets", name),
                None,
                "clients would send the token over plain HTTP, where others can read it; add a domain, or "
                "accept that with token_over_http = true",
            )


def _stream_problems(environment: Environment) -> Iterator[Problem]:
    idle = environment.load_balancer.idle_timeout
    apps = [key for key, service in environment.services.items() if service.kind == "status"]
    if apps and idle <= STATUS.heartbeat:
        yield Problem(
            ("load_balancer", "idle_timeout"),
            idle,
            f"more than {STATUS.heartbeat}, or it ends the event streams of {apps[0]!r}",
        )


def _reference_problems(environment: Environment, key: str, service: Service) -> Iterator[Problem]:
    services = environment.services
    if key in service.sidecars:
        yield Problem(("sidecars", key), None, f"another name: the service's own container is called {key!r}")
    owner_of_family, _, rest = key.rpartition("-before-deploy")
    if not rest and owner_of_family in services and services[owner_of_family].before_deploy:
        yield Problem((), None, f"another name: a task that runs before {owner_of_family} has it")
    for name, container in (("", service), *service.sidecars.items()):
        owner = container.same_image_as
        place = (*(("sidecars", name) if name else ()), "same_image_as")
        if owner is None:
            continue
        if owner not in services or (owner == key and not name):
            others = [each for each in services if each != key]
            yield Problem(
                place, owner, f"a service of {environment.name} with an image; {nearest(owner, others)}"
            )
        elif services[owner].same_image_as:
            yield Problem(
                place,
                owner,
                f"a service that has the image itself, such as {services[owner].same_image_as!r}",
            )
        elif services[owner].architecture != service.architecture:
            yield Problem(
                ("architecture",),
                service.architecture,
                f"{services[owner].architecture!r} like {owner}, whose image it runs",
            )
    for name in used_services(service.uses):
        place = ("uses", [str(use) for use in service.uses].index(f"services.{name}"))
        if name not in services or name == key:
            known = [f"services.{each}" for each in services if each != key]
            yield Problem(place, f"services.{name}", f"another service; {nearest(f'services.{name}', known)}")
        elif services[name].kind != "web" or not routing.address_port(services[name]):
            yield Problem(
                place, f"services.{name}", 'a service with kind = "web": it has a port to connect to'
            )


def _permission_problems(service: Service, project: Project | None) -> Iterator[Problem]:
    if not service.permissions:
        return
    # A second to load, for the few who need it.
    from stacks.actions import problem_with

    for index, permission in enumerate(service.permissions):
        for action in permission.actions:
            if allowed := problem_with(action):
                yield Problem(("permissions", index, "actions"), action, allowed)
            elif (
                action.lower().startswith("sts:")
                and fnmatchcase("sts:assumerole", action.lower())
                and project
            ):
                inside = f"arn:aws:iam::{{account}}:role/{project.name}-..."
                if not all(f":role/{project.name}-" in resource for resource in permission.resources):
                    yield Problem(
                        ("permissions", index, "resources"),
                        permission.resources,
                        f"roles of the project only, {inside}: the boundary of all services admits no others",
                    )


def _circles(environment: Environment) -> Iterator[Problem]:
    uses = {
        key: [name for name in used_services(service.uses) if name in environment.services and name != key]
        for key, service in environment.services.items()
    }
    try:
        TopologicalSorter(uses).prepare()
    except CycleError as error:
        # From each to the one that it uses.
        circle = [str(name) for name in reversed(error.args[1])]
        yield Problem(
            ("services", circle[0], "uses"),
            None,
            f"a circle: {' uses '.join(circle)}; none of them could be started before the others",
        )


def _route_problems(environment: Environment) -> Iterator[Problem]:
    found: dict[int, routing.Route] = {}
    for route in routing.routes(environment):
        other = found.setdefault(route.priority, route)
        if other is route:
            continue
        where, there = (f"{each.host or ''}{each.path}" for each in (route, other))
        if where == there and other.part == route.part:
            allowed = (
                f"{other.service} answers {where} already; give one of them another path or domain, or "
                'load_balancer = "own"'
            )
        else:
            allowed = (
                f"another path: the load balancer's rules for {where} and for {there} of {other.service} "
                "would have the same priority, and to move a rule cuts its service off"
            )
        said = "path" in environment.services[route.service].model_fields_set
        key = ("services", route.service, *(("path",) if said else ()))
        yield Problem(key, route.path if said else None, allowed)
    rules = sum(1 for _ in routing.routes(environment))
    if rules > routing.RULES_OF_A_BALANCER:
        yield Problem(
            ("services",),
            None,
            f"domains, paths and allowed_cidrs make {rules} rules of the load balancer, which takes "
            f'{routing.RULES_OF_A_BALANCER}: give some services load_balancer = "own"',
        )


def _domain_problems(environment: Environment) -> Iterator[Problem]:
    """Yields domains that two load balancers would have, or that are in two hosted zones."""
    found: dict[str, str] = {}
    for balancer in routing.balancers(environment):
        for domain in balancer.domains:
            if domain in found:
                yield Problem(
                    ("services", balancer.key, "domain"),
                    domain,
                    "a domain of its own: another load balancer has it",
                )
            found[domain] = balancer.key
    zones: dict[str, str] = {}
    for key, service in environment.services.items():
        zone = routing.zone_of(environment, service)
        for domain in service.domain:
            if zones.setdefault(domain, zone) != zone:
                yield Problem(
                    ("services", key, "hosted_zone"),
                    zone,
                    f"{zones[domain]!r} like the other service with {domain}",
                )


def _group_problems(environment: Environment) -> Iterator[Problem]:
    """Yields what does not fit into the security groups."""
    used_by = Counter(name for each in environment.services.values() for name in used_services(each.uses))
    for key, service in environment.services.items():
        for index, egress in enumerate(service.egress):
            if environment.network.has_internet and (egress.port, egress.cidr) == (443, ANYWHERE):
                yield Problem(
                    ("services", key, "egress", index),
                    None,
                    "leave it out: tasks reach every HTTPS port already",
                )
        # HTTPS to endpoints, both gateways and the internet.
        outward = len(service.egress) + len(service.uses) + 4
        inward = used_by[key] + 1
        for what, rules in (("egress and uses", outward), ("services that use it", inward)):
            if rules > RULES_OF_A_GROUP:
                yield Problem(
                    ("services", key),
                    None,
                    f"fewer: {what} make {rules} rules, a security group takes {RULES_OF_A_GROUP}",
                )
    for balancer in routing.balancers(environment):
        # One more for Path MTU Discovery.
        cidrs = len(balancer.cidrs)
        rules = cidrs * (2 if balancer.domains else 1) + 1
        if rules > RULES_OF_A_GROUP:
            place = ("services", balancer.key) if balancer.key else ("load_balancer",)
            yield Problem(
                (*place, "allowed_cidrs"),
                None,
                f"fewer: {cidrs} CIDRs make {rules} rules, a security group takes {RULES_OF_A_GROUP}",
            )
        if len({route.service for route in balancer.routes}) > RULES_OF_A_GROUP:
            yield Problem(
                ("services",),
                None,
                f"at most {RULES_OF_A_GROUP} on one load balancer, whose group has a rule for each",
            )


def _name_problems(
    project: Project, environment: Environment, key: str, service: Service
) -> Iterator[Problem]:
    balancer = service.load_balancer == "own"
    for what, name, limit in _limited_names(project.name, environment, key, balancer=balancer):
        if len(name) > limit:
            yield Problem(
                (),
                None,
                f"{what} would be called {name!r}: {len(name)} characters, AWS allows {limit}",
            )


def _limited_names(
    project: str, environment: Environment, service: str, *, balancer: bool
) -> Iterator[tuple[str, str, int]]:
    """The names that AWS limits: what it names, the name, and the limit in characters.

    `balancer` says whether the service has a load balancer of its own.

    Sources: Elastic Load Balancing API, CreateLoadBalancer (32); IAM User Guide, "IAM and AWS STS
    quotas" (64); Amazon S3 User Guide, "Bucket naming rules" (63).
    """
    if balancer:
        yield "the load balancer", naming.service_name(project, environment.name, service), 32
    yield "the execution role", naming.role_name(project, environment.name, f"{service}-execution"), 64
    yield "the access log bucket", naming.access_log_bucket(project, environment), 63
