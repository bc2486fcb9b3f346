"""What an image is called, and what is refused before an engine is asked."""

from pathlib import Path

import pytest

from ops.commands.shared import service_of
from ops.core.errors import OpsError, UsageError
from ops.images.image import CONTENT, named
from stacks.reading import read_platform
from stacks.settings import Platform
from tests.stacks.platform_files import SERVICE, environment, write_platform

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def platform(directory: Path, services: str = SERVICE) -> Platform:
    return read_platform(write_platform(directory, dev=environment(services=services)))


@pytest.mark.parametrize("commit", [COMMIT, COMMIT[:7], "a" * 64, f"{COMMIT}-dirty"])
def test_the_tag_is_the_commit(tmp_path: Path, commit: str) -> None:
    assert named(platform(tmp_path).project, "web", commit).name == f"oaktree/web:{commit}"


@pytest.mark.parametrize(
    "wrong", ["latest", "main", COMMIT[:6], COMMIT.upper(), "a" * 65, f"{COMMIT}\n", " "]
)
def test_what_is_no_commit_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(UsageError, match=r"is not a commit's id: 7 to 64 hexadecimal digits"):
        named(platform(tmp_path).project, "web", wrong)


def test_without_a_commit_it_is_that_of_the_working_tree(tmp_path: Path) -> None:
    found = named(platform(tmp_path).project, "web", "")
    assert len(found.commit.removesuffix("-dirty")) == 40


def test_the_only_service_need_not_be_named(tmp_path: Path) -> None:
    assert service_of(platform(tmp_path), "") == "web"


def test_one_of_several_services_is_named(tmp_path: Path) -> None:
    two = platform(tmp_path, "[services.web]\nkind = 'status'\n[services.api]\nkind = 'status'\n")
    assert service_of(two, "api") == "api"
    with pytest.raises(OpsError, match=r"SERVICE is missing\. Use one of api, web\."):
        service_of(two, "")
    with pytest.raises(UsageError, match=r"SERVICE=worker is not a service\. Use one of api, web\."):
        service_of(two, "worker")


def test_what_an_image_is_made_of_is_what_its_build_sees() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    seen = {line[1:] for line in lines if line.startswith("!")}
    assert set(CONTENT) == seen | {".dockerignore", "docker/Dockerfile"}
