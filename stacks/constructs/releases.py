"""The release records of an environment: which image each service runs."""

from collections.abc import Sequence

from stacks import naming
from stacks.bindings import (
    Construct,
    DataAwsSsmParametersByPath,
    Postcondition,
    TerraformLocal,
    TerraformResourceLifecycle,
)
from stacks.policies import Statement
from stacks.settings import Environment, Project
from stacks.workloads import Workload


class Releases:
    """Reads the records when Terraform plans; a plan without a usable one fails and says what to do.

    `images` and `commits` are Terraform expressions by service. A record is JSON with at least an
    `image` by digest and a `commit`; it is no secret, so plans show it.
    """

    def __init__(
        self, scope: Construct, project: Project, environment: Environment, workloads: Sequence[Workload]
    ) -> None:
        self.images: dict[str, str] = {}
        self.commits: dict[str, str] = {}
        DataAwsSsmParametersByPath(
            scope,
            "releases",
            path=naming.release_path(project.name, environment.name),
            recursive=False,
            with_decryption=False,
            lifecycle=TerraformResourceLifecycle(
                postcondition=[condition for workload in workloads for condition in _conditions(workload)]
            ),
        )
        for workload in workloads:
            record = _record("data.aws_ssm_parameters_by_path.releases", workload.release_parameter)
            # A local without quotes in its name: it is used within JSON text.
            local = f"{workload.key}_release"
            TerraformLocal(scope, local, f"${{{record}}}")
            self.images[workload.key] = f"${{local.{local}.image}}"
            self.commits[workload.key] = f"${{local.{local}.commit}}"


def _record(source: str, parameter: str) -> str:
    # The provider marks every value by path as sensitive, which would hide the whole task definition.
    return f'jsondecode(nonsensitive({source}.values)[index({source}.names, "{parameter}")])'


def _conditions(workload: Workload) -> tuple[Postcondition, Postcondition]:
    environment, service = workload.environment.name, workload.key
    parameter, repository = workload.release_parameter, workload.repository
    pattern = "^" + repository.replace(".", "[.]") + "@sha256:[0-9a-f]{64}$"
    remedy = (
        f"make release ENV={environment} SERVICE={service} IMAGE={repository}@sha256:<digest> COMMIT=<commit>"
    )
    record = _record("self", parameter)
    return (
        Postcondition(
            condition=f'${{contains(self.names, "{parameter}")}}',
            error_message=(
                f"{environment} has no release of {service} yet: the SSM parameter {parameter} is missing. "
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
