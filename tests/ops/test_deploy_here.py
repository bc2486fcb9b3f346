"""`deploy` on the checkout's own embedded AWS, where the app is run in ECS's stead.

The tests are one life of the small stacks, in the order they stand here.
"""

import json
import re
import urllib.request
from dataclasses import replace

import pytest

from ops.local.embedded import Embedded, find_embedded
from ops.local.processes import running
from tests.ops.conftest import ACCOUNT, REGION, Desk
from tests.ops.fake_app import fake_app
from webapp.contract import fingerprint

pytestmark = pytest.mark.e2e

APP = "app-dev-web"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def embedded_here(releasing: Desk) -> Embedded:
    """What `up` brings."""
    done = releasing.run("up")
    assert done.returncode == 0, done.stderr
    found = find_embedded(releasing.checkout.local)
    assert found
    return found


@pytest.fixture(scope="module")
def here(releasing: Desk, embedded_here: Embedded) -> Desk:
    """The desk in a shell that `local-env` points there."""
    return replace(releasing, environment=embedded_here.environment(ACCOUNT, REGION, releasing.environment))


def pushed(embedded: Embedded, commit: str) -> str:
    """An image in the registry, by digest."""
    layer = {"digest": f"sha256:{commit.rjust(64, '0')}"}
    put = embedded.client("ecr", REGION).put_image(
        repositoryName="oaktree/web",
        imageManifest=json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "layers": [layer]}),
        imageManifestMediaType=MANIFEST_TYPE,
        imageTag=commit,
    )
    return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/oaktree/web@{put['image']['imageId']['imageDigest']}"


def fingerprint_of(address: str) -> str:
    with urllib.request.urlopen(f"{address}/api/status", timeout=10) as answer:
        return str(json.load(answer)["fingerprint"])


def address_of(desk: Desk) -> str:
    return str(json.loads((desk.checkout.local / f"{APP}.json").read_text())["address"])


def test_a_release_is_deployed_and_the_app_is_it(here: Desk, embedded_here: Embedded) -> None:
    image = pushed(embedded_here, "abcdef2")
    before = running(APP, here.checkout.local)
    done = here.run("deploy", "--env", "dev", "--image", image)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^\+ app web +\d+ s  started at http://127\.0\.0\.1:\d+$", done.stdout, re.MULTILINE)
    assert "dev: web runs abcdef2 (sha256:" in done.stdout
    assert running(APP, here.checkout.local) != before
    assert fingerprint_of(address_of(here)) == fingerprint(image.partition("@")[2], "abcdef2")


def test_deploying_it_again_restarts_nothing(here: Desk) -> None:
    before = running(APP, here.checkout.local)
    done = here.run("deploy", "--env", "dev")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing to change" in done.stdout
    assert running(APP, here.checkout.local) == before


def test_the_smoke_test_finds_the_app(here: Desk) -> None:
    done = here.run("smoke", "--env", "dev")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{address_of(here)} answers as abcdef2 (sha256:" in done.stdout


def test_a_release_whose_smoke_test_fails_is_undone(here: Desk, embedded_here: Embedded) -> None:
    before = fingerprint_of(address_of(here))
    image = pushed(embedded_here, "abcdef3")
    with fake_app() as other:
        other.be("sha256:" + "f" * 64, "fffffff")
        arguments = ("--image", image, "--address", other.address, "--timeout", "0.01")
        done = here.run("deploy", "--env", "dev", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("dev: the release failed and was undone: web runs abcdef2 (")
    assert fingerprint_of(address_of(here)) == before


def test_the_smoke_test_says_that_nothing_was_started(here: Desk) -> None:
    record = here.checkout.local / f"{APP}.json"
    aside = record.with_suffix(".aside")
    record.rename(aside)
    done = here.run("smoke", "--env", "dev")
    aside.rename(record)
    assert done.returncode == 1
    assert "The app of web was not started here; `make deploy` starts it." in done.stderr
