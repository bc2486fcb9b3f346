"""Which requests go to which service: routes, their order and their place among the load balancer's rules."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks import routing
from stacks.reading import read_platform
from stacks.routing import Route
from stacks.service_settings import Service
from stacks.settings import Environment
from tests.stacks.platform_files import NETWORK, PROJECT, TAIL, write_platform

HOSTS = ("a.example.com", "b.example.com", "shop.example.com")
PATHS = ("/", "/a", "/a/b", "/a/b/c", "/a/b/c/d", "/ab", "/b", "/a-b")
BALANCER = '[load_balancer]\ndomain = "example.com"\nhosted_zone = "example.com"\n'


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment to give other services to."""
    services = '[services.web]\nkind = "status"\n'
    directory = write_platform(tmp_path_factory.mktemp("dev"), PROJECT, dev=f"{TAIL}{NETWORK}{services}")
    return read_platform(directory).environments["dev"]


def with_services(dev: Environment, services: Mapping[str, Service], domain: str | None) -> Environment:
    balancer = dev.load_balancer.model_copy(update={"domain": domain, "hosted_zone": domain})
    return dev.model_copy(update={"services": services, "load_balancer": balancer})


def service(hosts: Sequence[str], path: str, cidrs: Sequence[str] = ()) -> Service:
    return Service.model_validate(
        {"domain": list(hosts), "path": path, **({"allowed_cidrs": list(cidrs)} if cidrs else {})}
    )


SERVICES = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True),
    st.builds(
        service,
        st.lists(st.sampled_from(HOSTS), unique=True, max_size=2),
        st.sampled_from(PATHS),
        st.lists(st.sampled_from([f"10.{n}.0.0/16" for n in range(9)]), unique=True, max_size=9),
    ),
    min_size=1,
    max_size=6,
)


@given(SERVICES, st.sampled_from([None, "example.com"]))
def test_no_service_moves_the_rule_of_another(
    dev: Environment, services: dict[str, Service], domain: str | None
) -> None:
    def rules(of: Mapping[str, Service]) -> set[tuple[str, int, Route]]:
        return {
            (route.name, route.priority, route) for route in routing.routes(with_services(dev, of, domain))
        }

    everything = rules(services)
    for name in services:
        fewer = {key: each for key, each in services.items() if key != name}
        assert rules(fewer) == {rule for rule in everything if rule[2].service != name}


@given(SERVICES, st.sampled_from([None, "example.com"]))
def test_rules_are_such_as_a_load_balancer_takes(
    dev: Environment, services: dict[str, Service], domain: str | None
) -> None:
    for route in routing.routes(with_services(dev, services, domain)):
        values = (1 if route.host else 0) + len(route.patterns) + len(route.cidrs)
        assert 1 <= values <= routing.VALUES_OF_A_RULE
        assert 1 <= route.priority <= routing.LOWEST_PRIORITY


@given(SERVICES, st.sampled_from([None, "example.com"]))
def test_everybody_who_may_reach_a_service_has_one_rule_for_it(
    dev: Environment, services: dict[str, Service], domain: str | None
) -> None:
    environment = with_services(dev, services, domain)
    for key, each in services.items():
        for host in routing.domains(environment, each) or (None,):
            own = [r for r in routing.routes(environment) if (r.service, r.host) == (key, host)]
            assert sorted(cidr for route in own for cidr in route.cidrs) == sorted(
                str(cidr) for cidr in each.allowed_cidrs or ()
            )


def matches(route: Route, host: str, path: str) -> bool:
    """Whether a rule lets a request pass. Source: Application Load Balancers guide, "Condition types"."""
    return (route.host or host) == host and (
        not route.patterns or any(fnmatchcase(path, pattern) for pattern in route.patterns)
    )


@given(SERVICES, st.sampled_from([None, "example.com"]), st.sampled_from(HOSTS), st.sampled_from(PATHS))
def test_the_most_specific_rule_is_asked_first(
    dev: Environment, services: dict[str, Service], domain: str | None, host: str, path: str
) -> None:
    routes = [
        route
        for route in routing.routes(with_services(dev, services, domain))
        if matches(route, host, f"{path.rstrip('/')}/x")
    ]
    for first, second in pairwise(sorted(routes, key=lambda each: each.priority)):
        assert (first.host is None, -len(first.path.split("/")) if first.path != "/" else 0) <= (
            second.host is None,
            -len(second.path.split("/")) if second.path != "/" else 0,
        )


def test_a_path_is_that_path_and_what_is_below_it() -> None:
    assert Route("web", None, "/api").patterns == ("/api", "/api/*")
    assert Route("web", None, "/").patterns == ("/*",)
    assert Route("web", "a.example.com", "/").patterns == ()


def test_two_rules_that_would_come_to_one_priority_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of them moved, its service would be cut off until Terraform is done."""
    monkeypatch.setattr(routing, "_BAND", 1)
    services = "[services.{0}]\ndockerfile = 'Dockerfile'\npath = '/{0}'\n"
    dev = f"{TAIL}{NETWORK}{services.format('one')}{services.format('two')}"
    with pytest.raises(
        Exception, match=r"services\.two\.path = \"/two\": another path: the load bal.* moved?"
    ):
        read_platform(write_platform(tmp_path, PROJECT, dev=dev))
