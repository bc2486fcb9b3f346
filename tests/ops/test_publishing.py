"""Publishing an image: what buildx is told, with a stand-in for docker that writes it down.

No Docker daemon is needed; that buildx makes what it is told to is Docker's own to prove.
"""

import json
import os
import subprocess
from dataclasses import replace
from inspect import unwrap
from pathlib import Path

import pytest

from ops.commands.images import image_publish
from ops.core.checkout import SOURCE
from ops.images.content import content_tag
from ops.local.embedded import Embedded
from stacks.images import STATUS_DOCKERFILE, Image
from tests.ops.conftest import ACCOUNT, REGION, Desk
from tests.stacks.platform_files import environment, write_platform

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "sha256:" + "ab" * 32
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
WEB = Image("web", STATUS_DOCKERFILE)
REPOSITORY = f"{REGISTRY}/oaktree/web"

DOCKER = """#!/usr/bin/env python3
import json, os, sys
arguments = sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    print(json.dumps(arguments), file=calls)
if arguments == ["--version"]:
    print("Docker version 28.0.0")
if arguments[:2] == ["buildx", "build"]:
    print("building")
    (file,) = [a.partition("=")[2] for a in arguments if a.startswith("--metadata-file=")]
    with open(file, "w") as metadata:
        json.dump({"containerimage.digest": os.environ["DIGEST"]}, metadata)
    sys.exit(int(os.environ.get("STATUS", "0")))
"""


@pytest.fixture
def docker(tmp_path: Path) -> dict[str, str]:
    """Variables with which `docker` is the stand-in."""
    executable = tmp_path / "bin/docker"
    executable.parent.mkdir()
    executable.write_text(DOCKER)
    executable.chmod(0o755)
    return {
        "PATH": f"{executable.parent}{os.pathsep}{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
        "DIGEST": DIGEST,
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "SOURCE_DATE_EPOCH": "1700000000",
    }


def publish(
    desk: Desk, embedded: Embedded, docker: dict[str, str], *arguments: str
) -> "subprocess.CompletedProcess[str]":
    variables = {**embedded.environment(ACCOUNT, REGION, desk.environment), **docker}
    return replace(desk, environment=variables).run("image-publish", *arguments)


def calls(docker: dict[str, str]) -> list[list[str]]:
    return [json.loads(line) for line in Path(docker["CALLS"]).read_text().splitlines()]


def test_an_image_is_built_and_pushed_with_what_attests_it(
    desk: Desk, embedded: Embedded, docker: dict[str, str]
) -> None:
    ecr = embedded.client("ecr", REGION)
    ecr.create_repository(repositoryName="oaktree/web")
    docker["IMAGE_BUILD_FLAGS"] = "--cache-from=type=local,src=cache"
    done = publish(desk, embedded, docker, "--commit", COMMIT)
    assert done.returncode == 0, done.stderr
    images = json.dumps({"web": f"{REPOSITORY}@{DIGEST}"})
    assert done.stdout == f"{images}\n"
    assert Path(docker["GITHUB_OUTPUT"]).read_text() == f"images={images}\ncommit={COMMIT}\n"
    login, build = calls(docker)[-2:]
    assert login == ["login", "--username", "AWS", "--password-stdin", REGISTRY]
    assert build[:4] == ["buildx", "build", "--cache-from=type=local,src=cache", "--platform=linux/amd64"]
    assert not any("type=gha" in argument for argument in build)
    assert {
        "--push",
        "--provenance=mode=max",
        "--sbom=true",
        f"--tag={REPOSITORY}:{COMMIT}",
        f"--tag={REPOSITORY}:{content_tag(SOURCE, WEB)}",
        f"--label=org.opencontainers.image.revision={COMMIT}",
    } < set(build)


def test_a_commit_that_is_in_the_registry_is_not_built_again(
    desk: Desk, embedded: Embedded, docker: dict[str, str]
) -> None:
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"digest": DIGEST, "size": 2},
        "layers": [],
    }
    put = embedded.client("ecr", REGION).put_image(
        repositoryName="oaktree/web", imageManifest=json.dumps(manifest), imageTag=COMMIT
    )
    done = publish(desk, embedded, docker, "--commit", COMMIT)
    assert done.returncode == 0, done.stderr
    digest = put["image"]["imageId"]["imageDigest"]
    assert json.loads(done.stdout) == {"web": f"{REPOSITORY}@{digest}"}
    assert not any(call[0] in ("buildx", "login") for call in calls(docker))


