"""The doctor's checks of what lets GitHub's workflows assume their roles."""

import os
from collections.abc import Iterable, Iterator

from botocore.exceptions import ClientError

from ops.core.checkout import Checkout
from ops.core.clients import ambient_client
from ops.core.errors import OpsError
from ops.github.oidc_provider import manages_oidc_provider, missing_ids, oidc_provider_problem
from ops.look.doctor import Check, Finding
from ops.look.doctor_aws import AwsChecks
from ops.terraform.states import StateBucket
from stacks import kinds
from stacks.naming import github_provider_arn, how_to_find_ids, state_bucket
from stacks.settings import Project


def github_checks(checkout: Checkout, aws: AwsChecks) -> Iterable[Check]:
    """Yields the checks; that of the OIDC provider if `aws` found whose credentials these are."""
    yield Check("GitHub ids", lambda: ids(aws.platform.project))
    if aws.account in aws.platform.account_ids():
        yield Check("GitHub OIDC", lambda: provider(checkout, aws.platform.project, aws.account))


def ids(project: Project) -> Iterator[Finding]:
    """Reports whether the settings have GitHub's ids of the repository."""
    if told := missing_ids(project):
        yield Finding("GitHub ids", "note", told, f"Set them: {how_to_find_ids(project)}.")
    else:
        yield Finding("GitHub ids", "ok", f"{project.repository_owner_id}, {project.repository_id}")


def provider(checkout: Checkout, project: Project, account_id: str) -> Iterator[Finding]:
    """Reports whether the settings say the same as the account about GitHub's OIDC provider."""
    name = "GitHub OIDC"
    stack = kinds.FOUNDATION.of_account(project, account_id).name
    root = checkout.local if os.environ.get("AWS_ENDPOINT_URL") else checkout.aws
    states = StateBucket(ambient_client("s3", project.region), state_bucket(project))
    try:
        is_managed = manages_oidc_provider(states, stack, root / stack / "terraform.tfstate")
        iam = ambient_client("iam", project.region)
        problem = oidc_provider_problem(project, account_id, iam, is_managed)
    except (ClientError, OpsError) as error:
        yield Finding(name, "note", f"{github_provider_arn(account_id)} could not be checked: {error}")
        return
    if problem:
        yield Finding(name, "wrong", problem)
    else:
        yield Finding(name, "ok", "the settings and the account agree")
