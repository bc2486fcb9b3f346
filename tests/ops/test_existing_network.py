"""A network in a VPC that is there already, with the real Terraform and the embedded AWS."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.local.embedded import Embedded
from ops.terraform.binary import TerraformError, find_terraform
from ops.terraform.workspace import Workspace
from stacks.reading import read_platform
from tests.ops.conftest import ACCOUNT, REGION
from tests.stacks.platform_files import environment, write_platform

pytestmark = pytest.mark.e2e

SUBNETS = {
    "public": {"a": "10.60.0.0/24", "b": "10.60.1.0/24"},
    "private": {"a": "10.60.2.0/24", "b": "10.60.3.0/24"},
    "database": {"a": "10.60.4.0/24", "b": "10.60.5.0/24"},
}


@dataclass(frozen=True)
class Owned:
    """What the owner of the VPC has."""

    ec2: Any
    vpc: str
    subnets: dict[str, dict[str, str]]

    def settings(self, **other: dict[str, str]) -> str:
        lines = [f'vpc_id = "{self.vpc}"']
        for tier, ids in {**self.subnets, **other}.items():
            listed = ", ".join(f'{zone} = "{subnet}"' for zone, subnet in ids.items())
            lines.append(f"{tier}_subnets = {{ {listed} }}")
        return "\n".join(("[network]", 'endpoints = ["sqs"]', "[network.existing]", *lines, ""))

    def facts(self) -> dict[str, Any]:
        """What the owner sees of the VPC."""
        here = [{"Name": "vpc-id", "Values": [self.vpc]}]
        return {
            "vpc": self.ec2.describe_vpcs(VpcIds=[self.vpc])["Vpcs"],
            "subnets": self.ec2.describe_subnets(Filters=here)["Subnets"],
            "acls": self.ec2.describe_network_acls(Filters=here)["NetworkAcls"],
            "routes": self.ec2.describe_route_tables(Filters=here)["RouteTables"],
            "groups": self.ec2.describe_security_groups(Filters=here)["SecurityGroups"],
            "endpoints": [
                each
                for each in self.ec2.describe_vpc_endpoints(Filters=here)["VpcEndpoints"]
                if each["State"] != "deleted"
            ],
        }


@pytest.fixture
def owned(embedded: Embedded) -> Owned:
    ec2 = embedded.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnets = {
        tier: {
            zone: str(
                ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"{REGION}{zone}")["Subnet"][
                    "SubnetId"
                ]
            )
            for zone, cidr in cidrs.items()
        }
        for tier, cidrs in SUBNETS.items()
    }
    return Owned(ec2, vpc, subnets)


def network(tmp_path: Path, embedded: Embedded, settings: str) -> Workspace:
    """The synthesized network stack of dev, ready to be planned, with a state of its own."""
    from stacks.synthesis import synthesize

    written = write_platform(tmp_path / "environments", dev=environment(network=settings))
    synthesize(read_platform(written), tmp_path / "cdktf.out")
    workspace = Workspace(
        "dev-network",
        tmp_path / "work",
        find_terraform(tmp_path / "shared"),
        embedded.environment(ACCOUNT, REGION, os.environ),
    )
    workspace.take(tmp_path / "cdktf.out/stacks/dev-network/cdk.tf.json")
    workspace.use_local_state()
    workspace.init()
    return workspace


def changed(plan: Any) -> list[str]:
    return [
        each["address"]
        for each in plan.get("resource_changes", ())
        if each["change"]["actions"] not in (["no-op"], ["read"])
    ]


def test_an_existing_vpc_is_found_and_left_as_it_was(
    tmp_path: Path, embedded: Embedded, owned: Owned
) -> None:
    before = owned.facts()
    stack = network(tmp_path, embedded, owned.settings())
    stack.plan()
    stack.apply_plan()
    second = stack.plan()
    assert changed(second) == []
    connections = second["planned_values"]["outputs"]["connections"]["value"]
    assert connections["vpc_id"] == owned.vpc
    for tier, ids in owned.subnets.items():
        assert {zone: connections[f"{tier}_subnet_{zone}"] for zone in "ab"} == ids
    lists = {
        each["PrefixListName"]: each["PrefixListId"]
        for each in owned.ec2.describe_prefix_lists()["PrefixLists"]
    }
    for gateway in ("s3", "dynamodb"):
        assert connections[f"prefix_list_{gateway}"] == lists[f"com.amazonaws.{REGION}.{gateway}"]
    (endpoint,) = owned.facts()["endpoints"]
    assert endpoint["Groups"][0]["GroupId"] == connections["endpoints_group"]
    assert sorted(endpoint["SubnetIds"]) == sorted(owned.subnets["private"].values())

    stack.destroy()
    assert owned.facts() == before


def test_a_subnet_of_another_zone_is_told(tmp_path: Path, embedded: Embedded, owned: Owned) -> None:
    crossed = {"a": owned.subnets["private"]["b"], "b": owned.subnets["private"]["a"]}
    stack = network(tmp_path, embedded, owned.settings(private=crossed))
    with pytest.raises(TerraformError) as caught:
        stack.plan()
    said = " ".join(str(caught.value).split())
    assert f"network.existing.private_subnets.a = {crossed['a']}: is in {REGION}b, not in {REGION}a." in said


def test_a_vpc_without_names_for_its_hosts_is_told(tmp_path: Path, embedded: Embedded, owned: Owned) -> None:
    owned.ec2.modify_vpc_attribute(VpcId=owned.vpc, EnableDnsHostnames={"Value": False})
    stack = network(tmp_path, embedded, owned.settings())
    with pytest.raises(TerraformError, match="enable_dns_hostnames is off"):
        stack.plan()


def test_a_cidr_that_the_vpc_does_not_have_is_told(tmp_path: Path, embedded: Embedded, owned: Owned) -> None:
    settings = owned.settings().replace("[network]", '[network]\ncidr = "10.61.0.0/16"')
    with pytest.raises(TerraformError) as caught:
        network(tmp_path, embedded, settings).plan()
    said = " ".join(str(caught.value).split())
    assert "network.cidr = 10.61.0.0/16 is none of its CIDRs, which are 10.60.0.0/16." in said
