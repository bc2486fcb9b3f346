"""Who may do what after a plan that they might not before it, or no longer."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.comparing.policies import statements_of
from review.comparing.policy_changes import denials_removed, newly_allowed
from review.flags import judge
from review.flags.permissions import STANDARD
from review.marker import Marker
from review.model import ABSENT, UNKNOWN, Concern, Flag, Holder, ResourceChange, Stack, Tree
from review.rendering.comment import render
from review.table import default_table
from review.verdicts import review_of, verdict_of
from tests.review.flagging import allow, change, flags_of, plan, policy

WEB = Holder("role web", is_new=False)
OURS = change(
    "aws_sqs_queue", {"arn": "arn:aws:sqs:eu-central-1:111111111111:q", "tags": {}}, {"tags": {"a": "b"}}
)
TOLD = ("More is allowed", "New permission", "No longer allowed", "More is denied")


def given_to(*holders: Holder, before: Tree = ABSENT, after: Tree = ABSENT, **more: Any) -> ResourceChange:
    changed = change("aws_iam_role_policy", before, after, **more)
    return replace(changed, holders=holders)


def told(*changes: ResourceChange) -> list[tuple[str, str, Tree]]:
    """What the flags say of each principal: title, who, what."""
    found = flags_of("dev-service", plan(changes))
    return [
        (flag.title, flag.principal, flag.after if flag.before is ABSENT else flag.before)
        for flag in found
        if flag.title in TOLD
    ]


def role_policy(*statements: dict[str, Any]) -> dict[str, Tree]:
    return {"name": "x", "role": "web", "policy": policy(*statements)}


def test_what_a_role_may_do_now_is_told_by_level_the_highest_first() -> None:
    wide = allow(
        ["s3:ListBucket", "s3:GetObject", "s3:PutBucketPolicy", "s3:PutObject", "s3:PutObjectTagging"]
    )
    found = told(given_to(WEB, before=role_policy(), after=role_policy(wide)))
    assert found == [
        ("More is allowed", "role web", "permissions: s3:PutBucketPolicy on arn:aws:s3:::b"),
        ("More is allowed", "role web", "write: s3:PutObject on arn:aws:s3:::b"),
        ("More is allowed", "role web", "read: s3:GetObject on arn:aws:s3:::b"),
        ("More is allowed", "role web", "tag: s3:PutObjectTagging on arn:aws:s3:::b"),
        ("More is allowed", "role web", "list: s3:ListBucket on arn:aws:s3:::b"),
    ]


def test_only_what_is_new_is_told_action_by_action() -> None:
    before = role_policy(allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::a/*"))
    after = role_policy(
        allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::a/*"),
        allow(["s3:GetObject", "s3:DeleteObject"], ["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"]),
    )
    assert told(given_to(WEB, before=before, after=after)) == [
        ("More is allowed", "role web", "write: s3:DeleteObject on arn:aws:s3:::a/*, arn:aws:s3:::b/*"),
        ("More is allowed", "role web", "read: s3:GetObject on arn:aws:s3:::b/*"),
    ]


def test_what_a_role_may_no_longer_do_is_told() -> None:
    before, after = (
        role_policy(allow("s3:PutObject"), allow("s3:GetObject")),
        role_policy(allow("s3:GetObject")),
    )
    found = [("No longer allowed", "role web", "write: s3:PutObject on arn:aws:s3:::b")]
    assert told(given_to(WEB, before=before, after=after)) == found


def test_an_action_that_aws_does_not_list_is_told_as_such() -> None:
    found = told(given_to(WEB, before=role_policy(), after=role_policy(allow("s3:GetObjects"))))
    assert found == [
        ("More is allowed", "role web", "no action that AWS lists: s3:GetObjects on arn:aws:s3:::b")
    ]


def test_a_new_role_gets_new_permissions_of_less_weight() -> None:
    changed = given_to(replace(WEB, is_new=True), after=role_policy(allow("s3:PutObject")))
    (flag,) = flags_of("dev-service", plan([changed]))
    assert (flag.title, flag.weight < 40) == ("New permission", True)


def test_a_first_policy_of_a_role_that_is_there_is_more() -> None:
    assert [title for title, *_ in told(given_to(WEB, after=role_policy(allow("s3:PutObject"))))] == [
        "More is allowed"
    ]


def test_each_role_that_has_a_policy_may_do_more() -> None:
    found = told(
        given_to(WEB, Holder("user u", False), before=role_policy(), after=role_policy(allow("s3:PutObject")))
    )
    assert [who for _, who, _ in found] == ["role web", "user u"]


def test_a_grave_permission_names_who_gets_it_and_the_rest_of_its_statement_is_told() -> None:
    wide = allow(["s3:GetObject", "sqs:*"], "*")
    found = flags_of("x", plan([given_to(WEB, before=role_policy(), after=role_policy(wide))]))
    assert [(flag.title, flag.principal) for flag in found] == [
        ("Every action of a service allowed", "role web"),
        ("More is allowed", "role web"),
    ]
    assert found[1].after == "read: s3:GetObject on *"


def test_a_policy_that_moves_to_another_role_gives_it_all_and_takes_it_from_the_other() -> None:
    before = role_policy(allow("s3:PutObject"))
    after = {**before, "role": "job"}
    assert told(given_to(Holder("role job", False), before=before, after=after)) == [
        ("No longer allowed", "role web", "write: s3:PutObject on arn:aws:s3:::b"),
        ("More is allowed", "role job", "write: s3:PutObject on arn:aws:s3:::b"),
    ]


@pytest.mark.parametrize(
    ("principal", "who"),
    [
        ("arn:aws:iam::111111111111:role/path/web", "role web"),
        ("arn:aws:iam::111111111111:root", "the plan's own account"),
        ("arn:aws:iam::222222222222:root", "account 222222222222"),
        ("arn:aws:iam::222222222222:role/web", "arn:aws:iam::222222222222:role/web"),
    ],
)
def test_a_policy_of_a_bucket_tells_of_each_principal(principal: str, who: str) -> None:
    one = allow("s3:GetObject", Principal={"AWS": principal})
    two = allow(["s3:GetObject", "s3:PutObject"], Principal={"AWS": principal})
    changed = change("aws_s3_bucket_policy", {"policy": policy(one)}, {"policy": policy(two)})
    assert told(OURS, changed) == [("More is allowed", who, "write: s3:PutObject on arn:aws:s3:::b")]


def test_a_principal_that_is_added_may_do_all_and_the_other_nothing_new() -> None:
    one = allow("s3:GetObject", Principal={"Service": "a.amazonaws.com"})
    two = allow("s3:GetObject", Principal={"Service": ["a.amazonaws.com", "b.amazonaws.com"]})
    changed = change("aws_s3_bucket_policy", {"policy": policy(one)}, {"policy": policy(two)})
    assert told(OURS, changed) == [
        ("More is allowed", "b.amazonaws.com", "read: s3:GetObject on arn:aws:s3:::b")
    ]


def test_who_may_take_on_a_role_with_more_actions_is_told() -> None:
    def trusting(*actions: str) -> dict[str, Tree]:
        said = {"Effect": "Allow", "Action": [*actions], "Principal": {"Service": "ecs-tasks.amazonaws.com"}}
        return {"name": "web", "assume_role_policy": policy(said)}

    changed = change("aws_iam_role", trusting("sts:AssumeRole"), trusting("sts:AssumeRole", "sts:TagSession"))
    assert told(replace(changed, holders=(WEB,))) == [
        ("More is allowed", "ecs-tasks.amazonaws.com", "tag: sts:TagSession on role web")
    ]


def test_a_deny_that_is_added_is_told() -> None:
    deny = {**allow("s3:*", "*", Sid="No"), "Effect": "Deny"}
    before, after = role_policy(allow("s3:GetObject")), role_policy(allow("s3:GetObject"), deny)
    assert told(given_to(WEB, before=before, after=after)) == [
        ("More is denied", "role web", "Deny s3:* on *")
    ]


def test_a_condition_that_is_added_is_told() -> None:
    condition = {"StringEquals": {"aws:SourceVpc": "vpc-1"}}
    before = role_policy(allow("s3:GetObject", Sid="S"))
    after = role_policy(allow("s3:GetObject", Sid="S", Condition=condition))
    (flag,) = flags_of("dev-service", plan([given_to(WEB, before=before, after=after)]))
    assert (flag.title, flag.before) == ("Condition tightened", ABSENT)
    assert flag.after == {"StringEquals": {"aws:SourceVpc": ["vpc-1"]}}


def test_a_policy_that_a_role_loses_from_its_list_is_told() -> None:
    def role(*arns: Tree) -> dict[str, Tree]:
        return {"name": "web", "managed_policy_arns": [*arns]}

    changed = replace(change("aws_iam_role", role("a", "b"), role("a")), holders=(WEB,))
    (flag,) = flags_of("dev-service", plan([changed]))
    assert (flag.title, flag.principal, flag.before) == ("Policy detached", "role web", "b")
    hidden: dict[str, Tree] = {"name": "web", "managed_policy_arns": UNKNOWN}
    (flag,) = flags_of("dev-service", plan([change("aws_iam_role", role("a"), hidden)]))
    assert flag.title == "Attached policy not known"


def test_everybody_but_somebody_is_not_told_as_everybody() -> None:
    but = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "NotPrincipal": {"AWS": "1" * 12}}
    changed = change("aws_s3_bucket_policy", {"policy": policy()}, {"policy": policy(but)})
    assert [flag.title for flag in flags_of("x", plan([changed]))] == ["Public by exclusion"]


def test_an_endpoint_that_lets_more_or_less_through_is_told() -> None:
    def endpoint(resource: str) -> dict[str, Tree]:
        return {"policy": policy(allow("s3:GetObject", resource, Principal="*"))}

    narrow, wide = endpoint("arn:aws:s3:::b/*"), endpoint("*")
    assert [each[:2] for each in told(change("aws_vpc_endpoint", narrow, wide))] == [
        ("More is allowed", "everybody")
    ]
    assert [each[:2] for each in told(change("aws_vpc_endpoint", wide, narrow))] == [
        ("No longer allowed", "everybody")
    ]
    assert told(change("aws_vpc_endpoint", ABSENT, wide)) == []
    # Without a policy, an endpoint lets everything through.
    unlimited: dict[str, Tree] = {"policy": None, "tags": {}}
    assert told(change("aws_vpc_endpoint", unlimited, narrow)) == [
        ("No longer allowed", "everybody", "permissions: * on *")
    ]
    assert told(change("aws_vpc_endpoint", narrow, unlimited)) == [
        ("More is allowed", "everybody", "permissions: * on *")
    ]


def test_a_policy_of_the_plan_that_is_attached_is_told_by_what_it_allows() -> None:
    attached = change(
        "aws_iam_role_policy_attachment", ABSENT, {"role": "web", "policy_arn": "arn:aws:iam::1:policy/p"}
    )
    known = replace(attached, holders=(WEB,), attached=policy(allow("s3:PutObject")))
    assert told(known) == [("More is allowed", "role web", "write: s3:PutObject on arn:aws:s3:::b")]
    (flag,) = flags_of("x", plan([replace(attached, holders=(WEB,))]))
    assert (flag.title, flag.principal) == ("Policy attached", "role web")


ACTIONS = [
    "s3:*",
    "s3:GetObject",
    "s3:PutObject",
    "*",
    "iam:PassRole",
    "sts:AssumeRole",
    "s3:No",
    "logs:PutLogEvents",
]
STATEMENTS = st.builds(
    allow,
    st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=3),
    st.lists(st.sampled_from(["*", "arn:aws:s3:::b", "arn:aws:s3:::*"]), min_size=1, max_size=2),
    Effect=st.sampled_from(["Allow", "Allow", "Deny"]),
    Condition=st.sampled_from([{}, {"StringEquals": {"aws:SourceAccount": "111111111111"}}]),
)
PRINCIPALS = st.sampled_from(
    [{}, {"Principal": "*"}, {"Principal": {"AWS": "2" * 12}}, {"Principal": {"Service": "a"}}]
)
KINDS = st.sampled_from(
    [
        ("aws_iam_role_policy", "policy"),
        ("aws_iam_role", "assume_role_policy"),
        ("aws_s3_bucket_policy", "policy"),
        ("aws_vpc_endpoint", "policy"),
        ("aws_kms_key", "policy"),
    ]
)


@given(
    KINDS,
    PRINCIPALS,
    st.none() | st.lists(STATEMENTS, max_size=2),
    st.lists(STATEMENTS, max_size=2),
    STATEMENTS,
)
def test_a_further_statement_never_makes_a_verdict_safer(
    kind: tuple[str, str],
    who: dict[str, Any],
    before: list[dict[str, Any]] | None,
    added: list[dict[str, Any]],
    more: dict[str, Any],
) -> None:
    def judged(*statements: dict[str, Any]) -> tuple[int, int]:
        type_, key = kind
        sides: list[Tree] = [
            ABSENT if each is None else {"name": "x", key: policy(*({**one, **who} for one in each))}
            for each in (before, [*(before or []), *statements])
        ]
        changed = plan([change(type_, *sides)])
        found = judge("dev-service", changed)
        verdict = verdict_of(Stack("dev-service", "dev", changed), found, default_table())
        return verdict, max((flag.weight for flag in found.flags), default=0)

    less, all_of_it = judged(*added), judged(*added, more)
    assert all_of_it[0] >= less[0]
    assert all_of_it[1] >= less[1]


@given(KINDS, PRINCIPALS, st.lists(STATEMENTS, max_size=2), STATEMENTS)
def test_whatever_a_statement_adds_is_told_unless_it_was_allowed_before(
    kind: tuple[str, str], who: dict[str, Any], before: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    old, new = (policy(*({**each, **who} for each in listed)) for listed in (before, [*before, more]))
    type_, key = kind
    found: tuple[Flag, ...] = flags_of("x", plan([change(type_, {key: old}, {key: new})]))
    statements = statements_of(old) or [], statements_of(new) or []
    grants = newly_allowed(*statements)
    standard = all(grant.actions <= STANDARD and not grant.statement.principals for grant in grants)
    adds = (grants and not standard) or denials_removed(*reversed(statements))
    assert bool([flag for flag in found if flag.concern is not Concern.UNKNOWN]) or not adds


def test_a_comment_has_a_place_for_each_principal_with_its_policies() -> None:
    changes = [
        given_to(WEB, before=role_policy(), after=role_policy(allow(f"s3:{name}")), name=name)
        for name in ("DeleteObject", "GetObject", "PutObject", "PutObjectTagging", "ListBucket")
    ]
    text = render(review_of([Stack("dev-service", "dev", plan(changes))], Marker("oaktree", "", 0)))
    line = next(line for line in text.splitlines() if "**More is allowed**" in line)
    assert "`role web` (`aws_iam_role_policy.DeleteObject`, `aws_iam_role_policy.PutObject`, " in line
    assert "and 2 more)" in line
    assert line.index("write: s3:DeleteObject") < line.index("read: s3:GetObject") < line.index("list:")
