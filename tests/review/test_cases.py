"""Plans that once were judged wrongly: their verdict, and their points in order."""

from pathlib import Path

import pytest

from review.marker import Marker
from review.model import Verdict
from review.reading.stacks import read_stacks
from review.rendering.comment import render
from review.rendering.points import Point, points
from review.verdicts import Review, review_of
from tests.review.rendering import assert_well_formed

CASES = Path(__file__).with_name("cases")

SAFE, UNJUDGED, REVIEW, RED = Verdict.SAFE, Verdict.UNJUDGED, Verdict.REVIEW, Verdict.DESTRUCTIVE

EXPECTED: dict[str, tuple[Verdict, list[str]]] = {
    "database-group-removed": (REVIEW, ["Security groups changed"]),
    "database-password": (REVIEW, ["Password changed"]),
    "database-smaller": (REVIEW, ["Size changed", "Applied at once"]),
    # Without the configuration, no one can tell that the role has the document.
    "deferred-document-narrow": (
        REVIEW,
        ["Policy not known", "Use of a policy not known", "New permission"],
    ),
    "deferred-document-wide": (
        REVIEW,
        ["Every action allowed", "Policy not known", "Use of a policy not known"],
    ),
    "deletions-of-many-types": (
        RED,
        [
            "Data deleted",
            "VPC deleted",
            "Data deleted",
            "Cloudfront distribution deleted",
            "Data deleted",
            "API gateway API deleted",
            "API gateway REST API deleted",
            "EKS node group deleted",
            "Autoscaling group deleted",
            "Data deleted",
            "Data deleted",
            "Data deleted",
            "NAT gateway deleted",
            "Data deleted",
            "Service discovery private DNS namespace deleted",
            "Subnet deleted",
            "Data deleted",
            "IAM role deleted",
            "Route deleted",
            "Data deleted",
            "LB target group deleted",
            "Route table association deleted",
            "ACM certificate deleted",
            "LB listener rule deleted",
            "Security group rule deleted",
            "VPC endpoint deleted",
            "IAM role policy attachment deleted",
        ],
    ),
    "deletions-say-what-goes": (
        RED,
        ["Route deleted", "IAM role policy deleted", "Security group rule deleted"],
    ),
    "documents-read-by-the-apply": (
        REVIEW,
        [
            "Every action allowed",
            "All data can be read",
            "Access for another account",
            "More is allowed",
            "Policy not known",
            "Use of a policy not known",
            "5 New permission",
            "4 Policy known in part",
        ],
    ),
    "drift-undone": (REVIEW, ["Undoes a change made outside of Terraform", "Rule changed"]),
    "drift-without-address": (REVIEW, []),
    "equal-creations": (SAFE, []),
    "equal-points": (REVIEW, ["60 Code changed"]),
    "fewer-tasks": (
        REVIEW,
        ["Fewer tasks while deploying", "Limit lowered", "Start-up grace shortened", "Deployments changed"],
    ),
    "function-changed": (
        REVIEW,
        ["Dead-letter queue changed", "Program changed", "Time-out lowered", "Variables changed"],
    ),
    "gravest-first": (
        RED,
        [
            "Data deleted",
            "Every action allowed",
            "Open to the world",
            "Data deleted",
            "Every action of a service allowed",
            "Kept for less time",
            "Policy attached",
            "Made public",
        ],
    ),
    "group-replaced": (RED, ["Interrupted by a replacement"]),
    "health-check-loosened": (REVIEW, ["Health check loosened", "Health check changed"]),
    "hidden-content-is-no-policy": (UNJUDGED, []),
    "google-open-to-everybody": (
        REVIEW,
        ["Administration allowed", "Public by policy", "Open to the world"],
    ),
    "images-expire": (REVIEW, ["Images expire"]),
    "index-removed": (REVIEW, ["Index removed"]),
    "index-shifted": (RED, ["IAM user deleted", "2 Interrupted by a replacement", "2 Name changed"]),
    "items-expire": (REVIEW, ["Items expire"]),
    "key-policy-of-own-account": (SAFE, []),
    "key-without-written-policy": (SAFE, []),
    "login-removed": (REVIEW, ["Login changed", "Traffic sent elsewhere"]),
    "null-resource-replaced": (SAFE, []),
    "objects-expire": (REVIEW, ["Objects expire sooner"]),
    "one-change-among-tags": (REVIEW, ["Message handling changed"]),
    "other-processor": (REVIEW, ["Platform changed"]),
    "password-replaced": (RED, ["Secret replaced"]),
    "permission-replaced": (RED, ["Interrupted by a replacement", "Access changed"]),
    "policy-covers-another-bucket": (REVIEW, ["More is allowed"]),
    "policy-of-logs": (SAFE, []),
    "renamed-without-moved": (RED, ["Data deleted"]),
    "rules-removed": (REVIEW, ["Traffic no longer allowed"]),
    "second-plan-cut-off": (Verdict.ERRORED, []),
    "secret-without-written-policy": (SAFE, []),
    "secrets-without-marks": (UNJUDGED, []),
    "site-turned-off": (REVIEW, ["Turned off", "Names changed"]),
    "to-spot": (REVIEW, ["Capacity changed"]),
    "topic-without-written-policy": (SAFE, []),
    "unknown-types": (UNJUDGED, []),
    "utf-16": (SAFE, []),
    "variables-changed": (REVIEW, ["Variables changed"]),
}


