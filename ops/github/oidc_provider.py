"""GitHub's ids of the repository, and an account's OIDC provider for GitHub that exists already.

Only GitHub and the account know them; `make bootstrap` and `make doctor` compare the settings.
"""

from pathlib import Path
from typing import Any, Final

from ops.terraform.states import StateBucket, managed
from stacks.naming import GITHUB_AUDIENCE, github_provider_arn
from stacks.settings import Project

PROJECT_FILE: Final = "environments/project.toml"


def missing_ids(project: Project) -> str:
    """Returns what fails without GitHub's ids of the repository; empty if the settings have them."""
    if project.repository_id:
        return ""
    return (
        f"{PROJECT_FILE} has no repository_owner_id and repository_id: if {project.repository} was created, "
        "renamed or transferred since 15 July 2026, its workflows cannot assume their roles"
    )


def manages_oidc_provider(states: StateBucket, stack: str, begun: Path) -> bool:
    """Whether a foundation's state, in the bucket or in the file `begun`, has GitHub's OIDC provider."""
    kind = "aws_iam_openid_connect_provider"
    if begun.exists():
        return any(each["type"] == kind and each["instances"] for each in managed(begun.read_bytes()))
    return states.exists() and any(each.startswith(f"{kind}.") for each in states.resources(stack))


def oidc_provider_problem(project: Project, account_id: str, iam: Any, is_managed: bool) -> str:
    """Returns where an account's OIDC provider for GitHub and the settings differ; empty if they agree.

    The client acts in the account. `is_managed`: whether the foundation's state has the provider.
    Source: IAM API Reference, CreateOpenIDConnectProvider, EntityAlreadyExists.
    """
    arn, accounts = github_provider_arn(account_id), project.accounts_with_oidc_provider
    try:
        found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    except iam.exceptions.NoSuchEntityException:
        found = None
    listed = f"{PROJECT_FILE}: accounts_with_oidc_provider has {account_id}"
    if account_id not in accounts:
        if not found or is_managed:
            return ""
        line = ", ".join(f'"{each}"' for each in (*accounts, account_id))
        return (
            f"{arn} exists, and the foundation's state does not have it: AWS refuses a second one. Set "
            f"accounts_with_oidc_provider = [{line}] in {PROJECT_FILE}, so that the foundation uses this one."
        )
    if is_managed:
        return (
            f"{listed}, but the foundation manages {arn}, and its next apply would delete it. Take the "
            "account out of the list."
        )
    if not found:
        return (
            f"{listed}, but {arn} does not exist. Take the account out of the list, so that the foundation "
            "creates it."
        )
    if GITHUB_AUDIENCE not in found["ClientIDList"]:
        return (
            f"{listed}, but {arn} does not have the audience {GITHUB_AUDIENCE}: aws iam "
            f"add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {arn} "
            f"--client-id {GITHUB_AUDIENCE}"
        )
    return ""
