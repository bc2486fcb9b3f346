"""Networks on the embedded AWS, and the private names in them."""

import pytest

from ops.local.embedded import Embedded
from tests.ops.conftest import REGION


def test_security_group_rules_keep_their_descriptions(embedded: Embedded) -> None:
    ec2 = embedded.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.78.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="described", Description="described", VpcId=vpc)["GroupId"]
    endpoint = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.eu-central-1.s3")
    (prefix_list,) = {
        item["PrefixListId"]
        for item in ec2.describe_prefix_lists()["PrefixLists"]
        if item["PrefixListName"] == "com.amazonaws.eu-central-1.s3"
    }
    assert endpoint
    whom = {
        "IpRanges": {"CidrIp": "10.0.0.0/8"},
        "UserIdGroupPairs": {"GroupId": group},
        "PrefixListIds": {"PrefixListId": prefix_list},
    }
    for port, (kind, member) in enumerate(whom.items(), start=8000):
        permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
        ec2.authorize_security_group_egress(
            GroupId=group, IpPermissions=[permission | {kind: [member | {"Description": f"to {kind}"}]}]
        )
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    described = {rule.get("Description") for rule in rules["SecurityGroupRules"] if rule["FromPort"] >= 8000}
    assert described == {f"to {kind}" for kind in whom}


def test_network_acl_entries_keep_their_icmp_types(embedded: Embedded) -> None:
    ec2 = embedded.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.4.0.0/16")["Vpc"]["VpcId"]
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    entry = {"RuleNumber": 110, "Protocol": "1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}
    for change, code in ((ec2.create_network_acl_entry, 4), (ec2.replace_network_acl_entry, 1)):
        change(NetworkAclId=acl, Egress=False, IcmpTypeCode={"Type": 3, "Code": code}, **entry)
        (found,) = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
        assert found["IcmpTypeCode"] == {"Type": 3, "Code": code}


@pytest.mark.parametrize(("region", "zone"), [("ap-northeast-1", "ap-northeast-1b"), (REGION, "us-east-1a")])
def test_a_subnet_in_a_zone_that_the_region_has_not_is_refused(
    embedded: Embedded, region: str, zone: str
) -> None:
    ec2 = embedded.client("ec2", region)
    vpc = ec2.create_vpc(CidrBlock="10.4.0.0/16")["Vpc"]["VpcId"]
    with pytest.raises(ec2.exceptions.ClientError, match=r"InvalidParameterValue.*is invalid"):
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.4.0.0/24", AvailabilityZone=zone)
    zones = [found["ZoneName"] for found in ec2.describe_availability_zones()["AvailabilityZones"]]
    assert zone not in zones
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.4.0.0/24", AvailabilityZone=zones[0])


def test_a_route_table_added_to_a_gateway_endpoint_is_routed_and_can_go_again(embedded: Embedded) -> None:
    ec2 = embedded.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.79.0.0/16")["Vpc"]["VpcId"]
    tables = [ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(3)]
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc,
        VpcEndpointType="Gateway",
        ServiceName="com.amazonaws.eu-central-1.s3",
        RouteTableIds=tables[:1],
    )["VpcEndpoint"]["VpcEndpointId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=tables[1:])
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, RemoveRouteTableIds=tables[2:])
    routed = {
        table["RouteTableId"]
        for table in ec2.describe_route_tables(RouteTableIds=tables)["RouteTables"]
        if any(route.get("GatewayId") == endpoint for route in table["Routes"])
    }
    assert routed == set(tables[:2])
    assert not ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])["Unsuccessful"]


def test_the_address_of_a_nat_gateway_is_free_once_it_is_deleted(embedded: Embedded) -> None:
    ec2 = embedded.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]

    def associations() -> list[str]:
        found = ec2.describe_addresses(AllocationIds=[address])["Addresses"]
        return [each["AssociationId"] for each in found if "AssociationId" in each]

    (association,) = associations()
    ec2.delete_nat_gateway(NatGatewayId=gateway)
    assert associations() == []
    with pytest.raises(ec2.exceptions.ClientError, match=r"InvalidAssociationID\.NotFound"):
        ec2.disassociate_address(AssociationId=association)
    ec2.release_address(AllocationId=address)


def test_the_hosted_zone_of_a_private_namespace_goes_with_it(embedded: Embedded) -> None:
    vpc = embedded.client("ec2", REGION).create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    cloud_map, route53 = (embedded.client(each, REGION) for each in ("servicediscovery", "route53"))
    cloud_map.create_private_dns_namespace(Name="dev.example.internal", Vpc=vpc)
    (namespace,) = cloud_map.list_namespaces()["Namespaces"]
    assert len(route53.list_hosted_zones()["HostedZones"]) == 1
    cloud_map.delete_namespace(Id=namespace["Id"])
    assert route53.list_hosted_zones()["HostedZones"] == []
