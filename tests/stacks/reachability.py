"""Who can open a TCP connection to whom, as the synthesized network and service stacks say.

A connection is there if the security groups of both ends admit it, there is a route, and the network ACLs
on the way let its packets and those of the answer pass. Within a subnet no ACL is asked; a NAT gateway
sends from an address and a port of its own.

Sources: Amazon VPC User Guide, "Control subnet traffic with network access control lists", "Security group
rules", "Ephemeral ports" and "NAT gateway basics".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from tests.stacks.terraform_json import Stack

TASK_PORTS: Final = (32768, 60999)
"""First and last port that Linux asks from, with which Fargate's tasks run."""

OTHER_PORTS: Final = (1024, 3388, 3390, 65535)
"""Ports that load balancers, NAT gateways and clients ask from; 3389 is lost, as docs/platform.md says."""

_REFERENCE: Final = re.compile(
    r'\$\{aws_\w+\.([\w-]+)\.\w+\}|\$\{lookup\(.*?, "(\w+)", |\$\{local\.([\w-]+)\}'
)


@dataclass(frozen=True)
class Host:
    """Something with an address. Outside the VPC it has no subnet, and its groups do not matter."""

    address: IPv4Address
    subnet: str = ""
    groups: frozenset[str] = frozenset()
    public: bool = False
    """Whether it has a public address of its own."""
    ports: tuple[int, ...] = OTHER_PORTS
    """Those that it asks from."""
    prefix_list: str = ""
    """The gateway endpoint that leads to it."""


def outside(address: str) -> Host:
    """A host in the internet."""
    return Host(IPv4Address(address))


def aws_service(gateway: str) -> Host:
    """An AWS service that has a gateway endpoint."""
    return Host(IPv4Address("52.219.0.1"), prefix_list=gateway)


class Network:
    """Subnets, routes and ACLs of a network stack."""

    def __init__(self, stack: Stack) -> None:
        self.subnets = {
            name: IPv4Network(body["cidr_block"]) for name, body in stack.all("aws_subnet").items()
        }
        self._acls = {
            _name(each["subnet_id"]): _name(each["network_acl_id"])
            for each in stack.all("aws_network_acl_association").values()
        }
        self._rules = sorted(stack.all("aws_network_acl_rule").values(), key=lambda rule: rule["rule_number"])
        self._tables = {
            _name(each["subnet_id"]): _name(each["route_table_id"])
            for each in stack.all("aws_route_table_association").values()
        }
        self._routes = list(stack.all("aws_route").values())
        self._nat = {name: _name(each["subnet_id"]) for name, each in stack.all("aws_nat_gateway").items()}
        endpoints = stack.all("aws_vpc_endpoint").items()
        self._gateways = {
            (name.removesuffix("_endpoint"), _name(table))
            for name, each in endpoints
            for table in each.get("route_table_ids", ())
        }
        self.endpoints = [
            self.host(_name(subnet), groups=frozenset(map(_name, each["security_group_ids"])))
            for _, each in endpoints
            for subnet in each.get("subnet_ids", ())
        ]

    def host(
        self,
        subnet: str,
        number: int = 10,
        *,
        groups: frozenset[str] = frozenset(),
        public: bool = False,
        ports: tuple[int, ...] = OTHER_PORTS,
    ) -> Host:
        """A host in a subnet, at the address with that number."""
        return Host(self.subnets[subnet][number], subnet, groups, public, ports)

    def carries(self, source: Host, destination: Host, port: int) -> bool:
        """Whether routes and ACLs let a connection pass, both ways, whatever the groups say."""
        return all(self._carries(source, destination, asked_from, port) for asked_from in source.ports)

    def _carries(self, source: Host, destination: Host, asked_from: int, port: int) -> bool:
        inside = bool(source.subnet), bool(destination.subnet)
        if inside == (True, True):
            if source.subnet == destination.subnet:
                return True
            return (
                self._admits(source.subnet, True, destination.address, port)
                and self._admits(destination.subnet, False, source.address, port)
                and self._admits(destination.subnet, True, source.address, asked_from)
                and self._admits(source.subnet, False, destination.address, asked_from)
            )
        if inside == (False, True):
            return (
                destination.public
                and self._hop(destination.subnet, source) == "internet"
                and self._admits(destination.subnet, False, source.address, port)
                and self._admits(destination.subnet, True, source.address, asked_from)
            )
        hop = self._hop(source.subnet, destination)
        there_and_back = self._admits(source.subnet, True, destination.address, port) and self._admits(
            source.subnet, False, destination.address, asked_from
        )
        if hop in self._nat:
            nat = self.host(self._nat[hop], 5, public=True)
            return (
                there_and_back
                and self._admits(nat.subnet, False, source.address, port)
                and self._admits(nat.subnet, True, source.address, asked_from)
                and self.carries(nat, destination, port)
            )
        return there_and_back and (hop == "gateway" or (hop == "internet" and source.public))

    def _hop(self, subnet: str, destination: Host) -> str | None:
        """Where a subnet sends what is for the outside: to a NAT gateway's name, `internet` or `gateway`."""
        table = self._tables[subnet]
        if (destination.prefix_list, table) in self._gateways:
            return "gateway"
        for route in self._routes:
            leads_there = destination.address in IPv4Network(route["destination_cidr_block"])
            if _name(route["route_table_id"]) == table and leads_there:
                return _name(route["nat_gateway_id"]) if "nat_gateway_id" in route else "internet"
        return None

    def _admits(self, subnet: str, egress: bool, peer: IPv4Address, port: int) -> bool:
        for rule in self._rules:
            if (
                _name(rule["network_acl_id"]) == self._acls[subnet]
                and rule["egress"] == egress
                and rule["protocol"] == "tcp"
                and peer in IPv4Network(rule["cidr_block"])
                and rule["from_port"] <= port <= rule["to_port"]
            ):
                return bool(rule["rule_action"] == "allow")
        return False


