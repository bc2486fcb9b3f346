"""Who may talk to the tasks of a service, and to whom they may: each way a rule with a name."""

from stacks.bindings import (
    Construct,
    SecurityGroup,
    VpcSecurityGroupEgressRule,
    VpcSecurityGroupIngressRule,
)
from stacks.constructs.internet_routes import ANYWHERE
from stacks.constructs.network_connections import NetworkConnections
from stacks.values import Use
from stacks.workloads import Workload

HTTP = 80
HTTPS = 443


class TaskGroup:
    """The security group of a service's tasks, which run in `subnet_ids`.

    They reach AWS and, if there is a way, anything over HTTPS, and what the settings open. `public` is
    whether each needs a public address to get anywhere.
    """

    def __init__(self, scope: Construct, workload: Workload, network: NetworkConnections) -> None:
        self._scope = scope
        self.workload = workload
        key, name = workload.key, workload.name
        group = SecurityGroup(
            scope,
            f"{key}_task_group",
            name=f"{name}-task",
            description=f"Tasks of {name}",
            vpc_id=network.vpc_id,
            tags={"Name": f"{name}-task"},
        )
        self.id = group.id
        self.subnet_ids = network.task_subnet_ids
        self.public = workload.environment.network.tasks == "public"
        for gateway, prefix_list in network.prefix_list_ids.items():
            self._to(gateway, f"To {gateway} by its gateway endpoint", HTTPS, prefix_list=prefix_list)
        # Even without interface endpoints, so that the first one, or the loss of NAT, cuts no task off.
        self._to("endpoints", "To AWS by interface endpoints", HTTPS, group=network.endpoints_group_id)
        if workload.environment.network.has_internet:
            self._to("internet", "To AWS and others over HTTPS", HTTPS, cidr=ANYWHERE)
        if workload.calls_plain_http:
            self._to("plain_http", "To load balancers without HTTPS", HTTP, cidr=ANYWHERE)
        for egress in workload.settings.egress:
            cidr = str(egress.cidr)
            where = f"{cidr.replace('.', '-').replace('/', '-')}-{egress.port}"
            self._to(where, f"To {cidr} on port {egress.port}", egress.port, cidr=cidr)

    def admit_balancer(self, group_id: str) -> None:
        """Opens the way from a load balancer to the port that requests go to."""
        self._admit("balancer", "From the load balancer", group_id)
        key, name, port = self.workload.key, self.workload.name, self.workload.port
        VpcSecurityGroupEgressRule(
            self._scope,
            f"{key}_balancer_to_task",
            security_group_id=group_id,
            description=f"To the tasks of {key}",
            referenced_security_group_id=self.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            tags={"Name": f"{name}-balancer-to-task"},
        )

    def connect_to(self, other: "TaskGroup") -> None:
        """Opens the way to the port of another service."""
        theirs = other.workload
        self._to(f"service_{theirs.key}", f"To {theirs.key}, which it uses", theirs.port, group=other.id)
        who = f"service_{self.workload.key}"
        other._admit(who, f"From {self.workload.key}, which uses it", self.id)

    def connect_to_store(self, use: Use, port: int, group_id: str) -> None:
        """Opens the way to the port of a store in the network, both in this group and in the store's."""
        key, name = self.workload.key, self.workload.name
        what = f"{use.kind}_{use.name}"
        self._to(what, f"To {use.name}, which it uses", port, group=group_id)
        VpcSecurityGroupIngressRule(
            self._scope,
            f"{what}_from_{key}",
            security_group_id=group_id,
            description=f"From {key}, which uses it",
            referenced_security_group_id=self.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            tags={"Name": f"{name}-to-{use.name}"},
        )

    def _admit(self, who: str, description: str, group_id: str) -> None:
        key, name, port = self.workload.key, self.workload.name, self.workload.port
        VpcSecurityGroupIngressRule(
            self._scope,
            f"{key}_task_from_{who}",
            security_group_id=self.id,
            description=description,
            referenced_security_group_id=group_id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            tags={"Name": f"{name}-task-from-{who}"},
        )

    def _to(
        self,
        what: str,
        description: str,
        port: int,
        *,
        group: str | None = None,
        cidr: str | None = None,
        prefix_list: str | None = None,
    ) -> None:
        VpcSecurityGroupEgressRule(
            self._scope,
            f"{self.workload.key}_task_to_{what}",
            security_group_id=self.id,
            description=description,
            referenced_security_group_id=group,
            cidr_ipv4=cidr,
            prefix_list_id=prefix_list,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            tags={"Name": f"{self.workload.name}-task-to-{what}"},
        )