def test_the_same_content_is_neither_built_again_nor_tagged_once_more(
    desk: Desk, embedded: Embedded, docker: dict[str, str]
) -> None:
    ecr = embedded.client("ecr", REGION)
    layer = {"digest": f"sha256:{'c' * 64}"}
    tag = content_tag(SOURCE, WEB)
    put = ecr.put_image(
        repositoryName="oaktree/web",
        imageManifest=json.dumps({"schemaVersion": 2, "layers": [layer]}),
        imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
        imageTag=tag,
    )
    digest = put["image"]["imageId"]["imageDigest"]
    for commit in ("a" * 40, "b" * 40):
        done = publish(desk, embedded, docker, "--commit", commit)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"web": f"{REPOSITORY}@{digest}"}
    (found,) = ecr.describe_images(repositoryName="oaktree/web", imageIds=[{"imageDigest": digest}])[
        "imageDetails"
    ]
    assert found["imageTags"] == [tag]
    assert not any(call[0] in ("buildx", "login") for call in calls(docker))
    ecr.batch_delete_image(repositoryName="oaktree/web", imageIds=[{"imageTag": tag}])


def test_every_image_is_published_with_its_own_cache(
    desk: Desk, embedded: Embedded, docker: dict[str, str]
) -> None:
    own = desk.checkout.environments / "dev.toml"
    before = own.read_text()
    other = 'dockerfile = "docker/Dockerfile"\ncontext = "."\npath = "/api"\narchitecture = "arm64"\n'
    own.write_text(f"{before}\n[services.api]\n{other}")
    embedded.client("ecr", REGION).create_repository(repositoryName="oaktree/api")
    docker["ACTIONS_RUNTIME_TOKEN"] = "a-token"
    try:
        done = publish(desk, embedded, docker, "--commit", "d" * 40)
    finally:
        own.write_text(before)
    assert done.returncode == 0, done.stderr
    api = REPOSITORY.replace("/web", "/api")
    assert json.loads(done.stdout) == {"api": f"{api}@{DIGEST}", "web": f"{REPOSITORY}@{DIGEST}"}
    builds = [call for call in calls(docker) if call[0] == "buildx"]
    for build, name, platform in zip(builds, ("api", "web"), ("arm64", "amd64"), strict=True):
        place = f"type=gha,scope=image-{name}"
        assert {
            f"--cache-from={place}",
            f"--cache-to={place},mode=max,ignore-error=true",
            f"--platform=linux/{platform}",
        } < set(build)
    assert not any("a-token" in argument for build in builds for argument in build)


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"STATUS": "1"}, "`docker buildx build` failed with status 1. It says why above."),
        ({"DIGEST": ""}, "did not say its digest"),
    ],
)
def test_a_build_that_fails_publishes_nothing(
    desk: Desk, embedded: Embedded, docker: dict[str, str], variables: dict[str, str], told: str
) -> None:
    other = "127.0.0.1:9/oaktree/web"
    done = publish(desk, embedded, {**docker, **variables}, "--commit", COMMIT, "--repository", other)
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
    assert not Path(docker["GITHUB_OUTPUT"]).exists()


def test_settings_of_third_party_images_publish_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = f'[services.proxy]\nimage = "example.com/proxy@{DIGEST}"\n'
    write_platform(tmp_path / "environments", dev=environment(services=service))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    unwrap(image_publish)(commit=COMMIT, directory=tmp_path)
    told = capsys.readouterr()
    assert (told.out, told.err) == (
        "{}\n",
        "Nothing to publish: the settings have third-party images only.\n",
    )
    assert (tmp_path / "output").read_text() == f"images={{}}\ncommit={COMMIT}\n"


def test_podman_cannot_publish_and_says_why(desk: Desk, embedded: Embedded, docker: dict[str, str]) -> None:
    executable = Path(docker["PATH"].partition(os.pathsep)[0], "docker")
    executable.write_text(DOCKER.replace("Docker version 28.0.0", "podman version 5.0.0"))
    other = "127.0.0.1:9/oaktree/web"
    done = publish(desk, embedded, docker, "--commit", COMMIT, "--repository", other)
    assert done.returncode == 1
    assert "podman makes no provenance" in done.stderr
