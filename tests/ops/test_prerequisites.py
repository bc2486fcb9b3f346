"""What the account is asked before anything is changed, on the embedded AWS and on one that refuses."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ops.core.clients import ambient_client
from ops.core.errors import UsageError
from ops.local.embedded import Embedded
from ops.terraform import prerequisites
from ops.terraform.account_checks import Check, Client, Remark
from ops.terraform.prerequisites import CHECKS
from stacks import kinds, naming, permissions
from stacks.reading import read_platform
from stacks.settings import Platform
from tests.ops.conftest import ACCOUNT, ENVIRONMENT, PROJECT, REGION
from tests.stacks.platform_files import environment, write_platform

BY_NAME = {check.name: check for check in CHECKS}


def platform_with(directory: Path, project: str = PROJECT, **environments: str) -> Platform:
    directory.mkdir(exist_ok=True)
    (directory / "project.toml").write_text(project)
    for name, text in environments.items():
        (directory / f"{name}.toml").write_text(text)
    return read_platform(directory)


@pytest.fixture
def client(embedded: Embedded) -> Client:
    return partial(_client, embedded)


def _client(embedded: Embedded, service: str, region: str) -> Any:
    return embedded.client(service, region, ACCOUNT)


def found(name: str, platform: Platform, client: Client) -> list[Remark]:
    check = BY_NAME[name]
    return check.remarks(platform, check.kind.of_environment(platform.environments["dev"]), client)


class Answering:
    """A client of any service: `answers` by operation, each a response or an error to raise."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers
        self.asked: list[tuple[str, str]] = []

    def __call__(self, service: str, region: str) -> "Answering":
        self.asked.append((service, region))
        return self

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def answer(**_: Any) -> Any:
            given = self._answers[operation]
            if isinstance(given, Exception):
                raise given
            return given

        return answer


def refusing(code: str) -> Client:
    """Clients whose every request is refused."""
    error = ClientError({"Error": {"Code": code, "Message": "no"}}, "Any")
    operations = ("describe_regions", "describe_availability_zones", "get_service_quota")
    return Answering(**dict.fromkeys(operations, error))


@pytest.mark.e2e
def test_zones_that_the_account_has_not_stop_a_network(client: Client, tmp_path: Path) -> None:
    tokyo = platform_with(tmp_path, dev=ENVIRONMENT.replace(REGION, "ap-northeast-1"))
    (remark,) = found("zones", tokyo, client)
    assert remark.level == "stops"
    assert remark.text == (
        "environments/dev.toml: network.availability_zones = ['a', 'b']: account "
        f"{ACCOUNT} has no zone b in ap-northeast-1"
    )
    assert remark.mend == "Use some of a, c, d."
    assert found("zones", platform_with(tmp_path, dev=ENVIRONMENT), client) == []


@pytest.mark.e2e
@pytest.mark.parametrize("region", [REGION, "eu-south-2"])
def test_the_embedded_aws_has_every_region_enabled(client: Client, tmp_path: Path, region: str) -> None:
    assert found("region", platform_with(tmp_path, dev=ENVIRONMENT.replace(REGION, region)), client) == []


def test_a_zone_that_the_project_file_names_is_told_with_that_file(tmp_path: Path) -> None:
    project = PROJECT + '[network]\navailability_zones = ["a", "b"]\n'
    client = Answering(describe_availability_zones={"AvailabilityZones": [{"ZoneName": f"{REGION}a"}]})
    (remark,) = found("zones", platform_with(tmp_path, project, dev=ENVIRONMENT), client)
    assert remark.text.startswith("environments/project.toml: network.availability_zones = ['a', 'b']: ")


def test_zones_of_an_existing_vpc_are_those_of_its_subnets(tmp_path: Path) -> None:
    public, private = (
        ", ".join(f'{zone} = "subnet-{number}000000{zone}"' for zone in "ac") for number in (1, 2)
    )
    existing = (
        '[network.existing]\nvpc_id = "vpc-01234567"\n'
        f"public_subnets = {{ {public} }}\nprivate_subnets = {{ {private} }}\n"
    )
    client = Answering(describe_availability_zones={"AvailabilityZones": [{"ZoneName": f"{REGION}a"}]})
    platform = read_platform(write_platform(tmp_path, dev=environment(network=existing)))
    (remark,) = found("zones", platform, client)
    assert remark.text.startswith(
        f"environments/dev.toml: network.existing.public_subnets = ['a', 'c']: account {ACCOUNT} has no zone"
    )


