"""Interface endpoints: those of every IAM prefix, and what a service needs without a NAT gateway."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from policy_sentry.querying.all import get_all_service_prefixes

from stacks import privatelink, rules
from stacks.reading import SettingsError, read_platform
from stacks.service_settings import Permission, Service
from tests.stacks.platform_files import environment, write_platform

PLAIN = ("ecr.api", "ecr.dkr", "logs")


def service_that_calls(*actions: str) -> Service:
    """A service that may do these."""
    return Service(kind="worker", permissions=(Permission(actions=actions, resources=("*",)),))


def test_every_prefix_is_one_of_iam() -> None:
    assert privatelink.ENDPOINTS.keys() <= get_all_service_prefixes()


def test_no_endpoint_belongs_to_two_prefixes() -> None:
    of_prefixes = sum(len(names) for names in privatelink.ENDPOINTS.values())
    assert len(privatelink.NAMES) == of_prefixes + len(privatelink.OF_AGENTS)


@pytest.mark.parametrize(
    ("action", "present", "missing"),
    [
        ("sqs:SendMessage", PLAIN, {"sqs"}),
        ("sqs:SendMessage", (*PLAIN, "sqs"), set()),
        ("sqs:SendMessage", (), {"sqs", *PLAIN}),
        ("cloudwatch:PutMetricData", PLAIN, {"monitoring"}),
        ("kinesis:PutRecord", PLAIN, {"kinesis-streams"}),
        ("bedrock:InvokeModel", PLAIN, {"bedrock-runtime"}),
        ("bedrock:InvokeAgent", (*PLAIN, "bedrock-agent-runtime"), set()),
        ("ecs:DescribeServices", (*PLAIN, "ecs-agent"), {"ecs"}),
        ("s3:GetObject", PLAIN, set()),
        ("dynamodb:GetItem", PLAIN, set()),
    ],
)
def test_what_a_service_may_call_needs_its_endpoint(
    action: str, present: Sequence[str], missing: set[str]
) -> None:
    service = service_that_calls(action)
    found, unreachable = rules.missing_endpoints(service, present)
    assert found == missing
    assert not unreachable


def test_a_service_without_any_endpoint_cannot_be_called_without_nat(
    tmp_path: Path,
) -> None:
    services = """
[services.web]
dockerfile = "x/Dockerfile"
permissions = [{ actions = ["route53:ListHostedZones", "sqs:SendMessage"], resources = ["*"] }]
"""
    network = f'network = {{ cidr = "10.10.0.0/16", nat = "none", endpoints = {[*PLAIN, "sqs"]} }}\n'
    directory = write_platform(tmp_path, dev=environment(network=network, services=services))
    with pytest.raises(
        SettingsError, match=r'nat = "none": tasks of \'web\' may call route53, which no interface endpoint'
    ):
        read_platform(directory)
