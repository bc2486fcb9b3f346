"""The release records of an environment: which image each container runs."""

from collections.abc import Sequence

from stacks import naming
from stacks.bindings import (
    Construct,
    DataAwsSsmParametersByPath,
    Postcondition,
    TerraformLocal,
    TerraformResourceLifecycle,
)
from stacks.containers import Container, Reference
from stacks.policies import Statement
from stacks.settings import Environment, Project
from stacks.values import literal
from stacks.workloads import Workload


class Releases:
    """Reads the records when Terraform plans; a plan without a usable one fails and says what to do.

    A record is JSON with at least an `image` by digest and a `commit`; it is no secret, so plans show it.
    """

    def __init__(
        self, scope: Construct, project: Project, environment: Environment, workloads: Sequence[Workload]
    ) -> None:
        names = sorted(
            {each.release for workload in workloads for each in workload.containers if each.release}
        )
        self._locals = {name: naming.release_local(name) for name in names}
        if not names:
            return
        DataAwsSsmParametersByPath(
            scope,
            "releases",
            path=naming.release_path(project.name, environment.name),
            recursive=False,
            with_decryption=False,
            lifecycle=TerraformResourceLifecycle(
                postcondition=[
                    condition for name in names for condition in _conditions(project, environment, name)
                ]
            ),
        )
        for name, local in self._locals.items():
            parameter = naming.release_parameter(project, environment.name, name)
            record = _record("data.aws_ssm_parameters_by_path.releases", parameter)
            TerraformLocal(scope, local, f"${{{record}}}")

    def image(self, container: Container) -> str:
        """Returns a container's image: somebody else's by digest, or a Terraform expression."""
        return container.image or self._of(container, "image")

    def resolved(self, container: Container, value: str | Reference) -> str:
        """Returns a variable's value, which is a Terraform expression if it refers to the release."""
        match value:
            case Reference.IMAGE:
                return self._of(container, "image")
            case Reference.COMMIT:
                return self._of(container, "commit")
        return literal(value)

    def _of(self, container: Container, key: str) -> str:
        return f"${{local.{self._locals[container.release or '']}.{key}}}"


def _record(source: str, parameter: str) -> str:
    # The provider marks every value by path as sensitive, which would hide the whole task definition.
    return f'jsondecode(nonsensitive({source}.values)[index({source}.names, "{parameter}")])'


def _conditions(project: Project, environment: Environment, name: str) -> tuple[Postcondition, Postcondition]:
    parameter = naming.release_parameter(project, environment.name, name)
    repository = f"{naming.registry(project)}/{naming.repository_name(project, name)}"
    pattern = "^" + repository.replace(".", "[.]") + "@sha256:[0-9a-f]{64}$"
    remedy = (
        f"make release ENV={environment.name} SERVICE={name} "
        f"IMAGE={repository}@sha256:<digest> COMMIT=<commit>"
    )
    record = _record("self", parameter)
    return (
        Postcondition(
            condition=f'${{contains(self.names, "{parameter}")}}',
            error_message=(
                f"{environment.name} has no release of {name} yet: the SSM parameter {parameter} is missing. "
                f"Make one: {remedy}"
            ),
        ),
        Postcondition(
            condition=(
                f'${{!contains(self.names, "{parameter}") || '
                f'(can(regex("{pattern}", {record}.image)) && can(tostring({record}.commit)))}}'
            ),
            error_message=(
                f"The release record {parameter} does not name an image of {repository} by digest and its "
                f"commit. Write it anew: {remedy}"
            ),
        ),
    )


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs to record a release."""
    name = project.name
    return (
        Statement(
            "WriteReleases",
            actions=["ssm:PutParameter"],
            resources=[f"arn:aws:ssm:*:{account_id}:parameter{naming.release_path(name, '*')}/*"],
        ),
        # Who records a release holds a lock, a parameter beside the record.
        Statement(
            "LockReleases",
            actions=["ssm:DeleteParameter", "ssm:PutParameter"],
            resources=[f"arn:aws:ssm:*:{account_id}:parameter{naming.release_lock_path(name, '*')}/*"],
        ),
    )
