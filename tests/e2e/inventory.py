"""Everything that an account of the embedded AWS holds, asked of its APIs and of no state file."""

from collections.abc import Callable, Iterator
from typing import Any

from ops.local.embedded import Embedded

Ask = Callable[[Any], Iterator[str]]


def inventory(embedded: Embedded, account_id: str, region: str) -> frozenset[str]:
    """The ids of all that the platform's stacks can create, in one account and region."""
    return frozenset(
        f"{service}: {found}"
        for service, asks in _ASKS.items()
        for ask in asks
        for found in ask(embedded.client(service, region, account_id))
    )


def _listing(operation: str, result: str, key: str, **arguments: object) -> Ask:
    def ask(client: Any) -> Iterator[str]:
        for page in client.get_paginator(operation).paginate(**arguments):
            for item in page.get(result, ()):
                yield f"{result} {item if isinstance(item, str) else item[key]}"

    return ask


def _within_vpcs(operation: str, result: str, key: str) -> Ask:
    """What AWS deletes together with its VPC or with what made it, and moto may forget to."""

    def ask(ec2: Any) -> Iterator[str]:
        vpcs = {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]}
        for page in ec2.get_paginator(operation).paginate():
            for item in page[result]:
                if item["VpcId"] in vpcs:
                    yield f"{result} {item[key]}"

    return ask


def _nat_gateways(ec2: Any) -> Iterator[str]:
    for gateway in ec2.describe_nat_gateways()["NatGateways"]:
        if gateway["State"] != "deleted":
            yield f"NatGateways {gateway['NatGatewayId']}"


def _endpoints(ec2: Any) -> Iterator[str]:
    for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"]:
        if endpoint["State"].lower() != "deleted":
            yield f"VpcEndpoints {endpoint['VpcEndpointId']}"


def _addresses(ec2: Any) -> Iterator[str]:
    for address in ec2.describe_addresses()["Addresses"]:
        yield f"Addresses {address['AllocationId']}"


def _services(ecs: Any) -> Iterator[str]:
    # What is deleted stays listed as INACTIVE for a while.
    # Source: Amazon ECS API Reference, DeleteCluster and DeleteService.
    arns = ecs.list_clusters()["clusterArns"]
    for cluster in ecs.describe_clusters(clusters=arns)["clusters"] if arns else ():
        if cluster["status"] != "INACTIVE":
            yield f"cluster {cluster['clusterArn']}"
        services = ecs.list_services(cluster=cluster["clusterArn"])["serviceArns"]
        for service in _described(ecs, cluster["clusterArn"], services):
            if service["status"] != "INACTIVE":
                yield f"service {service['serviceArn']}"


def _described(ecs: Any, cluster: str, services: list[str]) -> list[Any]:
    found: list[Any] = (
        ecs.describe_services(cluster=cluster, services=services)["services"] if services else []
    )
    return found


def _scaling(autoscaling: Any) -> Iterator[str]:
    for target in autoscaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]:
        yield f"ScalableTargets {target['ResourceId']}"
    for policy in autoscaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]:
        yield f"ScalingPolicies {policy['PolicyARN']}"
    for action in autoscaling.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]:
        yield f"ScheduledActions {action['ScheduledActionName']}"


def _buckets(s3: Any) -> Iterator[str]:
    for bucket in s3.list_buckets()["Buckets"]:
        yield f"bucket {bucket['Name']}"


def _records(route53: Any) -> Iterator[str]:
    for zone in route53.list_hosted_zones()["HostedZones"]:
        if zone["Config"]["PrivateZone"]:
            yield f"zone {zone['Name']}"
        for record in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            if record["Type"] not in ("NS", "SOA"):
                yield f"record {record['Type']} {record['Name']}"


def _web_acls(wafv2: Any) -> Iterator[str]:
    for found in wafv2.list_web_acls(Scope="REGIONAL")["WebACLs"]:
        yield f"WebACLs {found['Name']}"


def _alarms(cloudwatch: Any) -> Iterator[str]:
    found = cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    for kind in ("MetricAlarms", "CompositeAlarms"):
        for alarm in found[kind]:
            yield f"{kind} {alarm['AlarmName']}"


def _saved_queries(logs: Any) -> Iterator[str]:
    # One page: the operation has no paginator.
    for query in logs.describe_query_definitions()["queryDefinitions"]:
        yield f"queryDefinitions {query['name']}"


def _providers(iam: Any) -> Iterator[str]:
    for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        yield f"provider {provider['Arn']}"


def _parameter_groups(rds: Any) -> Iterator[str]:
    for group in rds.describe_db_parameter_groups()["DBParameterGroups"]:
        if not group["DBParameterGroupName"].startswith("default."):
            yield f"DBParameterGroups {group['DBParameterGroupName']}"


_ASKS: dict[str, tuple[Ask, ...]] = {
    "acm": (_listing("list_certificates", "CertificateSummaryList", "CertificateArn"),),
    "application-autoscaling": (_scaling,),
    "cloudwatch": (_alarms, _listing("list_dashboards", "DashboardEntries", "DashboardName")),
    "dynamodb": (_listing("list_tables", "TableNames", ""),),
    "ec2": (
        _listing("describe_vpcs", "Vpcs", "VpcId"),
        _listing("describe_subnets", "Subnets", "SubnetId"),
        _listing("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        _listing("describe_route_tables", "RouteTables", "RouteTableId"),
        _within_vpcs("describe_network_acls", "NetworkAcls", "NetworkAclId"),
        _listing("describe_security_groups", "SecurityGroups", "GroupId"),
        _within_vpcs("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        _listing("describe_flow_logs", "FlowLogs", "FlowLogId"),
        _nat_gateways,
        _endpoints,
        _addresses,
    ),
    "ecr": (_listing("describe_repositories", "repositories", "repositoryName"),),
    "ecs": (_services, _listing("list_task_definitions", "taskDefinitionArns", "")),
    "elbv2": (
        _listing("describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
        _listing("describe_target_groups", "TargetGroups", "TargetGroupArn"),
    ),
    "iam": (
        _listing("list_roles", "Roles", "RoleName"),
        _listing("list_policies", "Policies", "Arn", Scope="Local"),
        _providers,
    ),
    "logs": (_listing("describe_log_groups", "logGroups", "logGroupName"), _saved_queries),
    "efs": (
        _listing("describe_file_systems", "FileSystems", "FileSystemId"),
        _listing("describe_access_points", "AccessPoints", "AccessPointId"),
    ),
    "elasticache": (
        _listing("describe_replication_groups", "ReplicationGroups", "ReplicationGroupId"),
        _listing("describe_cache_subnet_groups", "CacheSubnetGroups", "CacheSubnetGroupName"),
    ),
    "events": (_listing("list_rules", "Rules", "Name"),),
    "rds": (
        _listing("describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
        _listing("describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
        _parameter_groups,
    ),
    "route53": (_records,),
    "s3": (_buckets,),
    "scheduler": (_listing("list_schedules", "Schedules", "Name"),),
    "servicediscovery": (
        _listing("list_namespaces", "Namespaces", "Name"),
        _listing("list_services", "Services", "Name"),
    ),
    "sns": (
        _listing("list_topics", "Topics", "TopicArn"),
        _listing("list_subscriptions", "Subscriptions", "SubscriptionArn"),
    ),
    "sqs": (_listing("list_queues", "QueueUrls", ""),),
    "stepfunctions": (_listing("list_state_machines", "stateMachines", "name"),),
    "wafv2": (_web_acls,),
}
