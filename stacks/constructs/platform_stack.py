"""What every stack has: its state's place, the provider pinned to one account, and the tags."""

from collections.abc import Mapping
from typing import Final

from stacks import naming
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
from stacks.settings import Project

TERRAFORM_VERSION: Final = ">= 1.10"
"""The first version whose S3 backend locks by itself. Source: Terraform, "Backend Type: s3"."""


class PlatformStack(TerraformStack):
    """A stack in one account and region, with its state in the project's bucket.

    `tags` become a Terraform local and from there the provider's default tags: the one place where
    tags are written. `project` and `account_id` are what its roles are bounded by.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        project: Project,
        account_id: str,
        region: str,
        tags: Mapping[str, str],
    ) -> None:
        super().__init__(app, name)
        self.project = project
        self.account_id = account_id
        self.add_override("terraform.required_version", TERRAFORM_VERSION)
        backend = S3Backend(
            self,
            bucket=naming.state_bucket(project),
            key=naming.state_key(name),
            region=project.region,
            encrypt=True,
        )
        # CDKTF 0.21 knows the backend's keys of Terraform 1.9 only.
        backend.add_override("use_lockfile", True)
        self.tags = TerraformLocal(self, "tags", dict(tags))
        AwsProvider(
            self,
            "aws",
            region=region,
            allowed_account_ids=[account_id],
            default_tags=[AwsProviderDefaultTags(tags=Token.as_string_map(self.tags.fqn))],
        )

    def output(self, name: str, value: str | list[str], description: str) -> None:
        """Show a value after `terraform apply`, with a sentence on what it is."""
        output = TerraformOutput(self, f"output_{name}", value=value, description=description)
        output.override_logical_id(name)
