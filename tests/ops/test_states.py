"""What the state bucket tells, from a real S3 of the embedded AWS."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.github.oidc_provider import manages_oidc_provider
from ops.local.embedded import Embedded
from ops.terraform.states import StateBucket
from tests.ops.conftest import REGION


@pytest.fixture(scope="module")
def states(embedded: Embedded) -> StateBucket:
    s3 = embedded.client("s3", REGION)
    s3.create_bucket(Bucket="states", CreateBucketConfiguration={"LocationConstraint": REGION})
    return StateBucket(s3, "states")


def put(states: StateBucket, type: str, *instances: Any, mode: str = "managed") -> None:
    resource = {
        "mode": mode,
        "type": type,
        "name": "it",
        "instances": [{"attributes": attributes} for attributes in instances],
    }
    content = json.dumps({"version": 4, "resources": [resource]}).encode()
    states.s3.put_object(Bucket=states.name, Key="dev-service.tfstate", Body=content)


@pytest.mark.parametrize(
    ("type", "attribute", "protecting"),
    [
        ("aws_db_instance", "deletion_protection", True),
        ("aws_dynamodb_table", "deletion_protection_enabled", True),
        ("aws_ecr_repository", "force_delete", False),
        ("aws_lb", "enable_deletion_protection", True),
        ("aws_s3_bucket", "force_destroy", False),
    ],
)
def test_what_is_protected_is_named(states: StateBucket, type: str, attribute: str, protecting: bool) -> None:
    put(states, type, {attribute: not protecting}, {attribute: protecting})
    told = f"{type}.it has {attribute} = {str(protecting).lower()}"
    assert states.protections("dev-service") == (told,)


def test_nothing_else_counts_as_protected(states: StateBucket) -> None:
    put(states, "aws_s3_bucket", {"force_destroy": True}, {"force_destroy": None}, {})
    assert states.protections("dev-service") == ()
    put(states, "aws_s3_bucket", {"force_destroy": False}, mode="data")
    assert states.protections("dev-service") == ()
    put(states, "aws_s3_bucket")
    assert states.protections("dev-service") == ()
    assert states.protections("prod-service") == ()


def test_an_oidc_provider_is_managed_if_a_state_in_the_bucket_or_on_disk_has_it(
    states: StateBucket, tmp_path: Path
) -> None:
    kind, begun = "aws_iam_openid_connect_provider", tmp_path / "terraform.tfstate"
    put(states, kind, {})
    assert manages_oidc_provider(states, "dev-service", begun)
    put(states, kind)
    assert not manages_oidc_provider(states, "dev-service", begun)
    begun.write_text(json.dumps({"resources": [{"mode": "managed", "type": kind, "instances": [{}]}]}))
    assert manages_oidc_provider(states, "dev-service", begun)
    put(states, kind, {}, mode="data")
    begun.unlink()
    assert not manages_oidc_provider(states, "dev-service", begun)
    assert not manages_oidc_provider(StateBucket(states.s3, "none"), "dev-service", begun)
