"""The roles that GitHub workflows assume, without any key that could be lost.

Source: GitHub Docs, "Configuring OpenID Connect in Amazon Web Services"; the forms of `sub` are
those of "OpenID Connect reference".
"""

from collections.abc import Sequence
from typing import Final

from stacks import naming, permissions, policies
from stacks.bindings import (
    Construct,
    IamOpenidConnectProvider,
    IamPolicy,
    IamRole,
    IamRolePolicyAttachment,
)
from stacks.policies import Statement
from stacks.problems import QuotaError
from stacks.settings import Platform

ISSUER: Final = "token.actions.githubusercontent.com"
AUDIENCE: Final = "sts.amazonaws.com"
MAIN_BRANCH: Final = "ref:refs/heads/main"


class GithubRoles:
    """The account's OIDC provider, and a role for each duty.

    - plan: reads what stacks are made of, and their state; for pull requests, main and environments.
    - push: pushes images to the project's repositories; for main; only beside the registry.
    - deploy: what the stacks of environments need, a policy for each kind; for jobs in one of the
      account's environments.
    """

    def __init__(
        self,
        scope: Construct,
        platform: Platform,
        account_id: str,
        environments: Sequence[str],
    ) -> None:
        project = platform.project
        provider = IamOpenidConnectProvider(
            scope, "github", url=f"https://{ISSUER}", client_id_list=[AUDIENCE]
        )
        self._scope = scope
        self._project = project
        self._provider_arn = provider.arn
        self.role_arns: dict[str, str] = {}
        in_environments = [f"environment:{name}" for name in environments]

        read = self._policy(
            "read", "Reads what the project's stacks are made of", permissions.read(platform, account_id)
        )
        self._role("plan", ["pull_request", MAIN_BRANCH, *in_environments], [read])
        if account_id == project.account_id:
            push = self._policy("push", "Pushes the project's images", permissions.push(project))
            self._role("push", [MAIN_BRANCH], [push])
        if environments:
            deploy = [
                self._policy(f"deploy-{kind.name}", f"Changes {kind.name}s", statements)
                for kind, statements in permissions.deploy(platform, account_id).items()
            ]
            self._role("deploy", in_environments, [read, *deploy])

    def _policy(self, duty: str, description: str, statements: Sequence[Statement]) -> IamPolicy:
        name = naming.github_role(self._project.name, duty)
        return IamPolicy(
            self._scope,
            f"github_{duty.replace('-', '_')}_policy",
            name=name,
            description=description,
            policy=policies.managed_document(name, *statements),
        )

    def _role(self, duty: str, subjects: Sequence[str], allowed: Sequence[IamPolicy]) -> None:
        repository = self._project.repository
        name = naming.github_role(self._project.name, duty)
        if len(allowed) > policies.POLICIES_OF_A_ROLE:
            raise QuotaError(
                f"The IAM role {name} would have {len(allowed)} managed policies; AWS allows "
                f"{policies.POLICIES_OF_A_ROLE}."
            )
        role = IamRole(
            self._scope,
            f"github_{duty}",
            name=name,
            description=f"Assumed by GitHub workflows of {repository} to {duty}",
            max_session_duration=naming.GITHUB_SESSION_SECONDS[duty],
            assume_role_policy=policies.document(
                Statement(
                    "GithubWorkflows",
                    actions=["sts:AssumeRoleWithWebIdentity"],
                    principals={"Federated": self._provider_arn},
                    conditions={
                        "StringEquals": {
                            f"{ISSUER}:aud": AUDIENCE,
                            f"{ISSUER}:sub": [f"repo:{repository}:{subject}" for subject in subjects],
                        }
                    },
                )
            ),
        )
        self.role_arns[duty] = role.arn
        for policy in allowed:
            key = policy.friendly_unique_id.removeprefix("github_").removesuffix("_policy")
            IamRolePolicyAttachment(
                self._scope, f"github_{duty}_may_{key}", role=role.name, policy_arn=policy.arn
            )
