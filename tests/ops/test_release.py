"""Release records, in a real SSM and a real ECR of the embedded AWS."""

import json
import os
import pwd
import re
from typing import Any

import pytest

from ops.embedded import Embedded
from ops.errors import OpsError, UsageError
from ops.firsts import put_image, put_secret
from ops.release import Releases, user_name
from stacks.reading import read_platform
from stacks.settings import Platform, SecretReference
from tests.ops.conftest import ACCOUNT, REGION, Desk

COMMIT = "abcdef0"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/oaktree/web"
PARAMETER = "/oaktree/dev/releases/web"


@pytest.fixture(scope="module")
def platform(desk: Desk) -> Platform:
    return read_platform(desk.checkout.environments)


@pytest.fixture(scope="module")
def ssm(embedded: Embedded) -> Any:
    return embedded.client("ssm", REGION)


@pytest.fixture(scope="module")
def image(embedded: Embedded, platform: Platform) -> str:
    ecr = embedded.client("ecr", REGION)
    ecr.create_repository(repositoryName="oaktree/web")
    return put_image(ecr, platform.project, "web")


@pytest.fixture(scope="module")
def releases(embedded: Embedded, platform: Platform, ssm: Any) -> Releases:
    return Releases(platform.project, platform.environments["dev"], ssm, embedded.client("ecr", REGION))


def test_a_release_is_recorded_once_and_keeps_its_history(releases: Releases, image: str, ssm: Any) -> None:
    assert releases.current("web") is None
    assert releases.record("web", image, COMMIT) is True
    assert releases.record("web", image, COMMIT) is False
    assert releases.record("web", image, "abcdef1") is True
    history = ssm.get_parameter_history(Name=PARAMETER)["Parameters"]
    assert [version["Type"] for version in history] == ["String", "String"]
    records = [json.loads(version["Value"]) for version in history]
    assert [(record["image"], record["commit"]) for record in records] == [
        (image, COMMIT),
        (image, "abcdef1"),
    ]
    assert records[0]["by"] == user_name(os.getuid())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", records[0]["at"])
    current = releases.current("web")
    assert current
    assert vars(current) == records[1]


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "web",
        f"{REPOSITORY}:latest",
        f"{REPOSITORY}@sha256:abc",
        f"{REPOSITORY}@sha256:{'A' * 64}",
        f"{REPOSITORY}@sha256:{'a' * 64} ",
        f"docker.io/oaktree/web@sha256:{'a' * 64}",
        f"{REPOSITORY}2@sha256:{'a' * 64}",
    ],
)
def test_another_image_than_one_of_the_service_by_digest_is_refused(releases: Releases, wrong: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"IMAGE={wrong} is not an image of this service")):
        releases.record("web", wrong, COMMIT)


def test_an_image_that_the_registry_does_not_have_is_refused(releases: Releases) -> None:
    before = releases.current("web")
    with pytest.raises(OpsError, match=r"has no image sha256:a+ in oaktree/web\. Push the image first"):
        releases.record("web", f"{REPOSITORY}@sha256:{'a' * 64}", COMMIT)
    assert releases.current("web") == before


def test_an_image_that_will_expire_is_refused(releases: Releases, image: str) -> None:
    manifest = {"schemaVersion": 2, "layers": [{"digest": "sha256:" + "b" * 64}]}
    digest = releases.ecr.put_image(
        repositoryName="oaktree/web",
        imageManifest=json.dumps(manifest),
        imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
    )["image"]["imageId"]["imageDigest"]
    assert image != f"{REPOSITORY}@{digest}"
    before = releases.current("web")
    with pytest.raises(OpsError, match="has no tag, and the registry deletes an image without one 14 days"):
        releases.record("web", f"{REPOSITORY}@{digest}", COMMIT)
    assert releases.current("web") == before
    releases.ecr.put_image(
        repositoryName="oaktree/web",
        imageManifest=json.dumps(manifest),
        imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
        imageTag=COMMIT,
    )
    assert releases.record("web", f"{REPOSITORY}@{digest}", COMMIT) is True


def test_a_user_without_a_name_is_called_by_number() -> None:
    named = {user.pw_uid: user.pw_name for user in pwd.getpwall()}
    nameless = next(uid for uid in range(54321, 60000) if uid not in named)
    assert user_name(nameless) == str(nameless)
    assert user_name(0) == named[0]


def test_an_unknown_service_is_refused(releases: Releases, image: str) -> None:
    with pytest.raises(UsageError, match="SERVICE=api is no service of dev: known are web"):
        releases.record("api", image, COMMIT)


@pytest.mark.parametrize("wrong", ["", "main", "abcdef", "ABCDEF0"])
def test_what_is_no_commit_is_refused(releases: Releases, image: str, wrong: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"COMMIT={wrong} is not a commit's id")):
        releases.record("web", image, wrong)


def test_a_record_that_cannot_be_read_is_replaced(releases: Releases, image: str, ssm: Any) -> None:
    ssm.put_parameter(Name=PARAMETER, Value="not JSON", Type="String", Overwrite=True)
    assert releases.current("web") is None
    assert releases.record("web", image, COMMIT) is True


def test_the_command_refuses_credentials_of_another_account(desk: Desk, embedded: Embedded) -> None:
    variables = embedded.environment("222222222222", REGION, desk.environment)
    elsewhere = Desk(desk.checkout, variables)
    done = elsewhere.run(
        "release",
        "--env",
        "dev",
        "--service",
        "web",
        "--image",
        f"{REPOSITORY}@sha256:{'a' * 64}",
        "--commit",
        COMMIT,
    )
    assert done.returncode == 1
    assert f"those of account 222222222222; this belongs to account {ACCOUNT}" in done.stderr


@pytest.mark.parametrize("store", ["ssm", "secretsmanager"])
def test_a_secret_that_is_there_is_kept(
    embedded: Embedded, tmp_path_factory: pytest.TempPathFactory, store: Any
) -> None:
    token = tmp_path_factory.mktemp("secret") / "write-token"
    reference = SecretReference(store=store, name="/kept" if store == "ssm" else "kept")
    client = embedded.client(store, REGION)
    assert put_secret(client, "SOMETHING", reference, token) is True
    assert put_secret(client, "SOMETHING", reference, token) is False
    assert not token.exists()
