"""Load balancers on the embedded AWS, the buckets of their logs, and the services behind them."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.local.embedded import Embedded
from tests.ops.conftest import REGION
from tests.stacks.terraform_json import stacks_of_tests


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
    elsewhere = policy.replace("/AWSLogs/111111111111/", "/AWSLogs/222222222222/")
    for_another = policy.replace(
        '"Effect": "Allow"',
        '"Effect": "Allow", "Condition": {"StringEquals": {"aws:SourceAccount": "222222222222"}}',
    )
    for unfit in ("", elsewhere, for_another):
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
