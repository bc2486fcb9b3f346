"""Which task definitions `make destroy` deregisters."""

from pathlib import Path

from ops.terraform.provision import families
from stacks.reading import read_platform
from tests.stacks.platform_files import environment, write_platform

SERVICES = """
[services.web]
dockerfile = "shop/Dockerfile"
before_deploy = ["migrate"]

[services.worker]
kind = "worker"
same_image_as = "web"
command = ["work"]
"""


def test_those_of_every_service_and_of_before_deploy(tmp_path: Path) -> None:
    platform = read_platform(write_platform(tmp_path, dev=environment(services=SERVICES)))
    assert list(families(platform, platform.environments["dev"])) == [
        "oaktree-dev-web",
        "oaktree-dev-web-before-deploy",
        "oaktree-dev-worker",
    ]
