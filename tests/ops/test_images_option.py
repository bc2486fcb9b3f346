"""`IMAGES=`: the images of several services, as JSON or in a file."""

import json
from pathlib import Path

import pytest

from ops.commands.shared import images_in
from ops.core.errors import UsageError
from stacks.reading import read_platform
from stacks.settings import Platform
from tests.ops.conftest import Desk
from tests.stacks.platform_files import environment, write_platform

IMAGE = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/oaktree/web@sha256:" + "a" * 64


SERVICES = """
[services.web]
dockerfile = "web/Dockerfile"
[services.api]
dockerfile = "api/Dockerfile"
path = "/api"
[services.proxy]
image = "example.com/proxy@sha256:{digest}"
path = "/proxy"
""".format(digest="b" * 64)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return read_platform(write_platform(tmp_path, dev=environment(services=SERVICES)))


def images_of(platform: Platform, images: str) -> dict[str, str]:
    return images_in(platform.project, platform.environments["dev"], images)


def test_it_is_json_or_a_file_with_that(platform: Platform, tmp_path: Path) -> None:
    text = json.dumps({"web": IMAGE})
    (tmp_path / "images.json").write_text(text)
    assert images_of(platform, text) == images_of(platform, str(tmp_path / "images.json")) == {"web": IMAGE}


def test_images_that_the_environment_lacks_are_left_out(platform: Platform) -> None:
    assert images_of(platform, json.dumps({"web": IMAGE, "admin": IMAGE})) == {"web": IMAGE}


def test_an_environment_of_third_party_images_takes_none(tmp_path: Path) -> None:
    proxy = SERVICES[SERVICES.index("[services.proxy]") :].replace('path = "/proxy"', "")
    platform = read_platform(write_platform(tmp_path, dev=environment(services=proxy)))
    assert images_of(platform, "{}") == images_of(platform, json.dumps({"web": IMAGE})) == {}


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (
            "nowhere.json",
            "IMAGES=nowhere.json is neither JSON of the form .* nor a file with that: No such file",
        ),
        ("{", r"IMAGES=\{ is not JSON of the form"),
        ('{"web": 1}', "does not have the form"),
        ("{}", r"has no image of dev: api, web\.$"),
        ('{"admin": "x"}', r"has no image of dev: api, web\.$"),
        ('{"proxy": "x"}', r"has no image of dev: api, web\.$"),
    ],
)
def test_what_it_is_not_is_told(platform: Platform, images: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        images_of(platform, images)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("deploy", "--image", IMAGE), "IMAGE= and IMAGES= are both given. Use one of them."),
        (("review",), "COMMIT is missing: IMAGES= plans images of one commit."),
        (("review", "--commit", "main"), "COMMIT=main is not a commit's id"),
        (("deploy", "--service", "api"), "SERVICE=api is not a service of dev"),
    ],
)
def test_what_does_not_go_with_it_is_refused(desk: Desk, arguments: tuple[str, ...], told: str) -> None:
    done = desk.run(*arguments, "--env", "dev", "--images", json.dumps({"web": IMAGE}))
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
