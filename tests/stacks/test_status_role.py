"""What the status app is given in the stacks: its role, the ways to what it asks, and its list."""

import json
import re

import pytest

from ops.local.embedded_server.authorization.calls import Call
from stacks.policies import MANAGED_POLICY_CHARACTERS
from stacks.problems import QuotaError
from stacks.status_app import STATUS, Resource
from tests.stacks.conftest import Synthesize, synthesized
from tests.stacks.platform_files import TAIL
from tests.stacks.reachability import Reachability
from tests.stacks.terraform_json import Stack
from tests.stacks.test_components import NETWORK, SHOP
from tests.stacks.test_stores import role
from webapp.components import COMPONENTS

HERE = "eu-central-1:111111111111"

MAY = [
    ("ecs:DescribeServices", f"arn:aws:ecs:{HERE}:service/oaktree-dev/oaktree-dev-web"),
    ("ecs:DescribeServices", f"arn:aws:ecs:{HERE}:service/oaktree-dev/oaktree-dev-worker"),
    ("ecs:DescribeTaskDefinition", f"arn:aws:ecs:{HERE}:task-definition/oaktree-dev-web:3"),
    (
        "elasticloadbalancing:DescribeTargetHealth",
        f"arn:aws:elasticloadbalancing:{HERE}:targetgroup/oaktree-dev-web-0a1b2c/0123456789abcdef",
    ),
    ("states:ListExecutions", f"arn:aws:states:{HERE}:stateMachine:oaktree-dev-cleanup"),
    ("rds:DescribeDBInstances", f"arn:aws:rds:{HERE}:db:oaktree-dev-shop"),
    ("rds:DescribeDBInstances", f"arn:aws:rds:{HERE}:db:legacy"),
    (
        "elasticache:DescribeReplicationGroups",
        f"arn:aws:elasticache:{HERE}:replicationgroup:oaktree-dev-sessions",
    ),
    ("sqs:GetQueueAttributes", f"arn:aws:sqs:{HERE}:oaktree-dev-orders"),
    ("sqs:GetQueueAttributes", f"arn:aws:sqs:{HERE}:oaktree-dev-orders-dlq"),
    ("sqs:GetQueueAttributes", f"arn:aws:sqs:{HERE}:legacy-orders"),
    ("sns:GetTopicAttributes", f"arn:aws:sns:{HERE}:oaktree-dev-events"),
    ("s3:GetBucketLocation", "arn:aws:s3:::oaktree-dev-uploads-111111111111"),
    ("dynamodb:DescribeTable", f"arn:aws:dynamodb:{HERE}:table/oaktree-dev-visits"),
    ("dynamodb:PutItem", f"arn:aws:dynamodb:{HERE}:table/oaktree-dev-status"),
    ("elasticfilesystem:DescribeFileSystems", ""),
    ("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{HERE}:alarm:oaktree-dev"),
    ("ecr:BatchGetImage", f"arn:aws:ecr:{HERE}:repository/oaktree/status"),
    ("ecr:DescribeImageScanFindings", f"arn:aws:ecr:{HERE}:repository/oaktree/status"),
]
"""What the checks call, on what is there."""