def test_a_region_that_is_not_enabled_stops_a_network_and_is_asked_of_another(tmp_path: Path) -> None:
    platform = platform_with(tmp_path, dev=ENVIRONMENT.replace(REGION, "eu-south-2"))
    client = Answering(describe_regions={"Regions": [{"OptInStatus": "not-opted-in"}]})
    (remark,) = found("region", platform, client)
    assert (remark.level, client.asked) == ("stops", [("ec2", REGION)])
    assert remark.text == (
        f"environments/dev.toml: region = 'eu-south-2': account {ACCOUNT} has not enabled it"
    )
    assert remark.mend == "aws account enable-region --region-name eu-south-2"


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("scaling", "spot", "told"),
    [
        ("min_capacity = 2, max_capacity = 4", 0, []),
        ("min_capacity = 2, max_capacity = 12", 0, [("warns", "max_capacity", "12", "On-Demand")]),
        ("min_capacity = 7, max_capacity = 12", 0, [("stops", "min_capacity", "7", "On-Demand")]),
        ("min_capacity = 2, max_capacity = 10", 50, []),
        ("min_capacity = 2, max_capacity = 10", 100, [("warns", "max_capacity", "10", "Spot")]),
    ],
)
def test_more_tasks_than_the_quota_has_room_for_are_told(
    client: Client, tmp_path: Path, scaling: str, spot: int, told: list[tuple[str, str, str, str]]
) -> None:
    service = f"cpu = 1024\nmemory = 2048\nspot_percent = {spot}\nscaling = {{ {scaling} }}\n"
    remarks = found("vCPU quota", platform_with(tmp_path, dev=ENVIRONMENT + service), client)
    assert [remark.level for remark in remarks] == [level for level, *_ in told]
    for remark, (_, key, needed, capacity) in zip(remarks, told, strict=True):
        account = f"account {ACCOUNT} in {REGION}"
        take = (
            "its services take at least" if key == "min_capacity" else f"the services of {account} take up to"
        )
        assert remark.text == (
            f"environments/dev.toml: services.*.scaling.{key}: {take} {needed} vCPUs; the quota 'Fargate "
            f"{capacity} vCPU resource count' of {account} is 6"
        )
        assert f"request-service-quota-increase --region {REGION} --service-code fargate" in remark.mend


@pytest.mark.e2e
def test_services_of_other_environments_in_the_account_and_region_count(
    client: Client, tmp_path: Path
) -> None:
    large = ENVIRONMENT + "cpu = 1024\nmemory = 2048\n"
    other = large.replace("10.10", "10.20")
    (remark,) = found("vCPU quota", platform_with(tmp_path, dev=large, staging=other), client)
    assert "take up to 8 vCPUs" in remark.text
    most = other + "scaling = { min_capacity = 6, max_capacity = 6 }\n"
    (remark,) = found("vCPU quota", platform_with(tmp_path, dev=large, staging=most), client)
    assert remark.level == "warns", "whether another environment is deployed is not known"
    elsewhere = other.replace(REGION, "eu-west-1")
    assert found("vCPU quota", platform_with(tmp_path, dev=large, staging=elsewhere), client) == []


def test_the_secrets_of_sidecars_and_the_zone_of_the_load_balancer_are_looked_for(tmp_path: Path) -> None:
    services = """
[services.web]
dockerfile = "shop/Dockerfile"
[services.web.sidecars.proxy]
dockerfile = "shop/proxy/Dockerfile"
secrets = { CERTIFICATE = "secretsmanager:tls#key" }
[load_balancer]
domain = "www.example.com"
hosted_zone = "example.com"
"""
    platform = platform_with(tmp_path, dev=ENVIRONMENT.partition("[services")[0] + services)

    class Missing(Answering):
        class exceptions:  # noqa: N801 - as boto3 names it
            ResourceNotFoundException = LookupError

    client = Missing(describe_secret=LookupError(), list_hosted_zones_by_name={"HostedZones": []})
    (secret,) = found("secrets", platform, client)
    assert "services.web.sidecars.proxy.secrets.CERTIFICATE = 'secretsmanager:tls'" in secret.text
    (zone,) = found("hosted zones", platform, client)
    assert "load_balancer.hosted_zone = 'example.com'" in zone.text


