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


def subnet(number: int) -> str:
    return f"subnet-{number:017x}"


def existing(
    top: str = "",
    vpc: str = "vpc-0123456789abcdef0",
    public: str = f'{{ a = "{subnet(1)}", b = "{subnet(2)}" }}',
    private: str = f'{{ a = "{subnet(3)}", b = "{subnet(4)}" }}',
    database: str = "",
) -> str:
    return (
        f'[network]\n{top}\n[network.existing]\nvpc_id = "{vpc}"\npublic_subnets = {public}\n'
        f"private_subnets = {private}\n" + (f"database_subnets = {database}\n" if database else "")
    )


EXISTING_CASES = {
    "zones": (existing('availability_zones = ["a", "b"]'), "network.availability_zones = "),
    "slots": (existing("zone_slots = 4"), "network.zone_slots = 4: left out with network.existing"),
    "nat": (existing('nat = "none"'), 'network.nat = "none": left out with network.existing: routes and NAT'),
    "flow logs": (existing('flow_logs = "all"'), 'network.flow_logs = "all": left out with'),
    "one zone": (
        existing(public=f'{{ a = "{subnet(1)}" }}', private=f'{{ a = "{subnet(3)}" }}'),
        "network.existing.public_subnets = {a = ",
    ),
    "no private subnets": (
        existing(private="{}"),
        "network.existing.private_subnets: a subnet for tasks in each zone of public_subnets",
    ),
    "other zones": (
        existing(private=f'{{ a = "{subnet(3)}", c = "{subnet(4)}" }}'),
        "network.existing.private_subnets = {a = ",
    ),
    "one database subnet": (
        existing(database=f'{{ a = "{subnet(5)}" }}'),
        "network.existing.database_subnets = {a = ",
    ),
    "a subnet twice": (
        existing(private=f'{{ a = "{subnet(3)}", b = "{subnet(2)}" }}'),
        f'network.existing.private_subnets.b = "{subnet(2)}": another subnet: this one is public_subnets.b',
    ),
    "no id of a VPC": (existing(vpc="my-vpc"), 'network.existing.vpc_id = "my-vpc": the id of a VPC'),
    "no id of a subnet": (
        existing(private='{ a = "private", b = "other" }'),
        'network.existing.private_subnets.a = "private": the id of a subnet',
    ),
}


@pytest.mark.parametrize("case", EXISTING_CASES)
def test_what_an_existing_vpc_cannot_have_is_told(tmp_path: Path, case: str) -> None:
    network, message = EXISTING_CASES[case]
    assert errors_with(tmp_path, network)[0].startswith(f"dev.toml: {message}")


def test_public_tasks_in_an_existing_vpc_need_no_private_subnets(tmp_path: Path) -> None:
    read_platform(
        write_platform(tmp_path, dev=environment(network=existing('tasks = "public"', private="{}")))
    )


def test_addresses_of_existing_vpcs_are_compared_as_far_as_they_are_known(tmp_path: Path) -> None:
    other = "vpc-00000000000000001"
    known = existing('cidr = "10.10.0.0/16"')
    for network, errors in (
        (existing(), 0),
        (known, 1),
    ):
        write_platform(tmp_path, dev=environment(), test=environment(network=network))
        if errors:
            (error,) = errors_of(tmp_path)
            assert error.startswith('test.toml: network.cidr = "10.10.0.0/16": overlaps 10.10.0.0/16 of dev')
        else:
            read_platform(tmp_path)
    write_platform(tmp_path, dev=environment(network=known), test=environment(network=known))
    read_platform(tmp_path)
    elsewhere = existing('cidr = "10.10.0.0/16"', vpc=other)
    write_platform(tmp_path, dev=environment(network=known), test=environment(network=elsewhere))
    assert len(errors_of(tmp_path)) == 1


def test_environments_in_one_vpc_cannot_both_have_an_endpoint(tmp_path: Path) -> None:
    network = existing('endpoints = ["sqs", "logs"]')
    other = existing('endpoints = ["ecr.api", "sqs"]')
    write_platform(tmp_path, dev=environment(network=network), test=environment(network=other))
    assert errors_of(tmp_path) == [
        (
            'test.toml: network.endpoints = ["sqs"]: leave it out: dev.toml puts them into the same VPC, '
            "where their names can lead to one endpoint only"
        )
    ]


def test_in_an_existing_vpc_nothing_of_the_owner_is_managed(synthesize: Synthesize) -> None:
    network = synthesize(dev=environment(network=existing()))["dev-network"]
    assert set(network.content["resource"]) == {"aws_security_group", "aws_vpc_security_group_ingress_rule"}
    assert set(network.all("aws_vpc_security_group_ingress_rule")) == {
        "endpoints_from_private_a",
        "endpoints_from_private_b",
    }


def test_the_deploy_role_may_put_groups_and_endpoints_into_an_existing_vpc_and_its_subnets_of_tasks(
    synthesize: Synthesize,
) -> None:
    foundation = synthesize(dev=environment(network=existing()))["foundation"]
    (found,) = {
        tuple(statement["Resource"])
        for _, statement in foundation.statements()
        if statement.get("Sid") == "UseExistingNetworks"
    }
    assert found == (
        f"arn:aws:ec2:eu-central-1:*:subnet/{subnet(3)}",
        f"arn:aws:ec2:eu-central-1:*:subnet/{subnet(4)}",
        "arn:aws:ec2:eu-central-1:*:vpc/vpc-0123456789abcdef0",
    )


DIGEST = f"@sha256:{'0' * 64}"
CLOSED = '[network]\ncidr = "10.10.0.0/16"\nnat = "none"\nendpoints = ["ecr.api", "ecr.dkr", "logs"]\n'


@pytest.mark.parametrize(
    ("image", "pulled"),
    [
        ("public.ecr.aws/nginx/nginx", False),
        ("ghcr.io/example/prices", False),
        ("111111111111.dkr.ecr.eu-west-1.amazonaws.com/prices", False),
        ("111111111111.dkr.ecr.eu-central-1.amazonaws.com/prices", True),
    ],
)
def test_without_a_way_out_images_come_from_ecr_in_the_region(
    tmp_path: Path, image: str, pulled: bool
) -> None:
    own = f'[services.web]\nimage = "{image}{DIGEST}"\n'
    sidecar = f'[services.web]\ndockerfile = "D"\n[services.web.sidecars.log]\nimage = "{image}{DIGEST}"\n'
    for services, key in ((own, "image"), (sidecar, "sidecars.log.image")):
        write_platform(tmp_path, dev=environment(network=CLOSED, services=services))
        if pulled:
            read_platform(tmp_path)
            continue
        assert errors_of(tmp_path) == [
            (
                f'dev.toml: services.web.{key} = "{image}{DIGEST}": with network.nat = "none", tasks reach '
                "private repositories of ECR in eu-central-1 only; copy the image to one, or choose another "
                "nat"
            )
        ]
    write_platform(tmp_path, dev=environment(network=PUBLIC, services=own))
    read_platform(tmp_path)