MAY_NOT = [
    ("ecs:DescribeServices", f"arn:aws:ecs:{HERE}:service/oaktree-prod/oaktree-prod-web"),
    ("states:ListExecutions", f"arn:aws:states:{HERE}:stateMachine:oaktree-prod-cleanup"),
    ("states:StartExecution", f"arn:aws:states:{HERE}:stateMachine:oaktree-dev-cleanup"),
    ("rds:DescribeDBInstances", f"arn:aws:rds:{HERE}:db:oaktree-prod-shop"),
    ("elasticache:DescribeReplicationGroups", f"arn:aws:elasticache:{HERE}:replicationgroup:other"),
    ("sqs:GetQueueAttributes", f"arn:aws:sqs:{HERE}:oaktree-prod-orders"),
    ("sqs:ReceiveMessage", f"arn:aws:sqs:{HERE}:oaktree-dev-orders"),
    ("sns:Publish", f"arn:aws:sns:{HERE}:oaktree-dev-events"),
    ("s3:ListBucket", "arn:aws:s3:::oaktree-dev-uploads-111111111111"),
    ("s3:GetObject", "arn:aws:s3:::oaktree-dev-uploads-111111111111/a"),
    ("s3:GetBucketLocation", "arn:aws:s3:::oaktree-state-111111111111-eu-central-1"),
    ("dynamodb:GetItem", f"arn:aws:dynamodb:{HERE}:table/oaktree-dev-visits"),
    ("elasticfilesystem:ClientMount", f"arn:aws:elasticfilesystem:{HERE}:file-system/fs-1"),
    ("ecr:BatchGetImage", f"arn:aws:ecr:{HERE}:repository/oaktree/web"),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:shop-0"),
]
"""The same on what is somebody else's, and what changes or reads more than a check."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stack]:
    """An environment that has one of everything."""
    return synthesized(tmp_path_factory.mktemp("shop"), dev=f"{TAIL}{NETWORK}{SHOP}")


@pytest.mark.parametrize(("action", "arn"), MAY)
def test_the_app_may_do_what_its_checks_call(shop: dict[str, Stack], action: str, arn: str) -> None:
    assert role(shop["dev-service"], shop["foundation"], "status").allows(Call(action, (arn,) if arn else ()))


@pytest.mark.parametrize(("action", "arn"), MAY_NOT)
def test_the_app_may_do_nothing_else(shop: dict[str, Stack], action: str, arn: str) -> None:
    assert not role(shop["dev-service"], shop["foundation"], "status").allows(
        Call(action, (arn,) if arn else ())
    )


def test_every_action_of_a_check_is_tried() -> None:
    granted = {action for grant in STATUS.grants for action in grant.actions}
    assert granted - {action for action, _ in MAY} == {
        "dynamodb:GetItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    }


def test_no_other_service_may_do_it(shop: dict[str, Stack]) -> None:
    for service in ("web", "worker", "cleanup", "prices"):
        found = role(shop["dev-service"], shop["foundation"], service)
        for action, arn in MAY:
            if not action.startswith("sqs:"):
                assert not found.allows(Call(action, (arn,) if arn else ())), (service, action)


def test_the_app_reaches_internal_services_and_no_others(shop: dict[str, Stack]) -> None:
    found = Reachability(shop["dev-network"], shop["dev-service"])
    (prices, *_), (web, *_) = found.tasks("prices"), found.tasks("web")
    for task in found.tasks("status"):
        assert found.reaches(task, prices, 8081)
        assert not found.reaches(task, web, 8080)


def test_the_app_is_told_of_load_balancers_by_the_names_that_aws_gives_them(shop: dict[str, Stack]) -> None:
    environment = shop["dev-service"].container("status_task")["environment"]
    told = {item["name"]: item["value"] for item in environment}
    assert json.loads(told["PROBES"]) == {
        "services.status": "http://${aws_lb.status_balancer.dns_name}/healthz",
        "services.web": "http://${aws_lb.balancer.dns_name}/health",
        "services.prices": "http://prices.dev.oaktree.internal:8081/",
    }
    watched = COMPONENTS.validate_json(told["COMPONENTS"])
    assert {each.id for each in watched} >= {"services.web", "queues.orders", "status.table"}
    file_system = shop["dev-data"].one("aws_efs_file_system")
    assert [each.resource for each in watched if each.id == "volumes.media"] == [
        file_system["creation_token"]
    ]


def test_the_boundary_says_the_same_whatever_the_settings(
    synthesize: Synthesize, shop: dict[str, Stack]
) -> None:
    def app(stack: Stack) -> list[object]:
        policy = json.loads(stack.one("aws_iam_policy", "workload_boundary")["policy"])
        return [each for each in policy["Statement"] if each["Sid"].startswith("App")]

    alone = synthesize(dev=f'{TAIL}{NETWORK}[services.status]\nkind = "status"\n')["foundation"]
    assert app(alone) == app(shop["foundation"])
    policy = shop["foundation"].one("aws_iam_policy", "workload_boundary")["policy"]
    # There is room for the permissions of a team's services.
    assert len(re.sub(r"\s", "", policy)) < MANAGED_POLICY_CHARACTERS * 0.75


def test_a_task_definition_that_aws_takes_for_too_large_is_refused(synthesize: Synthesize) -> None:
    variables = "\n".join(f'V{number} = "{"x" * 1000}"' for number in range(70))
    text = f"{TAIL}{NETWORK}{SHOP}[services.web.environment]\n{variables}\n"
    with pytest.raises(
        QuotaError,
        match=r"^dev\.toml: services\.web: the task definition oaktree-dev-web would have \d+ bytes; AWS",
    ):
        synthesize(dev=text)


def test_a_large_environment_fits_into_a_task_definition(synthesize: Synthesize) -> None:
    jobs = "".join(
        f'[services.job-{number}]\nkind = "job"\nsame_image_as = "web"\nschedule = "*/5 8-18 * * 1-5"\n'
        for number in range(60)
    )
    queues = "".join(f"[queues.queue-{number}]\n" for number in range(60))
    stack = synthesize(dev=f"{TAIL}{NETWORK}{SHOP}{jobs}{queues}")["dev-service"]
    told = {item["name"]: item["value"] for item in stack.container("status_task")["environment"]}
    assert len(COMPONENTS.validate_json(told["COMPONENTS"])) == 17 + 120


def test_every_resource_of_the_contract_is_known_to_the_stacks() -> None:
    assert {grant.resource for grant in STATUS.grants} == set(Resource)
