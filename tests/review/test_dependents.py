"""What stays and uses what a plan deletes or replaces."""

from collections.abc import Sequence
from typing import Any

import pytest

from review.model import Action, User
from review.reading.plans import plan_of
from review.rendering.comment import render
from tests.review.rendering import assert_well_formed, change, review, stack

REPLACE, UPDATE, DELETE, CREATE, SAME = (
    ["delete", "create"],
    ["update"],
    ["delete"],
    ["create"],
    ["no-op"],
)


def changed(address: str, actions: list[str], **sides: Any) -> dict[str, Any]:
    kind = address.rpartition(".")[0].rpartition(".")[2]
    before: Any = None if actions == CREATE else sides.get("before", {"id": "an-id-of-it"})
    after: Any = None if actions == DELETE else sides.get("after", {"id": "an-id-of-it", "size": 2})
    change = {"actions": actions, "before": before, "after": after}
    return {"address": address, "mode": "managed", "type": kind, "name": "x", "change": change}


def resource(address: str, *references: str, **more: Any) -> dict[str, Any]:
    expressions = {"block": [{"value": {"references": list(references)}}]}
    return {"address": address, "type": "t", "name": "n", "expressions": expressions, **more}


def users(
    changes: Sequence[dict[str, Any]], root: dict[str, Any] | Sequence[dict[str, Any]], state: Any = None
) -> dict[str, list[str]]:
    """Who uses each changed resource."""
    module = root if isinstance(root, dict) else {"resources": [*root]}
    document = {
        "format_version": "1.2",
        "resource_changes": [*changes],
        "configuration": {"root_module": module},
        "prior_state": {"values": {"root_module": {"resources": state or []}}},
    }
    return {
        change.address: [user.address for user in change.users]
        for change in plan_of(document, "a" * 64).changes
        if change.users
    }


def test_users_are_those_that_stay_the_unchanged_first() -> None:
    changes = [
        changed("aws_db_instance.shop", REPLACE),
        changed("aws_a.updated", UPDATE),
        changed("aws_a.replaced", REPLACE),
        changed("aws_a.unchanged", SAME),
        changed("aws_a.created", CREATE),
        changed("aws_a.deleted", DELETE),
        changed("aws_a.other", SAME),
    ]
    names = ("updated", "replaced", "unchanged", "created", "deleted")
    reference = ("aws_db_instance.shop.address", "aws_db_instance.shop")
    configured = [
        resource("aws_db_instance.shop", "aws_db_instance.shop"),
        *(resource(f"aws_a.{name}", *reference) for name in names),
        resource("aws_a.other", "aws_db_instance.shop_2.address", "aws_db_instance.shop_2", "var.shop"),
    ]
    assert users(changes, configured) == {
        "aws_db_instance.shop": ["aws_a.unchanged", "aws_a.replaced", "aws_a.updated"]
    }


def test_references_lead_through_modules_and_data_sources() -> None:
    changes = [
        changed("module.base.aws_role.x", REPLACE),
        changed("module.app.module.inner.aws_task.x", SAME),
        changed("aws_policy.x", SAME),
    ]
    output = {"expression": {"references": ["aws_role.x.arn", "aws_role.x"]}}
    base = {"outputs": {"arn": output}, "resources": [resource("aws_role.x")]}
    inner = {"resources": [resource("aws_task.x", "var.role")]}
    app = {
        "module_calls": {"inner": {"expressions": {"role": {"references": ["var.role"]}}, "module": inner}}
    }
    given = {"references": ["module.base.arn", "module.base"]}
    root = {
        "module_calls": {
            "base": {"module": base},
            "app": {"expressions": {"role": given}, "module": app},
        },
        "resources": [
            resource("data.aws_document.x", "module.base.arn", "data.aws_document.x"),
            resource("aws_policy.x", "data.aws_document.x.json", "data.aws_document.x"),
        ],
    }
    assert users(changes, root) == {
        "module.base.aws_role.x": ["aws_policy.x", "module.app.module.inner.aws_task.x"]
    }


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        (["aws_subnet.x", "count.index"], ["aws_nat.x[1]"]),
        (["aws_subnet.x[1].id", "aws_subnet.x[1]", "aws_subnet.x"], ["aws_nat.x[0]", "aws_nat.x[1]"]),
        (["aws_subnet.x[0].id", "aws_subnet.x[0]", "aws_subnet.x"], []),
        (["aws_subnet.x"], ["aws_nat.x[0]", "aws_nat.x[1]"]),
    ],
)
def test_an_index_says_which_instance_is_used(references: list[str], expected: list[str]) -> None:
    subnets = [changed("aws_subnet.x[0]", SAME), changed("aws_subnet.x[1]", REPLACE)]
    changes = [*subnets, *(changed(f"aws_nat.x[{at}]", SAME) for at in (0, 1))]
    found = users(changes, [resource("aws_subnet.x"), resource("aws_nat.x", *references)])
    assert found.get("aws_subnet.x[1]", []) == expected


