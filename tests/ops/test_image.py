"""What an image is called, and what is refused before an engine is asked."""

from pathlib import Path

import pytest

from ops.commands.shared import service_of
from ops.core.errors import OpsError, UsageError
from ops.images.content import is_ignored, read_ignore
from ops.images.image import named
from ops.images.sources import Source, chosen, sources
from stacks.reading import read_platform
from stacks.settings import Platform
from tests.stacks.platform_files import SERVICE, environment, write_platform

ROOT = Path(__file__).parents[2]
WEB = Source("web")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def platform(directory: Path, services: str = SERVICE) -> Platform:
    return read_platform(write_platform(directory, dev=environment(services=services)))


@pytest.mark.parametrize("commit", [COMMIT, COMMIT[:7], "a" * 64, f"{COMMIT}-dirty"])
def test_the_tag_is_the_commit(tmp_path: Path, commit: str) -> None:
    assert named(platform(tmp_path).project, WEB, commit).name == f"oaktree/web:{commit}"


@pytest.mark.parametrize(
    "wrong", ["latest", "main", COMMIT[:6], COMMIT.upper(), "a" * 65, f"{COMMIT}\n", " "]
)
def test_what_is_no_commit_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(UsageError, match=r"is not a commit's id: 7 to 64 hexadecimal digits"):
        named(platform(tmp_path).project, WEB, wrong)


def test_without_a_commit_it_is_that_of_the_working_tree(tmp_path: Path) -> None:
    found = named(platform(tmp_path).project, WEB, "")
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
    ignore = read_ignore(ROOT, WEB)
    assert not any(is_ignored(path, ignore) for path in ("webapp/contract.py", "requirements/app.txt"))
    seen_by_nobody = ("ops/setup.py", "requirements/dev.txt", "webapp/__pycache__/a.pyc", ".venv/bin/python")
    assert all(is_ignored(path, ignore) for path in seen_by_nobody)


def test_there_is_an_image_for_each_service_of_any_environment(tmp_path: Path) -> None:
    other = environment(
        network='network = { cidr = "10.20.0.0/16" }\n',
        services='[services.api]\narchitecture = "arm64"\n',
    )
    both = read_platform(write_platform(tmp_path, dev=environment(), prod=other))
    found = sources(both.environments.values())
    assert [(source.name, source.platform) for source in found] == [
        ("api", "linux/arm64"),
        ("web", "linux/amd64"),
    ]
    assert chosen(found, "") == found
    assert [source.name for source in chosen(found, "web")] == ["web"]
    with pytest.raises(
        UsageError, match=r"SERVICE=worker is not a service with an image\. Use one of api, web"
    ):
        chosen(found, "worker")
