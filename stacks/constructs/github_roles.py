"""The roles that GitHub workflows assume, without any key that could be lost.

Source: GitHub Docs, "Configuring OpenID Connect in Amazon Web Services"; the forms of `sub` are
those of "OpenID Connect reference".
"""

from collections.abc import Iterator, Sequence
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
from stacks.settings import Platform, Project

MAIN_BRANCH: Final = "ref:refs/heads/main"


class GithubRoles:
    """A role for each duty, and the account's OIDC provider unless it exists already.

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
        self._scope = scope
        self._project = project
        # By its name, not by reference: so a plan shows, and synthesis measures, the whole trust policy.
        self._provider_arn = naming.github_provider_arn(account_id)
        self._provider: list[IamOpenidConnectProvider] = []
        if account_id not in project.accounts_with_oidc_provider:
            self._provider = [
                IamOpenidConnectProvider(
                    scope,
                    "github",
                    url=f"https://{naming.GITHUB_ISSUER}",
                    client_id_list=[naming.GITHUB_AUDIENCE],
                )
            ]
        self.role_arns: dict[str, str] = {}
        in_environments = [f"environment:{name}" for name in environments]

        read = self._policies(
            "read", "Reads what the project's stacks are made of", permissions.read(platform, account_id)
        )
        self._role("plan", ["pull_request", MAIN_BRANCH, *in_environments], read)
        if account_id == project.account_id:
            push = self._policies("push", "Pushes the project's images", permissions.push(project))
            self._role("push", [MAIN_BRANCH], push)
        if environments:
            deploy = [
                policy
                for kind, statements in permissions.deploy(platform, account_id).items()
                for policy in self._policies(f"deploy-{kind.name}", f"Changes {kind.name} stacks", statements)
            ]
            self._role("deploy", in_environments, [*read, *deploy])

    def _policies(self, duty: str, description: str, statements: Sequence[Statement]) -> list[IamPolicy]:
        """Creates a policy, and further ones with a number for the statements that it has no room for."""
        created = []
        for number, those in enumerate(policies.packed(statements), start=1):
            numbered = duty if number == 1 else f"{duty}-{number}"
            name = naming.github_role(self._project.name, numbered)
            policy = IamPolicy(
                self._scope,
                f"github_{numbered.replace('-', '_')}_policy",
                name=name,
                description=description,
                policy=policies.managed_document(name, *those),
            )
            created.append(policy)
        return created

    def _role(self, duty: str, subjects: Sequence[str], allowed: Sequence[IamPolicy]) -> None:
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
            description=f"Assumed by GitHub workflows of {self._project.repository} to {duty}",
            max_session_duration=naming.GITHUB_SESSION_SECONDS[duty],
            assume_role_policy=policies.trust_document(
                name,
                Statement(
                    "GithubWorkflows",
                    actions=["sts:AssumeRoleWithWebIdentity"],
                    principals={"Federated": self._provider_arn},
                    conditions={
                        "StringEquals": {
                            f"{naming.GITHUB_ISSUER}:aud": naming.GITHUB_AUDIENCE,
                            f"{naming.GITHUB_ISSUER}:sub": [
                                f"repo:{repository}:{subject}"
                                for repository in _repository_names(self._project)
                                for subject in subjects
                            ],
                        }
                    },
                ),
            ),
            depends_on=self._provider or None,
        )
        self.role_arns[duty] = role.arn
        for policy in allowed:
            key = policy.friendly_unique_id.removeprefix("github_").removesuffix("_policy")
            IamRolePolicyAttachment(
                self._scope, f"github_{duty}_may_{key}", role=role.name, policy_arn=policy.arn
            )


def _repository_names(project: Project) -> Iterator[str]:
    """What `sub` calls the repository: its name, and if the settings have its ids, the name with them.

    GitHub writes the ids for a repository that was created, renamed or transferred since 2026-07-15, and
    for an older one that turns them on. Source: GitHub Docs, "OpenID Connect reference", immutable subject
    claims.
    """
    yield project.repository
    if project.repository_id:
        owner, _, name = project.repository.partition("/")
        yield f"{owner}@{project.repository_owner_id}/{name}@{project.repository_id}"