class Reachability:
    """The hosts of an environment, and which of them reach each other."""

    def __init__(self, network: Stack, service: Stack) -> None:
        self.network = Network(network)
        self._service = service
        self._variables: Mapping[str, Any] = service.content.get("variable", {})
        self._rules = {
            egress: [
                rule
                for stack in (network, service)
                for rule in stack.all(f"aws_vpc_security_group_{direction}_rule").values()
                if rule["ip_protocol"] == "tcp"
            ]
            for egress, direction in ((False, "ingress"), (True, "egress"))
        }

    def tasks(self, service: str) -> list[Host]:
        """A task of a service in each subnet where one may be."""
        ecs_service = self._service.one("aws_ecs_service", f"{service}_service")
        settings = ecs_service["network_configuration"]
        number = 10 + sorted(self._service.all("aws_ecs_service")).index(f"{service}_service")
        return [
            self.network.host(
                self._subnet(subnet),
                number,
                groups=frozenset(map(_name, settings["security_groups"])),
                public=settings["assign_public_ip"],
                ports=TASK_PORTS,
            )
            for subnet in settings["subnets"]
        ]

    def balancers(self) -> list[Host]:
        """A node of the shared load balancer in each of its subnets."""
        balancer = self._service.one("aws_lb", "balancer")
        groups = frozenset(map(_name, balancer["security_groups"]))
        return [
            self.network.host(self._subnet(subnet), 6, groups=groups, public=not balancer["internal"])
            for subnet in balancer["subnets"]
        ]

    def reaches(self, source: Host, destination: Host, port: int) -> bool:
        """Whether a connection can be opened."""
        return (
            (not source.subnet or self._opened(True, source, destination, port))
            and (not destination.subnet or self._opened(False, destination, source, port))
            and self.network.carries(source, destination, port)
        )

    def _opened(self, egress: bool, host: Host, peer: Host, port: int) -> bool:
        return any(
            _name(rule["security_group_id"]) in host.groups
            and rule["from_port"] <= port <= rule["to_port"]
            and self._concerns(rule, peer)
            for rule in self._rules[egress]
        )

    def _concerns(self, rule: Mapping[str, Any], peer: Host) -> bool:
        if group := rule.get("referenced_security_group_id"):
            return _name(group) in peer.groups
        if prefix_list := rule.get("prefix_list_id"):
            return _name(prefix_list) == f"prefix_list_{peer.prefix_list}"
        return any(peer.address in IPv4Network(cidr) for cidr in self._cidrs(rule))

    def _cidrs(self, rule: Mapping[str, Any]) -> Iterator[str]:
        if rule["cidr_ipv4"] != "${each.value}":
            yield rule["cidr_ipv4"]
        elif variable := re.fullmatch(r"\$\{toset\(var\.(\w+)\)\}", rule["for_each"]):
            yield from self._variables[variable[1]]["default"]

    def _subnet(self, reference: str) -> str:
        tier, _, zone = _name(reference).partition("_subnet_")
        return f"{tier}_{zone}"


def _name(reference: str) -> str:
    """The Terraform name in a reference, or the key of another stack's `connections`."""
    match = _REFERENCE.match(reference)
    assert match, reference
    return match[1] or match[2] or match[3]
