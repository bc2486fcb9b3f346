"""What `make up` prints at its end, and which services `SERVICE=` of a deployment names."""

from pathlib import Path

import pytest

from ops.commands.local import _print_services
from ops.commands.rollout import _services
from ops.core.errors import UsageError
from ops.local.up import Served
from stacks.reading import read_platform
from tests.stacks.platform_files import environment, write_platform

SHOP = """
[services.web]
dockerfile = "shop/Dockerfile"
sidecars = { nginx = { dockerfile = "shop/nginx/Dockerfile" } }

[services.worker]
kind = "worker"
same_image_as = "web"
command = ["work"]
"""


def test_each_service_is_shown_with_its_address_or_the_reason_why_it_does_not_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _print_services(
        "dev",
        {
            "web": Served(
                "web", "http://shop.example.com.localhost:8100/", differs={"PRICES_URL": "http://127.0.0.1:1"}
            ),
            "worker": Served("worker", ""),
            "night": Served("job", "", "a job, which is not started by itself"),
        },
    )
    shown = capsys.readouterr().out
    assert shown == (
        "SERVICE  KIND    ADDRESS\n"
        "web      web     http://shop.example.com.localhost:8100/\n"
        "worker   worker  runs, and listens nowhere\n"
        "night    job     not run: a job, which is not started by itself\n"
        "Where shop.example.com.localhost is not known, send the name as a header: curl -H 'Host: "
        "shop.example.com' to 127.0.0.1 and the same port.\n"
        "\nVariables that are not those of the task definition:\n"
        "  web: PRICES_URL=http://127.0.0.1:1\n"
        "  all: AWS_ENDPOINT_URL and the role's keys, in place of what ECS gives a task\n"
    )


def test_databases_are_shown_with_what_is_not_as_on_aws(capsys: pytest.CaptureFixture[str]) -> None:
    shown = {
        "web": Served("web", "http://127.0.0.1:8100/"),
        "oaktree-dev-shop": Served("database", "127.0.0.1:15432"),
        "oaktree-dev-old": Served("database", "", "RDS says that it is stopped"),
    }
    _print_services("dev", shown)
    assert capsys.readouterr().out == (
        "SERVICE           KIND      ADDRESS\n"
        "web               web       http://127.0.0.1:8100/\n"
        "oaktree-dev-shop  database  127.0.0.1:15432\n"
        "oaktree-dev-old   database  not run: RDS says that it is stopped\n"
        "A database is PostgreSQL 18 with a certificate that signs itself, whatever version RDS has.\n"
    )


def test_the_status_app_alone_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    _print_services("dev", {"status": Served("status", "http://127.0.0.1:8080")})
    assert capsys.readouterr().out == "dev status: http://127.0.0.1:8080\n"


@pytest.mark.parametrize(
    ("name", "services"),
    [("", ("web", "worker")), ("web", ("web",)), ("worker", ("worker",)), ("web.nginx", ("web",))],
)
def test_a_deployment_takes_a_service_or_an_image(
    tmp_path: Path, name: str, services: tuple[str, ...]
) -> None:
    shop = read_platform(write_platform(tmp_path, dev=environment(services=SHOP)))
    assert _services(shop.project, shop.environments["dev"], name) == services


def test_another_name_is_refused(tmp_path: Path) -> None:
    shop = read_platform(write_platform(tmp_path, dev=environment(services=SHOP)))
    with pytest.raises(UsageError, match=r"SERVICE=api is not a service of dev\. Use one of web, worker\."):
        _services(shop.project, shop.environments["dev"], "api")
