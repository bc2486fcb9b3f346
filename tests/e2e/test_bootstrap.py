"""Three environments in two accounts are brought up from nothing by `make bootstrap`; see `delivery.py`."""

from pathlib import Path

import pytest

from tests.e2e import calls
from tests.e2e.clone import Clone
from tests.e2e.delivery import (
    ACCOUNTS,
    BUCKET,
    DEPLOY,
    HOME,
    STACKS,
    Bootstrapped,
    bootstrapped,
    client,
    record,
)
from tests.e2e.desk import REGION
from tests.e2e.roles import beyond, done_by_roles, read_role

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def made(brought_up: Path) -> Bootstrapped:
    return bootstrapped(brought_up)


def test_dev_is_bootstrapped_from_an_empty_account(made: Bootstrapped, desk: Clone) -> None:
    status, output, errors = made.said["unasked"]
    assert status == 2
    assert "Nobody answered; nothing was done." in errors
    assert "  to do  foundation: apply, then move its state to the bucket\n" in output
    assert made.said["dev"][0] == 0
    assert (record(desk, "dev")["version"], record(desk, "dev")["why"]) == (1, "first release")
    assert made.said["dev smoke"][0] == 0, made.said["dev smoke"]


def test_staging_is_bootstrapped_once_its_secret_is_there(made: Bootstrapped) -> None:
    status, _, errors = made.said["staging without its secret"]
    assert status == 2
    assert "--name /oaktree/staging/web/write-token-sha256 --value" in errors
    assert made.said["staging"][0] == 0
    assert "services.web" in made.apps["staging"]["components"]


def test_prod_is_bootstrapped_in_its_own_account_with_an_image_of_the_projects(
    made: Bootstrapped, desk: Clone
) -> None:
    errors = made.said["prod without an image"][2]
    assert "IMAGE is missing: prod is in another account than the registry" in errors
    assert made.said["prod"][0] == 0
    assert record(desk, "prod")["image"] == record(desk, "dev")["image"]
    assert (made.apps["prod"]["environment"], made.apps["prod"]["writing"]) == ("prod", "on")


def test_no_state_holds_the_value_of_a_secret(desk: Clone) -> None:
    secrets = client(desk, "secretsmanager", "prod")
    secret = secrets.get_secret_value(SecretId="oaktree/prod/web/write-token-sha256")["SecretString"]
    s3 = client(desk, "s3", "dev")
    listed = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert {item["Key"] for item in listed} == {f"{stack}.tfstate" for stack in STACKS}
    for item in listed:
        assert secret.encode() not in s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()


def test_https_is_served_with_the_domains_certificate_and_http_redirects(desk: Clone) -> None:
    elb = client(desk, "elbv2", "prod")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    listeners = {
        item["Port"]: item
        for item in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    }
    assert listeners[80]["DefaultActions"][0]["RedirectConfig"]["StatusCode"] == "HTTP_301"
    arn = listeners[443]["Certificates"][0]["CertificateArn"]
    certificate = client(desk, "acm", "prod").describe_certificate(CertificateArn=arn)["Certificate"]
    assert certificate["DomainName"] == "status.example.com"


def test_what_apps_did_is_what_their_roles_allow(desk: Clone) -> None:
    acted = done_by_roles(desk.memory)
    assert set(acted) == {
        *((account, f"oaktree-{env}-web-task") for env, account in ACCOUNTS.items()),
        # Their secrets are read as the role that starts tasks.
        *((ACCOUNTS[env], f"oaktree-{env}-web-execution") for env in ("staging", "prod")),
        # The shop has a database, and its worker waits for messages.
        *((HOME, f"oaktree-dev-{role}") for role in ("shop-execution", "worker-execution", "worker-task")),
    }


OF_THE_DESK = {
    "ecr:BatchGetImage",
    "ecr:PutImage",
    "ecs:SubmitTaskStateChange",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
    "sts:AssumeRole",
}
"""Done beside Terraform on an embedded AWS.

An image is put, an app is given its secret and its keys, a task of before_deploy ends.
"""


def test_the_deploy_role_could_have_made_an_environment(made: Bootstrapped, desk: Clone) -> None:
    role = read_role(desk.embedded.client("iam", REGION, HOME), HOME, DEPLOY)
    found = list(calls.recorded(desk.memory, *made.staging))
    service = f"arn:aws:ecs:{REGION}:{HOME}:service/oaktree-staging/oaktree-staging-web"
    assert any(each.call.action == "ecs:CreateService" and service in each.call.resources for each in found)
    assert beyond(role, found, BUCKET, client(desk, "s3", "dev")) <= OF_THE_DESK