def test_what_has_no_index_uses_every_instance() -> None:
    changes = [*(changed(f"aws_subnet.x[{at}]", REPLACE) for at in (0, 1)), changed("aws_service.x", SAME)]
    found = users(changes, [resource("aws_subnet.x"), resource("aws_service.x", "aws_subnet.x")])
    assert found == {f"aws_subnet.x[{at}]": ["aws_service.x"] for at in (0, 1)}


def test_instances_of_a_module_use_what_is_in_the_same_one() -> None:
    changes = [
        changed('module.zone["a"].aws_subnet.x', REPLACE),
        changed('module.zone["a"].aws_nat.x', SAME),
        changed('module.zone["b"].aws_nat.x', SAME),
    ]
    zone = {"resources": [resource("aws_subnet.x"), resource("aws_nat.x", "aws_subnet.x.id", "aws_subnet.x")]}
    found = users(changes, {"module_calls": {"zone": {"module": zone}}})
    assert found == {'module.zone["a"].aws_subnet.x': ['module.zone["a"].aws_nat.x']}


@pytest.mark.parametrize(
    ("after", "is_user"),
    [
        ({"policy": '{"Resource": "arn:aws:sqs:::orders"}'}, True),
        ({"policy": '{"Resource": "arn:aws:sqs:::orders-2"}'}, False),
        ({"policy": '{"Resource": ["arn:aws:sqs:::orders/*"]}'}, True),
        ({"policy": "{}"}, False),
    ],
)
def test_what_still_names_something_deleted_uses_it(after: dict[str, Any], is_user: bool) -> None:
    """Nothing in the configuration refers to it any longer, but the state says who was made after it."""
    changes = [
        changed("aws_sqs_queue.orders", DELETE, before={"arn": "arn:aws:sqs:::orders"}),
        changed("aws_policy.x", UPDATE, after=after),
        changed("aws_policy.made_before_it", UPDATE, after=after),
    ]
    state = [
        {"address": "aws_policy.x", "depends_on": ["aws_sqs_queue.orders"]},
        {"address": "aws_policy.made_before_it"},
    ]
    expected = {"aws_sqs_queue.orders": ["aws_policy.x"]} if is_user else {}
    assert users(changes, [], state) == expected


def test_many_instances_that_use_one_another_take_no_time() -> None:
    """Each looks only at the one with its own index."""
    changes = [
        *(changed(f"aws_subnet.x[{at}]", REPLACE) for at in range(2_000)),
        *(changed(f"aws_nat.x[{at}]", SAME) for at in range(2_000)),
    ]
    found = users(changes, [resource("aws_subnet.x"), resource("aws_nat.x", "aws_subnet.x", "count.index")])
    assert found["aws_subnet.x[7]"] == ["aws_nat.x[7]"]
    assert len(found) == 2_000


def test_a_chain_of_any_length_and_a_circle_end() -> None:
    changes = [changed("aws_a.x", REPLACE), changed("aws_b.x", SAME)]
    chain = [resource(f"data.aws_d.n{at}", f"data.aws_d.n{at + 1}.id") for at in range(3_000)]
    configured = [
        *chain,
        resource("data.aws_d.n3000", "aws_a.x.id", "data.aws_d.n0.id"),
        resource("aws_b.x", "data.aws_d.n0.id"),
    ]
    assert users(changes, configured) == {"aws_a.x": ["aws_b.x"]}


def test_the_comment_names_the_users_of_what_is_replaced_and_folds_many() -> None:
    used = tuple(User(f"aws_a.x{at}", None if at else Action.UPDATE) for at in range(26))
    gone = change("aws_db_instance.shop", Action.REPLACE, users=used)
    markdown = render(review(stack(gone)))
    assert_well_formed(markdown)
    assert "used by 26 resources: `aws_a.x0` (updated), `aws_a.x1` (not changed)" in markdown
    assert "<summary>23 more</summary>" in markdown
    assert "`aws_a.x19` (not changed) and 6 more</details>" in markdown


def test_what_all_users_have_in_common_is_said_once() -> None:
    gone = change("aws_kms_key.k", Action.DELETE, users=(User("aws_a.x", None), User("aws_a.y", None)))
    assert "used by 2 resources (not changed): `aws_a.x`, `aws_a.y`\n" in render(review(stack(gone)))
