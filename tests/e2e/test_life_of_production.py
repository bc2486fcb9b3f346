"""Production: in an account of its own, behind a domain, protected until somebody says otherwise."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.app_status import operational_status
from tests.e2e.conftest import MakeDesk
from tests.e2e.desk import REGION, Desk, succeeded
from tests.e2e.inventory import inventory

pytestmark = pytest.mark.e2e

HOME, PROD = "111111111111", "222222222222"
FOUNDATION = "foundation-222222222222"
STACKS = {"foundation": HOME, FOUNDATION: PROD, "prod-network": PROD, "prod-service": PROD}


@pytest.fixture(scope="module")
def desk(make_desk: MakeDesk) -> Desk:
    return make_desk()


@pytest.fixture(scope="module")
def before(desk: Desk) -> dict[str, frozenset[str]]:
    return {account: inventory(desk.embedded, account, REGION) for account in (HOME, PROD)}


@pytest.mark.usefixtures("before")
def test_up_brings_production_in_two_accounts(desk: Desk) -> None:
    done = desk.ops("up", "--env", "prod")
    assert succeeded(done)
    found = re.search(r"prod web: (http://127\.0\.0\.1:\d+)", done.stdout)
    assert found, done.stdout
    status = operational_status(found[1])
    assert status["writing"] == "on"
    registry = desk.embedded.client("ecr", REGION, HOME).describe_repositories()["repositories"]
    assert [repository["repositoryName"] for repository in registry] == ["oaktree/web"]


@pytest.mark.parametrize("stack", STACKS)
def test_a_second_plan_has_no_changes(desk: Desk, stack: str) -> None:
    done = desk.terraform(stack, STACKS[stack], "plan", "-detailed-exitcode", "-lock=false")
    assert succeeded(done)


def test_a_release_is_recorded_with_the_credentials_of_productions_account(desk: Desk) -> None:
    parameter = desk.embedded.client("ssm", REGION, PROD).get_parameter(Name="/oaktree/prod/releases/web")
    image = json.loads(parameter["Parameter"]["Value"])["image"]
    release = ("release", "--env", "prod", "--service", "web", "--image", image, "--commit")
    home = desk.ops_here(HOME, *release, "abcdef0")
    assert home.returncode != 0
    assert "account 222222222222" in " ".join(home.stderr.split())
    # The registry is the project's: its policy, which moto does not apply, lets the account look.
    policy = desk.embedded.client("ecr", REGION, HOME).get_repository_policy(repositoryName="oaktree/web")
    allowed = json.loads(policy["policyText"])["Statement"]
    assert any("ecr:DescribeImages" in item["Action"] for item in allowed)


def test_no_state_holds_the_value_of_a_secret(desk: Desk) -> None:
    secret = desk.embedded.client("secretsmanager", REGION, PROD).get_secret_value(
        SecretId="oaktree/prod/web/write-token-sha256"
    )["SecretString"]
    s3 = desk.embedded.client("s3", REGION, HOME)
    bucket = "oaktree-state-111111111111-eu-central-1"
    for item in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        assert secret.encode() not in s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()


def test_https_is_served_with_the_domains_certificate_and_http_redirects(desk: Desk) -> None:
    elb = desk.embedded.client("elbv2", REGION, PROD)
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    listeners = {
        item["Port"]: item
        for item in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    }
    assert listeners[80]["DefaultActions"][0]["RedirectConfig"]["StatusCode"] == "HTTP_301"
    acm = desk.embedded.client("acm", REGION, PROD)
    arn = listeners[443]["Certificates"][0]["CertificateArn"]
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainName"] == "status.example.com"


def test_a_protected_environment_refuses_to_be_destroyed(desk: Desk) -> None:
    done = desk.ops_here(PROD, "destroy", "--env", "prod", "--stack", "service", typed="prod\n")
    assert done.returncode != 0
    assert "prod-service is protected" in done.stderr
    done = desk.terraform("prod-service", PROD, "plan", "-destroy", "-lock=false")
    assert done.returncode == 1
    assert "prevent_destroy" in done.stderr


def unprotect(settings: Path) -> None:
    text = settings.read_text()
    assert "protected   = true" in text
    assert "deletion_protection = true" in text
    settings.write_text(
        text.replace("protected   = true", "protected   = false").replace(
            "deletion_protection = true", "deletion_protection = false"
        )
    )


def test_unprotected_everything_is_destroyed_and_nothing_is_left(
    desk: Desk, before: dict[str, frozenset[str]]
) -> None:
    unprotect(desk.directory / "environments/prod.toml")
    for command in ("plan", "apply"):
        done = desk.ops_here(PROD, command, "--env", "prod", "--stack", "service")
        assert succeeded(done)
    for stack in ("service", "network", "foundation"):
        name = "oaktree\n" if stack == "foundation" else "prod\n"
        done = desk.ops_here(PROD, "destroy", "--env", "prod", "--stack", stack, typed=name)
        assert succeeded(done)
    done = desk.ops_here(HOME, "destroy", "--stack", "foundation", typed="oaktree\n")
    assert succeeded(done)
    for account in (HOME, PROD):
        assert inventory(desk.embedded, account, REGION) - before[account] == frozenset()
