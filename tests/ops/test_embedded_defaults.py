"""What the embedded AWS fills in and refuses as AWS does, so that a second plan there says what AWS would."""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from ops.local.embedded import Embedded
from tests.ops.conftest import REGION
from tests.stacks.terraform_json import stacks_of_tests

_LISTS: Final = (
    "command",
    "dependsOn",
    "entryPoint",
    "environment",
    "mountPoints",
    "portMappings",
    "secrets",
    "systemControls",
    "ulimits",
    "volumesFrom",
)


def reduced(container: Mapping[str, Any]) -> dict[str, Any]:
    """What the provider compares of a container definition; CPU units of 0 and none are the same to it.

    Source: terraform-provider-aws 5.100, `containerDefinitionsAreEquivalent`.
    """
    compared = {"cpu": 0, "essential": True, **container}
    compared["portMappings"] = [
        {key: value for key, value in {"hostPort": port["containerPort"], **port}.items() if value != "tcp"}
        for port in container.get("portMappings", ())
    ]
    for ordered in ("environment", "secrets"):
        compared[ordered] = sorted(container.get(ordered, ()), key=lambda item: str(item["name"]))
    return {key: value for key, value in compared.items() if key not in _LISTS or value}


def registered(embedded: Embedded, container: Mapping[str, Any]) -> dict[str, Any]:
    ecs = embedded.client("ecs", REGION)
    ecs.register_task_definition(
        family="filled",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[container],
    )
    (answered,) = ecs.describe_task_definition(taskDefinition="filled")["taskDefinition"][
        "containerDefinitions"
    ]
    return dict(answered)


@pytest.mark.parametrize("stack", ["dev-service", "prod-service"])
def test_no_default_of_ecs_makes_the_provider_replace_the_task_definition(
    embedded: Embedded, stack: str
) -> None:
    container = stacks_of_tests()[stack].container()
    assert reduced(registered(embedded, container)) == reduced(container)


def test_ecs_fills_in_what_a_container_leaves_out(embedded: Embedded) -> None:
    given = {
        "name": "web",
        "image": "i",
        "portMappings": [{"containerPort": 8000}],
        "healthCheck": {"command": ["CMD", "true"], "timeout": 2},
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
    }
    answered = registered(embedded, given)
    assert answered == {
        **given,
        "cpu": 0,
        "essential": True,
        "environment": [],
        "mountPoints": [],
        "portMappings": [{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}],
        "systemControls": [],
        "volumesFrom": [],
        "healthCheck": {"command": ["CMD", "true"], "interval": 30, "retries": 3, "timeout": 2},
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"add": [], "drop": ["ALL"]}},
    }
    # Which the provider takes for a difference, as it would on AWS.
    assert reduced(answered) != reduced(given)


def test_ecs_answers_no_capabilities_when_none_are_named(embedded: Embedded) -> None:
    given = {"name": "web", "image": "i", "linuxParameters": {"initProcessEnabled": True, "capabilities": {}}}
    assert registered(embedded, given)["linuxParameters"] == {"initProcessEnabled": True}


@pytest.fixture(scope="module")
def elb(embedded: Embedded) -> Any:
    return embedded.client("elbv2", REGION)


@pytest.fixture(scope="module")
def vpc(embedded: Embedded) -> tuple[str, list[str]]:
    """A VPC and two of its subnets."""
    ec2 = embedded.client("ec2", REGION)
    vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc_id, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"]
        for number in range(2)
    ]
    return vpc_id, subnets


@pytest.fixture(scope="module")
def balancer(elb: Any, vpc: tuple[str, list[str]]) -> str:
    """The ARN of a load balancer."""
    (made,) = elb.create_load_balancer(Name="web", Subnets=vpc[1])["LoadBalancers"]
    return str(made["LoadBalancerArn"])


@pytest.mark.parametrize("name", ["a" * 33, "-web", "web-", "internal-web", "we_b"])
def test_a_load_balancers_name_is_one_that_aws_allows(
    elb: Any, vpc: tuple[str, list[str]], name: str
) -> None:
    with pytest.raises(ClientError, match="ValidationError"):
        elb.create_load_balancer(Name=name, Subnets=vpc[1])


