"""What holds for all flags, whatever the plan."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from review.flags import flags_of
from review.flags.exposure import DESTINATIONS
from review.flags.holders import HOLDERS
from review.flags.openings import OPENINGS
from review.flags.permissions import POLICIES
from review.flags.protections import PROTECTIONS
from review.flags.retention import RETENTIONS
from review.flags.services import NUMBERS, ROLES, STOPPING
from review.model import ABSENT, UNKNOWN, Action, Concern, Document, Masked, ResourceChange, Tree
from review.reading.stacks import read_stacks
from tests.review.flagging import change, plan
from tests.review.test_differences import copied

PLANS = Path(__file__).parent / "plans"

TYPES = sorted(
    {*HOLDERS, *RETENTIONS, *NUMBERS, *ROLES, *STOPPING}
    | {of for table in (OPENINGS, PROTECTIONS) for rows in table.values() for row in rows for of in row.types}
    | {"aws_security_group", "aws_vpc_security_group_ingress_rule", "aws_network_acl", "aws_network_acl_rule"}
    | {"aws_s3_bucket_acl", "aws_route", "aws_route_table", "aws_wafv2_web_acl", "aws_lambda_permission"}
    | {"aws_ecs_task_definition", "aws_ecs_cluster", "aws_s3_bucket_lifecycle_configuration", "aws_iam_role"}
)
INNER = [
    "Statement",
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "Principal",
    "Condition",
    "StringLike",
    "name",
    "value",
    "valueFrom",
    "image",
    "environment",
    "secrets",
    "healthCheck",
    "command",
    "interval",
    "linuxParameters",
    "capabilities",
    "add",
    "drop",
    "logConfiguration",
    "portMappings",
    "containerPort",
    "memory",
    "from_port",
    "to_port",
    "protocol",
    "cidr_blocks",
    "prefix_list_ids",
    "action",
    "status",
    "expiration",
    "days",
    "id",
    "block",
    "enabled",
    "AWS",
]
ATTRIBUTES = sorted(
    {*OPENINGS, *PROTECTIONS, *POLICIES, *DESTINATIONS}
    | {dotted.partition(".")[0] for dotted in RETENTIONS.values()}
    | {key for keys in (*NUMBERS.values(), *ROLES.values()) for key in keys}
    | {"ingress", "rule", "setting", "default_action", "container_definitions", "environment", "volume"}
    | {"cidr_ipv4", "from_port", "to_port", "ip_protocol", "principal", "route", "access_control_policy"}
)
SCALARS: st.SearchStrategy[Tree] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 70000),
    st.floats(allow_nan=False),
    st.sampled_from(["", "*", "Allow", "Deny", "0.0.0.0/0", "::/0", "host", "x", "1e999", "iam:*", "root"]),
    st.sampled_from([UNKNOWN, ABSENT, Masked(b"1"), Masked(b"2")]),
)
TREES: st.SearchStrategy[Tree] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(INNER), inner, max_size=4),
        inner.map(Document),
    ),
    max_leaves=12,
)
RESOURCES: st.SearchStrategy[Tree] = st.one_of(
    st.sampled_from([ABSENT, None, Masked(b"1"), UNKNOWN]),
    st.dictionaries(st.sampled_from(ATTRIBUTES), TREES, max_size=6),
)
CHANGES = st.builds(
    change,
    st.sampled_from(TYPES),
    RESOURCES,
    RESOURCES,
    action=st.sampled_from(Action),
    deposed=st.sampled_from([None, "abcd1234"]),
    replace_paths=st.sampled_from([(), (("rule", 0, "days"),), (("name",), ("ingress", 9))]),
    reason=st.sampled_from([None, "replace_by_request", "else"]),
)


@given(st.lists(CHANGES, max_size=3))
def test_any_plan_has_flags_in_order_and_always_the_same(changes: list[ResourceChange]) -> None:
    some = plan(changes)
    found = flags_of("dev", some)
    assert list(found) == sorted(found, key=lambda flag: (flag.concern, flag.address, flag.path, flag.title))
    assert found == flags_of("dev", some)
    assert all(flag.title and flag.reason and flag.stack == "dev" for flag in found)


@given(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(ATTRIBUTES), TREES, min_size=1, max_size=6))
def test_an_update_that_changes_nothing_raises_nothing(type: str, resource: dict[str, Tree]) -> None:
    same = change(type, resource, copied(resource), action=Action.UPDATE)
    assert [flag for flag in flags_of("dev", plan([same])) if flag.concern is not Concern.DATA_LOSS] == []


def test_creating_the_whole_platform_raises_few_flags() -> None:
    stacks = read_stacks([PLANS / "create-all"])
    found = [flag for stack in stacks if stack.plan for flag in flags_of(stack.name, stack.plan)]
    assert {stack.name for stack in stacks} == {"foundation", "dev-network", "dev-service"}
    assert 5 < len(found) < 28
    assert {flag.concern for flag in found} == {Concern.PERMISSION, Concern.EXPOSURE, Concern.UNKNOWN}
