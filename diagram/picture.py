"""Draws an environment's tiers, routes and services in Mermaid.

It leaves out most resources: it shows what a stranger should see at a glance.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from diagram.configuration import Configuration, DiagramError
from diagram.mermaid import BOTH_WAYS, DOTTED, Chart
from diagram.network import DATABASE, ISOLATED, PRIVATE, PUBLIC, Subnet, tiers
from diagram.network import endpoints as endpoints_of
from diagram.network import subnets as subnets_of
from diagram.services import Service, alarms, health, routes, used
from diagram.services import balancers as balancers_of
from diagram.services import services as services_of
from diagram.stores import Store, all_stores

_STYLES: Final = {
    # Fill, border and text together, so that they fit GitHub's light and its dark page.
    "node": "fill:#ffffff,stroke:#57606a,color:#1f2328",
    "outside": "fill:#f6f8fa,stroke:#57606a,color:#1f2328",
    "public": "fill:#ddf4ff,stroke:#0969da,color:#0a3069",
    "private": "fill:#dafbe1,stroke:#1a7f37,color:#04260f",
    "closed": "fill:#fff8c5,stroke:#9a6700,color:#3b2300",
    "service": "fill:#fff1e5,stroke:#bc4c00,color:#471700",
    "aws": "fill:#fbefff,stroke:#8250df,color:#2e1461",
}
_CLOSED: Final = (DATABASE, ISOLATED)
_TIER_STYLES: Final = {PUBLIC: "public", PRIVATE: "private", DATABASE: "closed", ISOLATED: "closed"}


def diagram(configurations: Mapping[str, Mapping[str, Any]]) -> str:
    """Draws one environment as a Mermaid flowchart.

    `configurations` maps the names of its stacks to their Terraform JSON (`cdk.tf.json`). The same
    configurations give the same text, in any order. Raises DiagramError for what is not Terraform JSON,
    and if there is nothing to draw.
    """
    return _Picture(Configuration(configurations), " and ".join(sorted(configurations))).text()


class _Picture:
    """Draws one diagram; each method draws one part."""

    def __init__(self, configuration: Configuration, title: str) -> None:
        self._configuration = configuration
        self._subnets = subnets_of(configuration)
        self._endpoints = endpoints_of(configuration)
        self._balancers = balancers_of(configuration)
        self._services = services_of(configuration)
        self._stores = self._all_stores()
        if not (self._subnets or self._balancers or self._services or self._stores):
            raise DiagramError(
                f"there is nothing to draw in {title or 'no stack'}: no subnets, load balancers, ECS "
                "services, tables, buckets or the like"
            )
        self._chart = Chart(title, "Tiers, routes and services, from Terraform JSON", _STYLES)

    def text(self) -> str:
        """Returns the whole diagram."""
        self._draw_edge()
        self._draw_network()
        self._draw_stores()
        # First, because Mermaid ranks by the first path it finds around a circle.
        self._stack_tiers()
        self._draw_requests()
        self._draw_ways_out()
        self._draw_uses()
        return self._chart.text()

    def _all_stores(self) -> list[Store]:
        reached = {store for service in self._services for store in service.stores}
        return sorted(reached | set(all_stores(self._configuration)))

    def _draw_edge(self) -> None:
        if any(not each.is_internal for each in self._balancers) or self._ways("aws_internet_gateway"):
            self._chart.node("internet", "Internet", shape="pill")
        if not self._balancers:
            return
        with self._chart.group("edge", "Edge", "public"):
            for balancer in self._balancers:
                for domain in balancer.domains:
                    self._chart.node(_domain(domain), domain, "DNS", shape="round")
                listeners = [listener.words for listener in balancer.listeners]
                where = "internal load balancer" if balancer.is_internal else "load balancer"
                self._chart.node(balancer.resource.key, balancer.name, where, *listeners)

    def _draw_network(self) -> None:
        vpcs = self._configuration.all("aws_vpc")
        cidrs = [self._configuration.text(vpc.stack, vpc.body.get("cidr_block")) for vpc in vpcs]
        if not self._subnets:
            self._draw_clusters(self._services)
            return
        with self._chart.group("vpc", " ".join(["VPC", *filter(None, cidrs)]), "outside"):
            for gateway in self._ways("aws_internet_gateway"):
                self._chart.node(gateway, "Internet gateway", shape="round")
            for tier, members in tiers(self._subnets):
                with self._chart.group(tier, tier, _TIER_STYLES[tier]):
                    self._draw_subnets(tier, members)
                    self._draw_clusters([each for each in self._services if self._tier(each) == tier])
            self._draw_endpoints()
        self._draw_clusters([each for each in self._services if self._tier(each) is None])

    def _draw_subnets(self, tier: str, members: list[Subnet]) -> None:
        if tier in _CLOSED:
            lines = [f"{_zone(subnet)} {subnet.cidr}" for subnet in members]
            self._chart.node(f"all {tier}", "no way out", *lines)
            return
        for subnet in members:
            nat = ["NAT gateway"] * bool(subnet.nat_gateways)
            self._chart.node(subnet.resource.key, *filter(None, [_zone(subnet), subnet.cidr, *nat]))

    def _tier(self, service: Service) -> str | None:
        keys = {subnet.key for subnet in service.subnets}
        return next((each.tier for each in self._subnets if each.resource.key in keys), None)

    def _draw_clusters(self, services: list[Service]) -> None:
        for cluster in sorted({service.cluster for service in services}):
            members = [service for service in services if service.cluster == cluster]
            with self._chart.group(
                f"cluster {self._tier(members[0])} {cluster}", f"ECS cluster {cluster}", "service"
            ):
                for service in members:
                    self._chart.node(service.resource.key, service.name, *service.lines)

    def _draw_endpoints(self) -> None:
        if self._endpoints:
            lines = [
                f"{kind}: {', '.join(each.service for each in self._endpoints if each.kind == kind)}"
                for kind in dict.fromkeys(each.kind for each in self._endpoints)
            ]
            self._chart.node("endpoints", "VPC endpoints", *lines, shape="round")

    def _draw_stores(self) -> None:
        if self._stores:
            with self._chart.group("aws", "AWS services", "aws"):
                for store in self._stores:
                    shape = "store" if store.keeps_data else "box"
                    self._chart.node(_store(store), store.name, store.kind, shape=shape)

    def _draw_requests(self) -> None:
        for balancer in self._balancers:
            for domain in balancer.domains:
                if not balancer.is_internal:
                    self._chart.edge("internet", _domain(domain))
                self._chart.edge(_domain(domain), balancer.resource.key)
            if not balancer.domains and not balancer.is_internal:
                self._chart.edge("internet", balancer.resource.key)
            targets = {each.key: each for listener in balancer.listeners for each in listener.targets}
            for target in targets.values():
                for service in self._services:
                    if target.key in {each.key for each in service.targets}:
                        words = ", ".join(
                            filter(
                                None,
                                (*routes(self._configuration, target), health(self._configuration, target)),
                            )
                        )
                        self._chart.edge(balancer.resource.key, service.resource.key, words)
            for store in balancer.logs:
                self._chart.edge(balancer.resource.key, _store(store), "access logs", DOTTED)

    def _draw_ways_out(self) -> None:
        gateways = self._ways("aws_internet_gateway")
        for gateway in gateways:
            self._chart.edge("internet", gateway, arrow=BOTH_WAYS)
        for subnet in self._subnets:
            for other in self._through(subnet):
                self._chart.edge(subnet.resource.key, other)
            for gateway in gateways:
                if gateway in {way.key for way in subnet.ways}:
                    self._chart.edge(gateway, subnet.resource.key, arrow=BOTH_WAYS)

    def _through(self, subnet: Subnet) -> list[str]:
        """Returns the subnets with the NAT gateways that a subnet's traffic leaves through."""
        ways = {way.key for way in subnet.ways}
        return [each.resource.key for each in self._subnets if ways & {nat.key for nat in each.nat_gateways}]

    def _stack_tiers(self) -> None:
        """Puts each tier below the one before it, and what runs in a tier below its subnets."""
        rows = [
            [f"all {tier}"] if tier in _CLOSED else [subnet.resource.key for subnet in members]
            for tier, members in tiers(self._subnets)
        ]
        ways = {each.resource.key: self._through(each) for each in self._subnets}
        for above, below in pairwise(rows):
            for key in below:
                # Below what it goes out through and nothing else: a longer circle would tilt the rows.
                self._chart.below(ways.get(key) or above, [key])
        drawn = {each.resource.key for each in self._subnets if each.tier not in _CLOSED}
        runs = [(service.resource.key, {each.key for each in service.subnets}) for service in self._services]
        if rows and self._endpoints:
            runs.append(("endpoints", drawn))
        data, others = (
            [_store(each) for each in self._stores if each.keeps_data is kind] for kind in (True, False)
        )
        if data and others:
            self._chart.below(data, others)
        for key, subnets in runs:
            if upper := sorted(subnets & drawn):
                self._chart.below(upper, [key])

    def _draw_uses(self) -> None:
        near = {each.service.partition(".")[0] for each in self._endpoints}
        for service in self._services:
            for other, port in used(self._configuration, service, self._services):
                self._chart.edge(service.resource.key, other.resource.key, port)
            for store in service.stores:
                words = "by endpoint" if store.service in near else ""
                self._chart.edge(service.resource.key, _store(store), words)
            for topic, number in alarms(self._configuration, service):
                words = f"{number} {'alarm' if number == 1 else 'alarms'}"
                self._chart.edge(service.resource.key, _store(topic), words, DOTTED)

    def _ways(self, kind: str) -> list[str]:
        found = {way.key for each in self._subnets for way in each.ways if way.type == kind}
        return sorted(found)


def _zone(subnet: Subnet) -> str:
    return subnet.zone or subnet.resource.address.rpartition(".")[2]


def _domain(name: str) -> str:
    return f"name {name}"


def _store(store: Store) -> str:
    return f"{store.kind} {store.name}"
