"""Publishing an image: what buildx is told, with a stand-in for docker that writes it down.

No Docker daemon is needed; that buildx makes what it is told to is Docker's own to prove.
"""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ops.local.embedded import Embedded
from tests.ops.conftest import ACCOUNT, REGION, Desk

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DIGEST = "sha256:" + "ab" * 32
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
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
    assert done.stdout == f"{REPOSITORY}@{DIGEST}\n"
    images = json.dumps({"web": f"{REPOSITORY}@{DIGEST}"})
    assert Path(docker["GITHUB_OUTPUT"]).read_text() == f"images={images}\ncommit={COMMIT}\n"
    login, build = calls(docker)[-2:]
    assert login == ["login", "--username", "AWS", "--password-stdin", REGISTRY]
    assert build[:3] == ["buildx", "build", "--cache-from=type=local,src=cache"]
    assert {
        "--push",
        "--provenance=mode=max",
        "--sbom=true",
        f"--tag={REPOSITORY}:{COMMIT}",
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
    assert done.stdout == f"{REPOSITORY}@{put['image']['imageId']['imageDigest']}\n"
    assert not any(call[0] in ("buildx", "login") for call in calls(docker))


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


def test_podman_cannot_publish_and_says_why(desk: Desk, embedded: Embedded, docker: dict[str, str]) -> None:
    executable = Path(docker["PATH"].partition(os.pathsep)[0], "docker")
    executable.write_text(DOCKER.replace("Docker version 28.0.0", "podman version 5.0.0"))
    other = "127.0.0.1:9/oaktree/web"
    done = publish(desk, embedded, docker, "--commit", COMMIT, "--repository", other)
    assert done.returncode == 1
    assert "podman makes no provenance" in done.stderr
