"""What `[network]` may say, and what of it is worth a warning."""

from pathlib import Path

import pytest

from stacks.reading import read_platform
from stacks.rules import warnings
from tests.stacks.conftest import Synthesize
from tests.stacks.platform_files import PROJECT, environment, errors_of, write_platform

PUBLIC = '[network]\ncidr = "10.10.0.0/16"\ntasks = "public"\nnat = "none"\n'


def errors_with(tmp_path: Path, network: str) -> list[str]:
    return errors_of(write_platform(tmp_path, dev=environment(network=network)))


def warnings_of(directory: Path) -> list[str]:
    return [str(problem) for problem in warnings(read_platform(directory))]


@pytest.mark.parametrize("nat", ["", 'nat = "single"\n', 'nat = "per-zone"\n'])
def test_public_tasks_go_with_no_nat_gateway(tmp_path: Path, nat: str) -> None:
    value = nat.partition('"')[2].partition('"')[0] or "single"
    assert errors_with(tmp_path, f'[network]\ncidr = "10.10.0.0/16"\ntasks = "public"\n{nat}') == [
        (
            f'dev.toml: network.nat = "{value}": must be "none" with tasks = "public": no task needs a NAT '
            "gateway"
        )
    ]


def test_public_tasks_need_no_endpoints_and_may_be_in_any_region(tmp_path: Path) -> None:
    text = environment(network=PUBLIC).replace("eu-central-1", "eu-west-1")
    read_platform(write_platform(tmp_path, dev=text))


def test_public_tasks_are_worth_a_warning(tmp_path: Path) -> None:
    write_platform(tmp_path, dev=environment(network=PUBLIC))
    assert warnings_of(tmp_path) == [
        (
            'dev.toml: network.tasks = "public": the tasks of dev run in no private tier: only their '
            "security groups keep the internet out, and each has a public IPv4 address, for which AWS "
            "charges $0.005 an hour"
        )
    ]
    write_platform(tmp_path, dev=environment())
    assert warnings_of(tmp_path) == []


def test_a_warning_says_that_the_environment_is_protected_and_which_file_says_it(tmp_path: Path) -> None:
    project = f'{PROJECT}\n[network]\ntasks = "public"\nnat = "none"\n'
    write_platform(tmp_path, project, dev=environment("protected = true\n"))
    (warning,) = warnings_of(tmp_path)
    assert warning.startswith(
        'project.toml: network.tasks = "public": the tasks of dev (which is protected) run in no private tier'
    )


def test_public_tasks_of_services_and_jobs_get_public_addresses_in_public_subnets(
    synthesize: Synthesize,
) -> None:
    job = '[services.job]\nkind = "job"\nsame_image_as = "web"\nschedule = "@daily"\n'
    text = environment(network=PUBLIC, services=f'[services.web]\ndockerfile = "Dockerfile"\n{job}')
    service = synthesize(dev=text)["dev-service"]
    of_service = service.one("aws_ecs_service", "web_service")["network_configuration"]
    assert of_service["assign_public_ip"] is True
    assert all("public_subnet_" in subnet for subnet in of_service["subnets"])
    machine = service.one("aws_sfn_state_machine")["definition"]
    assert '"AssignPublicIp": "ENABLED"' in machine
    assert "public_subnet_a" in machine
    assert "private_subnet_" not in machine
