"""The first deployment of an environment: from an empty account to a running service.

It only creates resources. Changes to resources that exist are left to `make plan` and `make apply`,
which show them to a person. So it can run again at any point, and resumes from there.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from ops.core.checkout import Checkout
from ops.core.clients import ambient_client
from ops.core.errors import OpsError, UsageError
from ops.core.progress import Progress
from ops.github.oidc_provider import manages_oidc_provider, oidc_provider_problem
from ops.images import image as images
from ops.images.engine import find_engine
from ops.local import firsts
from ops.local.services import BEFORE_DEPLOY_SECONDS
from ops.local.stand_in import StandIn, stand_in
from ops.releases.choice import commit_of
from ops.releases.records import Releases
from ops.rollout.before_deploy import BeforeDeploy, services_to_run
from ops.terraform import prerequisites
from ops.terraform.binary import find_terraform
from ops.terraform.phases import Phases, Place, watch
from ops.terraform.provision import working_root
from ops.terraform.workspace import OnLine, Workspace
from stacks import kinds
from stacks.images import Image, services_by_image
from stacks.images import images as built_images
from stacks.settings import Environment, Platform
from stacks.workloads import in_order_of_use

_BEGUN: Final = "terraform.tfstate"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the bootstrap: its name, what it does, and whether it is done."""

    name: str
    what: str
    done: bool


