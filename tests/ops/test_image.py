"""What an image is called and built from, and what is refused before an engine is asked."""

import subprocess
from pathlib import Path

import pytest

from ops.commands.shared import image_in, source_of
from ops.core.errors import OpsError, UsageError
from ops.images import engine as engines
from ops.images import image as images
from ops.images.content import is_ignored, read_ignore
from ops.images.engine import Engine
from ops.images.engine import Image as Built
from ops.images.image import build, named
from stacks.images import Image
from stacks.reading import read_platform
from stacks.settings import Platform
from tests.stacks.platform_files import SERVICE, environment, write_platform

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
STATUS = Image("web", "docker/Dockerfile", ".", None, {}, "x86_64")
SHOP = """
[services.web]
dockerfile = "shop/Dockerfile"
target     = "final"
build_args = { NODE = "22", FLAVOUR = "plain" }
sidecars   = { nginx = { dockerfile = "shop/nginx/Dockerfile", port = 80 } }
target_container = "nginx"

[services.worker]
kind          = "worker"
same_image_as = "web"
command       = ["work"]

[services.proxy]
image = "public.ecr.aws/nginx/nginx@sha256:%s"
path  = "/proxy"
""" % ("a" * 64)


def platform(directory: Path, services: str = SERVICE) -> Platform:
    return read_platform(write_platform(directory, dev=environment(services=services)))


@pytest.mark.parametrize("commit", [COMMIT, COMMIT[:7], "a" * 64, f"{COMMIT}-dirty"])
def test_the_tag_is_the_commit(tmp_path: Path, commit: str) -> None:
    assert named(platform(tmp_path).project, STATUS, commit).name == f"oaktree/web:{commit}"


@pytest.mark.parametrize(
    "wrong", ["latest", "main", COMMIT[:6], COMMIT.upper(), "a" * 65, f"{COMMIT}\n", " "]
)
def test_what_is_no_commit_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(UsageError, match=r"is not a commit's id: 7 to 64 hexadecimal digits"):
        named(platform(tmp_path).project, STATUS, wrong)


def test_without_a_commit_it_is_that_of_the_working_tree(tmp_path: Path) -> None:
    found = named(platform(tmp_path).project, STATUS, "")
    assert len(found.commit.removesuffix("-dirty")) == 40


def test_the_only_image_need_not_be_named(tmp_path: Path) -> None:
    assert source_of(platform(tmp_path), "").name == "web"


def test_one_of_several_images_is_named_and_a_sidecar_has_its_own(tmp_path: Path) -> None:
    shop = platform(tmp_path, SHOP)
    assert source_of(shop, "web").dockerfile == "shop/Dockerfile"
    assert source_of(shop, "web.nginx").context == "shop/nginx"
    assert image_in(shop.project, shop.environments["dev"], "web.nginx") == "web.nginx"
    with pytest.raises(OpsError, match=r"SERVICE is missing\. Use one of web, web\.nginx\."):
        source_of(shop, "")
    with pytest.raises(UsageError, match=r"SERVICE=api is not the name of an image\. Use one of web, web\.n"):
        source_of(shop, "api")


def test_what_an_image_is_made_of_is_what_its_build_sees() -> None:
    ignore = read_ignore(ROOT, STATUS)
    assert not any(is_ignored(path, ignore) for path in ("webapp/contract.py", "requirements/app.txt"))
    seen_by_nobody = ("ops/setup.py", "requirements/dev.txt", "webapp/__pycache__/a.pyc", ".venv/bin/python")
    assert all(is_ignored(path, ignore) for path in seen_by_nobody)


def test_a_service_that_runs_another_ones_image_names_the_owner(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"worker runs the image of web: SERVICE=web\."):
        source_of(platform(tmp_path, SHOP), "worker")


def test_a_third_party_image_is_not_built(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"proxy runs a third-party image, public.ecr.aws/nginx/nginx@sha256:a"
    ):
        source_of(platform(tmp_path, SHOP), "proxy")


def test_a_change_in_the_context_or_the_dockerfile_makes_a_tree_dirty_and_no_other_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    for name in ("shop/app.py", "docker/shop.Dockerfile", "README.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("first")
    committed = ("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "first")
    for arguments in (("init", "-q"), ("add", "."), committed):
        subprocess.run(("git", *arguments), cwd=root, check=True)
    monkeypatch.setattr(images, "SOURCE", root)
    project = platform(tmp_path).project
    source = Image("web", "docker/shop.Dockerfile", "shop", None, {}, "x86_64")
    for name, dirty in (("README.md", False), ("docker/shop.Dockerfile", True), ("shop/app.py", True)):
        (root / name).write_text("second")
        assert named(project, source, "").commit.endswith("-dirty") is dirty, name
        (root / name).write_text("first")


def test_a_build_gets_target_arguments_and_the_platform_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/Dockerfile").touch()
    program, calls = tmp_path / "docker", tmp_path / "calls"
    inspected = '[{"Id": "sha256:1", "Size": 1, "RootFS": {"Layers": []}, "Config": {"User": "0:0"}}]'
    program.write_text(f"#!/bin/sh\necho \"$@\" >> '{calls}'\n[ $1 = build ] || echo '{inspected}'\n")
    program.chmod(0o755)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1"\n')
    monkeypatch.setattr(images, "SOURCE", tmp_path)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    arm = SHOP
    for line in ('target     = "final"', 'command       = ["work"]'):
        arm = arm.replace(line, f"{line}\narchitecture = 'arm64'")
    settings = platform(tmp_path / "settings", arm)
    source = source_of(settings, "web")
    built = build(Engine("docker", str(program)), settings.project, named(settings.project, source, COMMIT))
    (call, *_) = calls.read_text().splitlines()
    assert "--platform=linux/arm64 --target=final --build-arg=FLAVOUR=plain --build-arg=NODE=22" in call
    assert call.endswith(f"--file={tmp_path}/shop/Dockerfile {tmp_path}/shop")
    assert built.runs_as_root


@pytest.mark.parametrize(
    ("user", "root"), [("", True), ("0", True), ("root:root", True), ("10001:10001", False), ("node", False)]
)
def test_an_image_without_a_user_runs_as_root(user: str, root: bool) -> None:
    assert Built("1", 1, (), {}, user).runs_as_root is root


def test_a_dockerfile_that_is_not_there_is_said_with_its_key(tmp_path: Path) -> None:
    settings = platform(tmp_path, SHOP)
    wanted = named(settings.project, source_of(settings, "web"), COMMIT)
    with pytest.raises(
        UsageError, match=r"services\.web\.dockerfile = 'shop/Dockerfile': .* has no such file"
    ):
        build(Engine("docker", "/nonexistent"), settings.project, wanted)


def test_an_image_that_is_there_is_not_pulled(tmp_path: Path) -> None:
    program, calls = tmp_path / "docker", tmp_path / "calls"
    program.write_text(f'#!/bin/sh\necho "$@" >> \'{calls}\'\n[ -z "$MISSING" ] || [ $1 = pull ]\n')
    program.chmod(0o755)
    engine = engines.Engine("docker", str(program))
    engine.pull("nginx@sha256:1")
    assert calls.read_text() == "image inspect nginx@sha256:1\n"