def log_to(elb: Any, balancer: str, bucket: str) -> None:
    attributes = {
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": bucket,
        "access_logs.s3.prefix": "web",
    }
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer,
        Attributes=[{"Key": key, "Value": value} for key, value in attributes.items()],
    )


def test_access_logs_need_a_bucket_that_lets_the_load_balancer_write(
    embedded: Embedded, elb: Any, balancer: str
) -> None:
    bucket = stacks_of_tests()["dev-service"].one("aws_s3_bucket")["bucket"]
    policy = stacks_of_tests()["dev-service"].one("aws_s3_bucket_policy")["policy"]
    refused = f"InvalidConfigurationRequest.*Access Denied for bucket: {bucket}"
    with pytest.raises(ClientError, match=refused):
        log_to(elb, balancer, bucket)
    s3 = embedded.client("s3", REGION)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for unfit in ("", policy.replace("/AWSLogs/111111111111/", "/AWSLogs/222222222222/")):
        if unfit:
            s3.put_bucket_policy(Bucket=bucket, Policy=unfit)
        with pytest.raises(ClientError, match=refused):
            log_to(elb, balancer, bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    log_to(elb, balancer, bucket)


def test_ecs_refuses_a_target_group_that_no_listener_uses(
    embedded: Embedded, elb: Any, vpc: tuple[str, list[str]], balancer: str
) -> None:
    (group,) = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc[0], TargetType="ip")[
        "TargetGroups"
    ]
    ecs = embedded.client("ecs", REGION)
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(
        family="served", containerDefinitions=[{"name": "web", "image": "i", "memory": 128}]
    )
    service = {
        "cluster": "c",
        "serviceName": "web",
        "taskDefinition": "served",
        "desiredCount": 1,
        "loadBalancers": [
            {"targetGroupArn": group["TargetGroupArn"], "containerName": "web", "containerPort": 80}
        ],
    }
    with pytest.raises(ClientError, match="does not have an associated load balancer"):
        ecs.create_service(**service)
    elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    ecs.create_service(**service)


def test_no_policy_may_have_a_statement_without_actions(embedded: Embedded) -> None:
    s3, ecr, iam = (embedded.client(service, REGION) for service in ("s3", "ecr", "iam"))
    s3.create_bucket(Bucket="governed", CreateBucketConfiguration={"LocationConstraint": REGION})
    ecr.create_repository(repositoryName="governed")
    resource = {"Resource": ["arn:aws:s3:::governed/*"]}
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": []}
    with pytest.raises(ClientError, match="MalformedPolicy"):
        s3.put_bucket_policy(Bucket="governed", Policy=policy_of(statement | resource))
    with pytest.raises(ClientError, match="InvalidParameterException"):
        ecr.set_repository_policy(repositoryName="governed", policyText=policy_of(statement))
    del statement["Principal"]
    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        iam.create_policy(PolicyName="governed", PolicyDocument=policy_of(statement | resource))


def policy_of(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    ("service", "refused"),
    [
        ({"launchType": "FARGATE"}, "both a launch type and capacity provider strategy"),
        ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}, "not associated"),
        ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, "weight value greater than zero"),
    ],
)
def test_ecs_refuses_a_capacity_provider_strategy_that_cannot_place_a_task(
    embedded: Embedded, service: dict[str, Any], refused: str
) -> None:
    ecs = embedded.client("ecs", REGION)
    ecs.create_cluster(clusterName="capacity", capacityProviders=["FARGATE"])
    container: Any = {"name": "web", "image": "i", "memory": 128}
    ecs.register_task_definition(family="placed", containerDefinitions=[container])
    fits = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]}
    named = {"cluster": "capacity", "serviceName": "web", "taskDefinition": "placed", "desiredCount": 1}
    with pytest.raises(ClientError, match=refused):
        ecs.create_service(**named, **{**fits, **service})
