"""The outputs of an environment, from states in a real S3 of the embedded AWS."""

import json
from dataclasses import replace
from typing import Any

import pytest

from ops.local.embedded import Embedded
from tests.ops.conftest import ACCOUNT, REGION, Desk
from tests.ops.small_stacks import BUCKET

URL = "http://oaktree-dev-web.example.com"
KEY = "made up " + "for the test"


@pytest.fixture(scope="module")
def here(embedded: Embedded, desk: Desk) -> Desk:
    return replace(desk, environment=embedded.environment(ACCOUNT, REGION, desk.environment))


@pytest.fixture(scope="module")
def s3(embedded: Embedded) -> Any:
    return embedded.client("s3", REGION)


@pytest.fixture(scope="module")
def states(s3: Any) -> Any:
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    put(s3, "foundation", {"state_bucket": {"value": BUCKET, "type": "string"}})
    outputs = {
        "web_url": {"value": URL, "type": "string"},
        "key": {"value": KEY, "type": "string", "sensitive": True},
        "subnets": {"value": ["b", "a"], "type": ["list", "string"]},
    }
    put(s3, "dev-service", outputs)
    return s3


def put(s3: Any, stack: str, outputs: object) -> None:
    content = json.dumps({"version": 4, "outputs": outputs, "resources": []}).encode()
    s3.put_object(Bucket=BUCKET, Key=f"{stack}.tfstate", Body=content)


def test_without_a_state_bucket_nothing_is_deployed(here: Desk) -> None:
    done = here.run("outputs", "--env", "dev")
    assert done.returncode == 1
    assert (
        f"The state bucket {BUCKET} does not exist yet: nothing is deployed. `make bootstrap" in done.stderr
    )


@pytest.mark.usefixtures("states")
def test_every_stack_is_shown_and_nothing_sensitive(here: Desk) -> None:
    done = here.run("outputs", "--env", "dev")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "foundation",
        f"  state_bucket  {BUCKET}",
        "dev-network is not applied yet",
        "dev-data is not applied yet",
        "dev-service",
        "  key           (sensitive; NAME= prints it)",
        '  subnets       ["b", "a"]',
        f"  web_url       {URL}",
    ]


@pytest.mark.usefixtures("states")
@pytest.mark.parametrize(("name", "value"), [("web_url", URL), ("key", KEY), ("subnets", '["b", "a"]')])
def test_one_is_printed_bare_when_named(here: Desk, name: str, value: str) -> None:
    done = here.run("outputs", "--env", "dev", "--name", name)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{value}\n", "")


@pytest.mark.usefixtures("states")
def test_json_has_all_of_them_and_nothing_sensitive(here: Desk) -> None:
    done = here.run("outputs", "--env", "dev", "--json")
    assert json.loads(done.stdout) == {
        "foundation": {"state_bucket": {"value": BUCKET}},
        "dev-network": {},
        "dev-data": {},
        "dev-service": {
            "key": {"sensitive": True},
            "subnets": {"value": ["b", "a"]},
            "web_url": {"value": URL},
        },
    }


@pytest.mark.usefixtures("states")
def test_an_unknown_name_is_told_with_the_known_ones(here: Desk) -> None:
    done = here.run("outputs", "--env", "dev", "--name", "vpc")
    assert done.returncode == 2
    assert "NAME=vpc is not an output. Use one of key, state_bucket, subnets, web_url." in done.stderr
    assert here.run("outputs", "--env", "dev", "--name", "key", "--json").returncode == 2


@pytest.mark.parametrize(
    "content", [b"encrypted", b"[]", b'{"outputs": {"a": 1}}', b'{"outputs": null}', b"\xff"]
)
def test_what_is_no_state_is_told(here: Desk, states: Any, content: bytes) -> None:
    states.put_object(Bucket=BUCKET, Key="dev-network.tfstate", Body=content)
    done = here.run("outputs", "--env", "dev")
    states.delete_object(Bucket=BUCKET, Key="dev-network.tfstate")
    assert done.returncode == 1
    assert f"s3://{BUCKET}/dev-network.tfstate cannot be read as a Terraform state." in done.stderr
    assert "Traceback" not in done.stderr
