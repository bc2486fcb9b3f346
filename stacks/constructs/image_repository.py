"""Where the images of one name are kept."""

import json
from collections.abc import Iterator, Sequence

from stacks import naming, policies
from stacks.bindings import (
    Construct,
    EcrLifecyclePolicy,
    EcrRepository,
    EcrRepositoryEncryptionConfiguration,
    EcrRepositoryImageScanningConfiguration,
    EcrRepositoryPolicy,
    TerraformResourceLifecycle,
)
from stacks.policies import Condition, Statement
from stacks.settings import Project
from stacks.status_app import STATUS, Resource

PULL_ACTIONS = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
"""What pulling an image takes. Source: Amazon ECR User Guide, "Repository policy examples"."""


class ImageRepository:
    """An ECR repository: scanned on push (ECR.1), immutable tags (ECR.2), a lifecycle policy (ECR.3).

    Only images without a tag expire; every release has one (its commit), so none can be lost. `services`
    run its images.
    """

    def __init__(
        self,
        scope: Construct,
        project: Project,
        image: str,
        services: Sequence[str],
        other_account_ids: Sequence[str],
    ) -> None:
        key = image.replace("-", "_").replace(".", "__")
        repository = EcrRepository(
            scope,
            f"{key}_images",
            name=naming.repository_name(project, image),
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=EcrRepositoryImageScanningConfiguration(scan_on_push=True),
            encryption_configuration=[EcrRepositoryEncryptionConfiguration(encryption_type="AES256")],
            force_delete=not project.protected,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=project.protected),
        )
        self.arn = repository.arn
        self.url = repository.repository_url
        EcrLifecyclePolicy(
            scope,
            f"{key}_images_expiry",
            repository=repository.name,
            policy=_expire_untagged(project.untagged_image_days),
        )
        if other_account_ids:
            EcrRepositoryPolicy(
                scope,
                f"{key}_images_policy",
                repository=repository.name,
                policy=policies.document(
                    _let_pull(project, services, other_account_ids),
                    _let_find(other_account_ids),
                    *_let_check(project, services, other_account_ids),
                ),
            )


def _expire_untagged(days: int) -> str:
    rule = {
        "rulePriority": 1,
        "description": f"Images without a tag, {days} days after their push",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": days,
        },
        "action": {"type": "expire"},
    }
    return json.dumps({"rules": [rule]})


def _let_pull(project: Project, services: Sequence[str], account_ids: Sequence[str]) -> Statement:
    return Statement(
        "PullByExecutionRoles",
        actions=PULL_ACTIONS,
        principals=_accounts(account_ids),
        conditions=_only_roles(project, services, "execution", account_ids),
    )


def _let_check(project: Project, services: Sequence[str], account_ids: Sequence[str]) -> Iterator[Statement]:
    """What the app itself asks about its image, if anything."""
    grants = [grant for grant in STATUS.grants if grant.resource is Resource.IMAGES]
    if grants:
        yield Statement(
            "CheckByTaskRoles",
            actions=[action for grant in grants for action in grant.actions],
            principals=_accounts(account_ids),
            conditions=_only_roles(project, services, "task", account_ids),
        )


def _accounts(account_ids: Sequence[str]) -> dict[str, list[str]]:
    return {"AWS": [f"arn:aws:iam::{account}:root" for account in account_ids]}


def _only_roles(
    project: Project, services: Sequence[str], purpose: str, account_ids: Sequence[str]
) -> Condition:
    """Of some accounts, the roles of some services in any environment for one purpose."""
    names = [naming.role_name(project.name, "*", f"{service}-{purpose}") for service in services]
    roles = [f"arn:aws:iam::{account}:role/{name}" for account in account_ids for name in names]
    return {"ArnLike": {"aws:PrincipalArn": roles}}


def _let_find(account_ids: Sequence[str]) -> Statement:
    """Recording a release checks that its image exists, with credentials of the environment's account."""
    return Statement(
        "FindReleases",
        actions=["ecr:DescribeImages"],
        principals=_accounts(account_ids),
    )
