"""`foundation`: what an account has once, before any environment: state, registry, and who may deploy."""

from stacks import kinds
from stacks.bindings import App
from stacks.constructs.chat import ChatBoundary
from stacks.constructs.github_roles import GithubRoles
from stacks.constructs.image_repository import ImageRepository
from stacks.constructs.job_boundary import JobBoundary
from stacks.constructs.platform_stack import PlatformStack
from stacks.constructs.state_bucket import StateBucket
from stacks.constructs.workload_boundary import WorkloadBoundary
from stacks.images import released_images
from stacks.settings import Platform


class FoundationStack(PlatformStack):
    """The foundation of one account; state bucket and registry stand in the project's own account only."""

    def __init__(self, app: App, platform: Platform, account_id: str) -> None:
        project = platform.project
        super().__init__(app, project, kinds.FOUNDATION.of_account(project, account_id))
        here = [
            name
            for name, environment in platform.environments.items()
            if environment.account_id == account_id
        ]
        _, *other_account_ids = platform.account_ids()
        if account_id == project.account_id:
            state = StateBucket(self, platform)
            self.output("state_bucket", state.name, "Where every stack's state is kept")
            for image, services in released_images(platform).items():
                repository = ImageRepository(self, project, image, services, other_account_ids)
                self.output(
                    f"{image.replace('.', '_')}_repository",
                    repository.url,
                    f"Where the images of {image} are pushed to",
                )
        WorkloadBoundary(self, platform, account_id)
        JobBoundary(self, project, account_id)
        ChatBoundary(self, project)
        roles = GithubRoles(self, platform, account_id, here)
        for duty, arn in roles.role_arns.items():
            self.output(f"{duty}_role", arn, f"The role that GitHub workflows assume to {duty}")