class Bootstrap:
    """The first deployment of one environment, with ambient credentials of its account.

    It deploys `given`, images by name that `commit` was built into, and builds and pushes the others from
    the working tree.
    """

    def __init__(
        self,
        checkout: Checkout,
        platform: Platform,
        environment: Environment,
        progress: Progress,
        given: Mapping[str, str] = MappingProxyType({}),
        commit: str = "",
    ) -> None:
        self._checkout = checkout
        self._platform = platform
        self._project = platform.project
        self._environment = environment
        self._given = given
        self._commit = commit
        resume = f"`make bootstrap ENV={environment.name}` resumes"
        self._phases = Phases(checkout, platform, environment, progress, resume)
        self._place = Place(
            terraform=find_terraform(checkout.state),
            client=lambda service, region, _: ambient_client(service, region),
            environment=lambda _: os.environ,
            directory=working_root(checkout),
        )
        self._stand_in: StandIn | None = stand_in(checkout, platform.project, environment)
        self._images = tuple(services_by_image(platform.project, environment))

    def steps(self, say: OnLine) -> tuple[Step, ...]:
        """Returns what `run` will do and what is done already, without changing anything.

        `say` gets what is worth knowing of the account. Raises OpsError or UsageError if the account
        lacks what the settings ask for, an image or the project's own foundation, so that `run` could
        not succeed.
        """
        environment, states = self._environment, self._phases.states(self._place)
        founded = states.exists()
        foundation = self._foundation(founded)
        self._require_oidc_provider()
        release = tuple(self._release(name, founded) for name in self._images)
        prerequisites.require(self._platform, kinds.stacks_for_environment(self._project, environment), say)
        stacks = [kind.name_in(environment.name) for kind in kinds.OF_ENVIRONMENT]
        there = {stack: len(states.resources(stack)) if founded else 0 for stack in stacks}
        return (
            foundation,
            *release,
            *(
                Step(stack, f"{count} resources; what is missing is added" if count else "apply", bool(count))
                for stack, count in there.items()
            ),
        )

    def run(self) -> Mapping[str, str]:
        """Does what is not done yet, and returns the addresses of the services that run on this machine.

        Raises PhaseError, which names the phase that failed.
        """
        self._phases.synthesis()
        self._phases.foundation(self._place, self._environment.account_id, _create)
        with self._phases.phase("images") as phase:
            releases = self._phases.records(self._place)
            found = {
                service: self._first(releases, service)
                for service in self._images
                if releases.deployable(service) is None
            }
            phase.result = f"for {', '.join(found)}" if found else "unchanged"
        self._phases.releases(self._place, found, "first release")
        self._phases.environment(self._place, _create, self._run_before_deploy)
        return dict(self._apps())

    def _foundation(self, founded: bool) -> Step:
        project, account_id = self._project, self._environment.account_id
        stack = kinds.FOUNDATION.of_account(project, account_id).name
        states = self._phases.states(self._place)
        own = account_id == project.account_id
        if not own and not founded:
            raise OpsError(
                f"{self._environment.name} is in account {account_id}, and the state bucket {states.name} "
                f"of account {project.account_id} does not exist. Apply its foundation first, with "
                "that account's credentials: `make plan STACK=foundation` and `make apply STACK=foundation`."
            )
        if founded and states.has(stack):
            count = len(states.resources(stack))
            return Step(stack, f"{count} resources; what is missing is added", bool(count))
        begun = (self._phases.workspace(self._place, stack, account_id).directory / _BEGUN).exists()
        if own and founded and not begun:
            raise OpsError(
                f"The state bucket {states.name} exists, but neither it nor this directory has the state of "
                f"{stack}: it was begun in another directory. Resume there, or remove what was created, then "
                "try again."
            )
        moved = ", then move its state to the bucket" if own else ""
        return Step(stack, f"{'resume the apply' if begun else 'apply'}{moved}", done=False)

    def _release(self, service: str, founded: bool) -> Step:
        """Returns the step that provides the first image of a name and records it."""
        name = f"release of {service}"
        releases = self._phases.records(self._place)
        own = self._own_image(releases, service)
        if current := releases.deployable(service):
            if own and own != current.image:
                raise UsageError(
                    f"{self._environment.name} has a release of {service} already, {current.image}; "
                    f"`make deploy ENV={self._environment.name} {self._variable}=...` deploys another one."
                )
            return Step(name, f"{current.image} of {current.commit}", done=True)
        if own and not founded:
            raise UsageError(
                f"{own} cannot exist yet: the foundation creates its repository. Leave {self._variable} out "
                "to build and push the image of the working tree; or run `make plan STACK=foundation` and "
                "`make apply STACK=foundation`, push the image, and try again."
            )
        if own:
            return Step(name, f"record {own} of {self._commit_of(releases, own)}", done=False)
        if self._environment.account_id != self._project.account_id:
            missing = "IMAGE is missing" if len(self._images) == 1 else f"IMAGES has no image of {service}"
            raise UsageError(
                f"{missing}: {self._environment.name} is in another account than the registry, so no "
                f"image can be pushed from here. `make releases ENV=` of an environment in account "
                f"{self._project.account_id} lists some."
            )
        if self._stand_in:
            return Step(name, "record a placeholder image on the embedded AWS", done=False)
        wanted = images.named(self._project, self._source(service), self._commit)
        if wanted.commit.endswith(images.DIRTY):
            raise UsageError(
                "The working tree has uncommitted changes, so the first image has no commit to be named "
                f"after. Commit them, or name what is in the registry: {self._variable}=."
            )
        engine = find_engine()
        return Step(name, f"build {wanted.name} with {engine.kind}, push and record it", done=False)

    def _first(self, releases: Releases, service: str) -> tuple[str, str]:
        """Returns the first image of a name and its commit; builds and pushes the image if none was given."""
        ecr = releases.ecr
        if own := self._own_image(releases, service):
            return own, self._commit_of(releases, own)
        if self._stand_in:
            return firsts.put_image(ecr, self._project, service), firsts.COMMIT
        engine = find_engine()
        wanted = images.named(self._project, self._source(service), self._commit)
        if engine.kind == "docker":
            return images.publish(engine, self._project, wanted, "", ecr), wanted.commit
        images.build(engine, self._project, wanted)
        return images.push(engine, self._project, wanted, "", ecr), wanted.commit

    def _source(self, name: str) -> Image:
        """Returns what an image is built from."""
        return next(image for image in built_images(self._environment) if image.name == name)

    def _own_image(self, releases: Releases, service: str) -> str:
        """Returns the given image of that name, or an empty string."""
        if own := self._given.get(service, ""):
            releases.check_image(service, own)
        return own

    @property
    def _variable(self) -> str:
        """Returns the variable that names an image of this environment."""
        return "IMAGE" if len(self._images) == 1 else "IMAGES"

    def _commit_of(self, releases: Releases, image: str) -> str:
        return self._commit or commit_of(releases.kept_tags(image), image)

    def _require_oidc_provider(self) -> None:
        account_id = self._environment.account_id
        stack = kinds.FOUNDATION.of_account(self._project, account_id).name
        begun = self._phases.workspace(self._place, stack, account_id).directory / _BEGUN
        is_managed = manages_oidc_provider(self._phases.states(self._place), stack, begun)
        iam = ambient_client("iam", self._environment.region)
        if problem := oidc_provider_problem(self._project, account_id, iam, is_managed):
            raise UsageError(problem)

    def _run_before_deploy(self, workspace: Workspace) -> None:
        """Runs before_deploy of the services whose tasks for it do not exist yet."""
        environment = self._environment
        if not any(service.before_deploy for service in environment.services.values()):
            return
        with workspace.reserved():
            with self._phases.phase(f"plan {workspace.stack}") as phase:
                workspace.take(self._checkout.configuration(workspace.stack))
                workspace.init("-reconfigure")
                plan = _plan_creation(workspace, watch(phase))
            if services := services_to_run(plan, environment):
                BeforeDeploy(
                    self._project, environment, self._phases.phase, BEFORE_DEPLOY_SECONDS, self._stand_in
                ).run(workspace, plan, services)

    def _apps(self) -> Iterator[tuple[str, str]]:
        """Runs the services here, as the embedded AWS runs no containers; yields their addresses."""
        if self._stand_in:
            for service in in_order_of_use(self._environment):
                with self._phases.phase(f"app {service}") as phase:
                    if address := self._stand_in.run(service, phase):
                        yield service, address


def beyond_creation(plan: Any) -> list[str]:
    """Returns the addresses of what a plan would change or remove, except resources left half-created.

    Source: Terraform's documentation, "JSON Output Format", `actions` and `action_reason`.
    """
    return [
        change["address"]
        for change in plan.get("resource_changes") or ()
        if not {"no-op", "read", "create"}.issuperset(change["change"]["actions"])
        and change.get("action_reason") != "replace_because_tainted"
    ]


def _create(workspace: Workspace, on_line: OnLine) -> None:
    """Applies a stack's plan if it only creates resources; raises OpsError otherwise."""
    _plan_creation(workspace, on_line)
    workspace.apply_plan(on_line=on_line)


def _plan_creation(workspace: Workspace, on_line: OnLine) -> Any:
    """Saves a stack's plan and returns its JSON.

    Raises OpsError if it would change or remove any resource.
    """
    plan = workspace.plan(on_line=on_line)
    if there := beyond_creation(plan):
        workspace.discard_plan()
        more = f" and {len(there) - 3} more" if len(there) > 3 else ""
        raise OpsError(
            f"{workspace.stack} exists, and the plan changes it ({', '.join(there[:3])}{more}). Nothing was "
            "applied: look at the change with `make plan`, apply it with `make apply`, then try again."
        )
    return plan