def test_a_run_of_a_job_is_one_task_for_the_quota_and_no_reason_to_stop(tmp_path: Path) -> None:
    job = """
[services.night]
kind = "job"
dockerfile = "shop/Dockerfile"
schedule = "@daily"
command = ["work"]
cpu = 4096
memory = 8192
"""
    platform = platform_with(tmp_path, dev=ENVIRONMENT.partition("[services")[0] + job)
    for value, levels in ((4.0, []), (3.0, ["warns"])):
        client = Answering(get_service_quota={"Quota": {"Value": value}})
        assert [remark.level for remark in found("vCPU quota", platform, client)] == levels


@pytest.mark.e2e
def test_a_domain_and_secrets_of_either_store_are_looked_for(
    client: Client, embedded: Embedded, tmp_path: Path
) -> None:
    text = ENVIRONMENT.replace("ssm:/oaktree/dev/web/write-token-sha256", "secretsmanager:dev/token")
    domain = '[load_balancer]\ndomain = "status.example.com"\nhosted_zone = "example.com"\n'
    platform = platform_with(tmp_path, dev=text + domain)
    secretsmanager, route53 = (embedded.client(name, REGION) for name in ("secretsmanager", "route53"))
    (secret,) = found("secrets", platform, client)
    assert "services.web.secrets.WRITE_TOKEN_SHA256 = 'secretsmanager:dev/token'" in secret.text
    assert secret.mend.startswith(f"aws secretsmanager create-secret --region {REGION} --name dev/token")
    (zone,) = found("hosted zones", platform, client)
    assert "load_balancer.hosted_zone = 'example.com'" in zone.text
    assert zone.mend.startswith("aws route53 create-hosted-zone --name example.com")
    secretsmanager.create_secret(Name="dev/token", SecretString="a" * 64)
    vpc = embedded.client("ec2", REGION).create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    route53.create_hosted_zone(
        Name="example.com",
        CallerReference="private",
        HostedZoneConfig={"Comment": "private", "PrivateZone": True},
        VPC={"VPCRegion": REGION, "VPCId": vpc},
    )
    assert found("hosted zones", platform, client) == [zone]
    route53.create_hosted_zone(Name="example.com", CallerReference="first")
    assert found("secrets", platform, client) == found("hosted zones", platform, client) == []
    secretsmanager.delete_secret(SecretId="dev/token")
    (deleted,) = found("secrets", platform, client)
    assert deleted.mend == f"aws secretsmanager restore-secret --region {REGION} --secret-id dev/token"


@pytest.mark.e2e
def test_a_database_wants_a_trail_that_logs_in_its_region(
    client: Client, embedded: Embedded, tmp_path: Path
) -> None:
    shop = """
[databases.shop]
[services.shop]
kind = "worker"
dockerfile = "shop/Dockerfile"
uses = ["databases.shop"]
"""
    platform = platform_with(tmp_path, dev=ENVIRONMENT + shop)
    (remark,) = found("CloudTrail", platform, client)
    assert (remark.level, remark.mend) == (
        "warns",
        "Create a trail that logs write management events, or let an existing one log them.",
    )
    assert remark.text.startswith(
        f"environments/dev.toml: databases: account {ACCOUNT} has no CloudTrail trail "
        f"that logs management events in {REGION}"
    )
    embedded.client("s3", "us-east-1", ACCOUNT).create_bucket(Bucket="trails-of-the-account")
    cloudtrail = embedded.client("cloudtrail", "us-east-1", ACCOUNT)
    cloudtrail.create_trail(Name="all", S3BucketName="trails-of-the-account", IsMultiRegionTrail=True)
    assert len(found("CloudTrail", platform, client)) == 1, "it does not log yet"
    cloudtrail.start_logging(Name="all")
    assert found("CloudTrail", platform, client) == []
    assert found("CloudTrail", platform_with(tmp_path / "none", dev=ENVIRONMENT), client) == []
    management = {"Field": "eventCategory", "Equals": ["Management"]}
    data = [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
    ]
    for selectors, logs in (
        ({"EventSelectors": [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]}, True),
        ({"EventSelectors": [{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}]}, False),
        ({"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": False}]}, False),
        ({"AdvancedEventSelectors": [{"FieldSelectors": data}, {"FieldSelectors": [management]}]}, True),
        ({"AdvancedEventSelectors": [{"FieldSelectors": data}]}, False),
        (_advanced(management, {"Field": "readOnly", "Equals": ["true"]}), False),
        (_advanced(management, {"Field": "readOnly", "Equals": ["false"]}), True),
    ):
        cloudtrail.put_event_selectors(TrailName="all", **selectors)
        assert (found("CloudTrail", platform, client) == []) is logs, selectors


