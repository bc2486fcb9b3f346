"""What the stacks know of a container, before there is any CDKTF."""

import pytest

from stacks.containers import Reference
from stacks.reading import read_platform
from stacks.workloads import Workload, workloads
from tests.places import ENVIRONMENTS
from tests.webapp.environment import VARIABLES
from webapp import contract


@pytest.fixture(scope="module")
def web() -> Workload:
    """The only workload of the tests' dev."""
    platform = read_platform(ENVIRONMENTS)
    (workload,) = workloads(platform.project, platform.environments["dev"])
    return workload


def test_every_name_is_derived_from_project_environment_and_service(web: Workload) -> None:
    assert web.name == "oaktree-dev-web"
    assert web.target_group("80", "aws_vpc.vpc.id").startswith("oaktree-dev-web-")
    assert web.cluster == "oaktree-dev"
    assert web.alarm_prefix == "oaktree-dev-web/"
    assert web.log_group == "/oaktree/dev/web"
    assert web.execution_role == "oaktree-dev-web-execution"
    assert web.task_role == "oaktree-dev-web-task"
    assert web.repository_arns == ["arn:aws:ecr:eu-central-1:111111111111:repository/oaktree/web"]


def test_the_status_app_is_what_its_contract_says(web: Workload) -> None:
    assert (web.port, web.health_path) == (contract.PORT, contract.HEALTH_PATH)
    assert web.grants == contract.GRANTS
    # There is no logo, and AWS drops empty variables.
    assert web.main.variables.keys() == VARIABLES - {"LOGO_URL"}


def test_variables_leave_to_terraform_what_only_terraform_knows(web: Workload) -> None:
    left = {name: value for name, value in web.main.variables.items() if isinstance(value, Reference)}
    assert left == {"IMAGE": Reference.IMAGE, "COMMIT": Reference.COMMIT}


def test_workloads_of_the_same_settings_are_equal(web: Workload) -> None:
    platform = read_platform(ENVIRONMENTS)
    assert workloads(platform.project, platform.environments["dev"]) == (web,)
