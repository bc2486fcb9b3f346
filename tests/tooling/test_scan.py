"""What `make scan` gives to checkov, and what it makes of the answer."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.review.recording import PLANS, Checkouts
from tests.review.stories import STORIES
from tests.scan import checkov
from tests.scan.accepted import Accepted, Failure, judge, read_accepted
from tests.scan.plans import plan_of

HTTP = Failure(
    "CKV_AWS_2", "dev-service", "aws_lb_listener.web_http", "tests", "Ensure ALB protocol is HTTPS"
)


def test_the_reasons_have_a_form() -> None:
    accepted = read_accepted()
    assert len({each.check for each in accepted}) == len(accepted)
    for each in accepted:
        assert re.fullmatch(r"CKV2?_AWS_\d+", each.check)
        assert len(each.reason) > 20, each.check
        assert each.resources, each.check
        assert all(re.fullmatch(r"[\w*-]+/aws_\w+\.[\w*]+", pattern) for pattern in each.resources), (
            each.check
        )


def test_a_failed_check_without_a_reason_is_told() -> None:
    other = Accepted("CKV_AWS_2", ("prod-*/*",), "another stack")
    told, stale = judge([HTTP], [other])
    assert told == (
        "CKV_AWS_2 fails for dev-service/aws_lb_listener.web_http (tests): Ensure ALB protocol is HTTPS. "
        "Fix it, or give the reason in tests/scan/accepted.toml."
    )
    assert stale == "tests/scan/accepted.toml: CKV_AWS_2 does not fail for prod-*/*. Remove it."
    assert list(judge([HTTP], [Accepted("CKV_AWS_2", ("*-service/aws_lb_listener.*",), "no domain")])) == []


def test_every_pattern_of_a_reason_needs_a_failed_check() -> None:
    accepted = [Accepted("CKV_AWS_2", ("*-service/aws_lb_listener.*", "*-service/aws_lb.*"), "no domain")]
    assert list(judge([HTTP], accepted)) == [
        "tests/scan/accepted.toml: CKV_AWS_2 does not fail for *-service/aws_lb.*. Remove it."
    ]


def test_a_plan_has_known_values_nested_blocks_and_references() -> None:
    block = {
        "//": {"metadata": {}},
        "bucket": "${aws_s3_bucket.logs.id}",
        "force_destroy": False,
        "lifecycle": {"prevent_destroy": True},
        "policy": '{"Resource": "${aws_s3_bucket.logs.arn}"}',
        "rule": [{"id": "expiry", "expiration": {"days": 30}}],
        "tags": {"Name": "logs"},
    }
    plan = plan_of({"resource": {"aws_s3_bucket_policy": {"policy": block}}})
    (resource,) = plan["planned_values"]["root_module"]["resources"]
    assert resource["address"] == "aws_s3_bucket_policy.policy"
    assert resource["values"] == {
        "force_destroy": False,
        "policy": block["policy"],
        "rule": [{"id": "expiry", "expiration": [{"days": 30}]}],
        "tags": {"Name": "logs"},
    }
    (configured,) = plan["configuration"]["root_module"]["resources"]
    assert configured["expressions"]["bucket"] == {
        "references": ["aws_s3_bucket.logs.id", "aws_s3_bucket.logs"]
    }


def test_terraforms_own_plan_has_the_values_that_are_scanned(tmp_path: Path) -> None:
    """Of the plan that was recorded as a whole: nothing is scanned in another form than Terraform's."""
    (story,) = [name for name, story in STORIES.items() if story.whole]
    file = PLANS / story / "dev-service.json"
    recorded = json.loads(file.read_text())["planned_values"]["root_module"]["resources"]
    planned = {f"{each['type']}.{each['name']}": each["values"] for each in recorded}
    scanned = plan_of(Checkouts(tmp_path).configuration((), "dev-service"))
    compared = 0
    for each in scanned["planned_values"]["root_module"]["resources"]:
        for key, value in each["values"].items():
            if each["address"] in planned and "${" not in str(value):
                assert holds(planned[each["address"]][key], value), (each["address"], key)
                compared += 1
    assert compared > 100


def holds(planned: Any, value: Any) -> bool:
    """Whether a planned value has all of a scanned one; Terraform orders sets, and adds what is optional."""
    if isinstance(value, dict):
        return all(key in planned and holds(planned[key], part) for key, part in value.items())
    if isinstance(value, list):
        return len(planned) == len(value) and all(
            any(holds(candidate, part) for candidate in planned) for part in value
        )
    if isinstance(value, str) and value.startswith(("{", "[")):
        return bool(json.loads(planned) == json.loads(value))
    return bool(planned == value)


@pytest.mark.parametrize("stdout", ["", "[]", '{"passed": 0, "resource_count": 0}'])
def test_a_scan_that_did_not_happen_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stdout: str
) -> None:
    monkeypatch.setattr(checkov, "HOME", tmp_path)
    program = tmp_path / "bin/checkov"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nprintf '%s' '{stdout}'\necho no network >&2\n")
    program.chmod(0o755)
    with pytest.raises(checkov.ScanError, match=r"failed with exit status 0:\nno network"):
        checkov.scan(tmp_path, 1)


def test_resources_that_were_not_scanned_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkov, "HOME", tmp_path)
    program = tmp_path / "bin/checkov"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho \'{"summary": {"parsing_errors": 0, "resource_count": 1}}\'\n')
    program.chmod(0o755)
    with pytest.raises(checkov.ScanError, match="checkov scanned 1 of 2 resources"):
        checkov.scan(tmp_path, 2)