def reviewed(case: str) -> Review:
    return review_of(read_stacks([CASES / f"{case}.json"]), Marker("oaktree", "", 0))


def title(point: Point) -> str:
    first = point.flags[0]
    return first.title if point.places == 1 else f"{point.places} {first.title}"


@pytest.mark.parametrize("case", EXPECTED)
def test_a_case_has_its_verdict_and_its_points_in_order(case: str) -> None:
    review = reviewed(case)
    assert (review.verdict, [title(point) for point in points(review)]) == EXPECTED[case]
    assert_well_formed(render(review))


def test_every_case_is_expected() -> None:
    assert {path.stem for path in CASES.glob("*.json")} == EXPECTED.keys()


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("policy-covers-another-bucket", "`role r` (`aws_iam_role_policy.x`)"),
        ("policy-covers-another-bucket", "`write: s3:DeleteObject on arn:aws:s3:::payroll/*`"),
        ("policy-covers-another-bucket", "`read: s3:GetObject on arn:aws:s3:::payroll/*`"),
        ("documents-read-by-the-apply", "`*` \u00b7 `role aws_iam_role.job` (`aws_iam_policy.job`)"),
        ("documents-read-by-the-apply", "`role web` (`aws_iam_role_policy.web`)"),
        (
            "documents-read-by-the-apply",
            "`permissions: s3:PutBucketPolicy on (known after apply) under a condition`",
        ),
        ("documents-read-by-the-apply", "`no action that AWS lists: s3:Lst on (known after apply)"),
        (
            "documents-read-by-the-apply",
            "`account 666666666666` (`module.queue.aws_sqs_queue_policy.it`): `write: sqs:SendMessage",
        ),
        ("documents-read-by-the-apply", "`whoever gets it` (`data.aws_iam_policy_document.loose`)"),
        ("fewer-tasks", "tasks `4` \u2192 `1`"),
        ("database-smaller", "class `db.r6g.2xlarge` \u2192 `db.t4g.micro`"),
        ("deletions-say-what-goes", "destination_cidr_block 10.9.0.0/16, vpc_peering_connection_id pcx-1"),
        ("deletions-say-what-goes", "from_port 5432, to_port 5432, source_security_group_id sg-app"),
        ("deletions-say-what-goes", "Allow s3:ListBucket on arn:aws:s3:::a"),
        ("deferred-document-narrow", "`read: s3:GetObject on (known after apply), arn:aws:s3:::b/*`"),
        ("index-shifted", "an index has shifted"),
        ("renamed-without-moved", "a `moved` block would keep this one"),
        ("unknown-types", "- `oci_identity_policy`: `member`, `role`"),
        ("equal-creations", "**The same on 24 resources:**"),
        ("gravest-first", "kept for `30` \u2192 `14` days"),
    ],
)
def test_a_comment_says_what_a_reviewer_needs(case: str, words: str) -> None:
    assert words in render(reviewed(case))


def test_equal_points_are_one_without_hashes() -> None:
    text = render(reviewed("equal-points"))
    assert "**60 \u00d7 Code changed** · code · `aws_lambda_function.f00`" in text
    assert "1. " in text
    assert "2. " not in text


def test_no_unmarked_secret_is_shown() -> None:
    assert "Zq8vR2kLmN4pTx7W" in (CASES / "secrets-without-marks.json").read_text()
    assert "Zq8vR2kLmN4pTx7W" not in render(reviewed("secrets-without-marks"))
