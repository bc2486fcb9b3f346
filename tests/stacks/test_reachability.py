"""Groups, ACLs and routes together: what services use they reach, and nothing else."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stacks.reading import read_platform
from tests.stacks.platform_files import PROJECT, write_platform
from tests.stacks.platform_files import environment as environment_text
from tests.stacks.reachability import Host, Reachability, aws_service, outside
from tests.stacks.terraform_json import read_stacks

CIDRS = ("0.0.0.0/0", "203.0.113.0/24", "198.51.100.7/32", "10.0.0.0/8")
WORLD = (outside("203.0.113.9"), outside("198.51.100.7"), outside("192.0.2.1"))


@dataclass(frozen=True)
class Service:
    """What a service of a random environment says."""

    kind: str
    port: int
    internal: bool
    uses: tuple[str, ...]
    egress: tuple[tuple[int, str], ...]

    @property
    def listens(self) -> bool:
        return self.kind == "web"

    def text(self, name: str) -> str:
        lines = [f"[services.{name}]", f'kind = "{self.kind}"', 'dockerfile = "Dockerfile"']
        if self.listens:
            lines.append(f"port = {self.port}")
            lines.append("internal = true" if self.internal else f'path = "/{name}"')
        lines.append(f"uses = {[f'services.{other}' for other in self.uses]}")
        rules = ", ".join(f'{{ port = {port}, cidr = "{cidr}" }}' for port, cidr in self.egress)
        lines.append(f"egress = [{rules}]")
        return "\n".join(lines) + "\n"


EGRESS = st.tuples(st.sampled_from((22, 443, 587, 8080)), st.sampled_from(CIDRS)).filter(
    lambda each: each != (443, "0.0.0.0/0")  # every task has that
)


@st.composite
def services(draw: st.DrawFn) -> Mapping[str, Service]:
    """Services that use some of those before them, so that there is no circle."""
    found: dict[str, Service] = {}
    for name in ("one", "two", "three", "four")[: draw(st.integers(2, 4))]:
        usable = [other for other, service in found.items() if service.listens]
        found[name] = Service(
            kind=draw(st.sampled_from(("web", "web", "worker"))),
            port=draw(st.sampled_from((80, 443, 587, 3000, 8080, 40000))),
            internal=draw(st.booleans()),
            uses=tuple(draw(st.sets(st.sampled_from(usable)))) if usable else (),
            egress=tuple(draw(st.sets(EGRESS))),
        )
    return found


NETWORKS = {
    "nat": 'nat = "single"',
    "endpoints": 'nat = "none"\nendpoints = ["ecr.api", "ecr.dkr", "logs"]',
    "public": 'tasks = "public"\nnat = "none"\nendpoints = ["sqs"]',
}


def synthesized(network: str, services: Mapping[str, Service]) -> Reachability:
    # The bindings take seconds to load: not when tests are collected.
    from stacks.synthesis import synthesize

    text = environment_text(
        network=f'[network]\ncidr = "10.10.0.0/16"\n{NETWORKS[network]}\n',
        services="".join(service.text(name) for name, service in services.items()),
    )
    with tempfile.TemporaryDirectory() as directory:
        platform = write_platform(Path(directory) / "environments", PROJECT, dev=text)
        synthesize(read_platform(platform), Path(directory) / "cdktf.out")
        stacks = read_stacks(Path(directory) / "cdktf.out")
    return Reachability(stacks["dev-network"], stacks["dev-service"])


def check_inside(found: Reachability, services: Mapping[str, Service]) -> None:
    balanced = {name for name, service in services.items() if service.listens and not service.internal}
    for name, service in services.items():
        for task in found.tasks(name):
            for other, peer in services.items():
                if other == name:
                    continue
                for there in found.tasks(other):
                    for port in {each.port for each in services.values()} | {22}:
                        wanted = other in service.uses and port == peer.port
                        assert found.reaches(task, there, port) == wanted, (name, other, port)
            for balancer in found.balancers() if balanced else ():
                for port in (22, service.port):
                    wanted = name in balanced and port == service.port
                    assert found.reaches(balancer, task, port) == wanted, (name, port)
                    assert not found.reaches(task, balancer, port)
            for client in WORLD:
                assert not any(found.reaches(client, task, port) for port in (22, 443, service.port))


def check_outside(found: Reachability, service: Service, task: Host, *, routed: bool) -> None:
    for host in WORLD:
        for port in (22, 25, 443, 587, 8080):
            opened = {cidr for its_port, cidr in service.egress if its_port == port}
            opened |= {"0.0.0.0/0"} if port == 443 else set()
            wanted = routed and any(host.address in IPv4Network(cidr) for cidr in opened)
            assert found.reaches(task, host, port) == wanted, (service, host, port)
    assert found.reaches(task, aws_service("s3"), 443)
    assert found.reaches(task, aws_service("dynamodb"), 443)
    assert all(found.reaches(task, endpoint, 443) for endpoint in found.network.endpoints)


@pytest.mark.parametrize("network", NETWORKS)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(services=services())
def test_services_reach_what_they_use_and_what_egress_opens_and_nothing_else(
    network: str, services: Mapping[str, Service]
) -> None:
    found = synthesized(network, services)
    check_inside(found, services)
    for name, service in services.items():
        for task in found.tasks(name):
            check_outside(found, service, task, routed=network != "endpoints")


def test_clients_reach_the_load_balancer_on_its_ports_only() -> None:
    found = synthesized("nat", {"one": Service("web", 8080, False, (), ())})
    for balancer in found.balancers():
        assert found.reaches(outside("203.0.113.9"), balancer, 80)
        assert not any(found.reaches(outside("203.0.113.9"), balancer, port) for port in (22, 443, 8080))


@pytest.mark.parametrize("closed", ["_rules", "_routes"])
def test_without_an_acl_or_a_route_there_is_no_way(closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = synthesized("nat", {"one": Service("worker", 1, False, (), ((587, "0.0.0.0/0"),))})
    (task, *_), mail = found.tasks("one"), outside("203.0.113.9")
    assert found.reaches(task, mail, 587)
    assert not found.reaches(Host(task.address, task.subnet), mail, 587)  # without its group
    monkeypatch.setattr(found.network, closed, [])
    assert not found.reaches(task, mail, 587)
