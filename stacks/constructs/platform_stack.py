"""What every stack has: its state's place, the provider pinned to one account, and the tags."""

from typing import Final

from stacks import kinds, naming
from stacks.bindings import (
    App,
    AwsProvider,
    AwsProviderDefaultTags,
    S3Backend,
    TerraformLocal,
    TerraformOutput,
    TerraformStack,
    Token,
)
from stacks.kinds import Stack
from stacks.policies import Statement
from stacks.settings import Environment, Platform, Project

TERRAFORM_VERSION: Final = ">= 1.10"
"""The first version whose S3 backend locks by itself. Source: Terraform, "Backend Type: s3"."""


class PlatformStack(TerraformStack):
    """A stack in one account and region, with its state in the project's bucket.

    Its tags become a Terraform local and from there the provider's default tags: the one place where
    tags are written. `project` and `account_id` are what its roles are bounded by, `name` is its name.
    """

    def __init__(self, app: App, project: Project, stack: Stack) -> None:
        super().__init__(app, stack.name)
        self.name = stack.name
        self.project = project
        self.account_id = stack.account_id
        self.add_override("terraform.required_version", TERRAFORM_VERSION)
        backend = S3Backend(
            self,
            bucket=naming.state_bucket(project),
            key=naming.state_key(stack.name),
            region=project.region,
            encrypt=True,
        )
        # CDKTF 0.21 knows the backend's keys of Terraform 1.9 only.
        backend.add_override("use_lockfile", True)
        self.tags = TerraformLocal(self, "tags", _tags(project, stack.environment))
        AwsProvider(
            self,
            "aws",
            region=stack.region,
            allowed_account_ids=[stack.account_id],
            default_tags=[AwsProviderDefaultTags(tags=Token.as_string_map(self.tags.fqn))],
        )

    def output(self, name: str, value: str | list[str] | dict[str, str], description: str) -> None:
        """Show a value after `terraform apply`, with a sentence on what it is."""
        output = TerraformOutput(self, f"output_{name}", value=value, description=description)
        output.override_logical_id(name)


def deploy(platform: Platform, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs to keep and lock the states of the environments in its account.

    Source: Terraform's documentation, "Backend Type: s3", "S3 Bucket Permissions", with `use_lockfile`.
    """
    own = [stack for stack in kinds.stacks_of_account(platform, account_id) if stack.environment]
    states = [naming.state_arn(platform.project, stack.name) for stack in own]
    return (
        Statement("WriteStates", actions=["s3:PutObject"], resources=states),
        Statement(
            "LockStates",
            actions=["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            resources=[f"{state}.tflock" for state in states],
        ),
    )


def _tags(project: Project, environment: Environment | None) -> dict[str, str]:
    """Tags of everything in an environment, or without one of what all environments share."""
    whose = environment or project
    return {
        "project": project.name,
        "environment": environment.name if environment else "shared",
        "owner": whose.owner,
        "cost-centre": whose.cost_centre,
        "managed-by": "terraform",
        "repository": project.repository,
    }