def _advanced(*fields: Mapping[str, object]) -> dict[str, object]:
    return {"AdvancedEventSelectors": [{"FieldSelectors": list(fields)}]}


@pytest.mark.e2e
def test_an_email_that_gets_no_alarms_is_told_and_stops_nothing(
    client: Client, embedded: Embedded, tmp_path: Path
) -> None:
    platform = platform_with(tmp_path, dev=ENVIRONMENT + '[alarms]\non_call = ["on-call@example.com"]\n')
    assert found("alarm e-mail", platform, client) == []
    sns = embedded.client("sns", REGION)
    topic = sns.create_topic(Name=naming.on_call_topic("oaktree", "dev"))["TopicArn"]
    (gone,) = found("alarm e-mail", platform, client)
    assert gone.level == "warns"
    assert "alarms.on_call: on-call@example.com gets no alarms: there is no subscription" in gone.text
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="on-call@example.com")
    assert found("alarm e-mail", platform, client) == []


def test_an_email_that_is_not_confirmed_is_told(tmp_path: Path) -> None:
    platform = platform_with(tmp_path, dev=ENVIRONMENT + '[alarms]\non_call = ["on-call@example.com"]\n')
    pages = [
        {"Subscriptions": [{"Endpoint": "on-call@example.com", "SubscriptionArn": "PendingConfirmation"}]}
    ]

    class Sns:
        exceptions = ambient_client("sns", REGION).exceptions

        def get_paginator(self, _: str) -> "Sns":
            return self

        def paginate(self, **_: str) -> list[Any]:
            return pages

    (remark,) = found("alarm e-mail", platform, lambda *_: Sns())
    assert (remark.level, remark.mend) == ("warns", "Follow the link in the e-mail from AWS Notifications.")


@pytest.mark.parametrize("name", ["region", "zones", "vCPU quota"])
def test_what_may_not_be_looked_at_is_unknown_with_the_permission_that_is_missing(
    name: str, tmp_path: Path
) -> None:
    platform = platform_with(tmp_path, dev=ENVIRONMENT)
    (remark,) = found(name, platform, refusing("UnauthorizedOperation"))
    assert remark.level == "unknown"
    (permission,) = BY_NAME[name].permissions
    assert remark.text == f"{name}: could not be looked at: these credentials lack {permission}"
    (remark,) = found(name, platform, refusing("Throttling"))
    assert (remark.level, "Throttling" in remark.text) == ("unknown", True)
    unreachable = EndpointConnectionError(endpoint_url="http://nowhere")
    client = Answering(
        describe_regions=unreachable, describe_availability_zones=unreachable, get_service_quota=unreachable
    )
    assert [each.level for each in found(name, platform, client)] == ["unknown"]


def test_what_stops_is_an_error_after_everything_else_was_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    platform = platform_with(tmp_path, dev=ENVIRONMENT)
    remarks = [Remark("stops", "first", "mend it"), Remark("warns", "second"), Remark("unknown", "third")]
    check = Check("any", kinds.NETWORK, (), "", lambda *_: iter(remarks))
    monkeypatch.setattr(prerequisites, "CHECKS", (check,))
    said: list[str] = []
    targets = kinds.stacks_for_environment(platform.project, platform.environments["dev"])
    with pytest.raises(UsageError, match=r"so nothing was done:\nfirst\n    -> mend it$"):
        prerequisites.require(platform, targets, said.append)
    assert said == ["Note: second", "Note: third"]
    prerequisites.require(
        platform, [target for target in targets if target.kind != kinds.NETWORK], said.append
    )


def test_the_plan_role_may_look_at_everything(tmp_path: Path) -> None:
    platform = platform_with(tmp_path, dev=ENVIRONMENT)
    allowed = {action for each in permissions.read(platform, ACCOUNT) for action in each.actions}
    for check in CHECKS:
        for permission in check.permissions:
            prefix = permission.partition(":")[0]
            assert allowed & {permission, f"{prefix}:Describe*"}, permission
