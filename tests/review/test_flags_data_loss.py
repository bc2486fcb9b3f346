import pytest

from review.flags.removals import WHY, path_text
from review.model import ABSENT, UNKNOWN, Action, Concern, Tree
from review.table import default_table, holding_types
from tests.review.flagging import change, flags, flags_of, plan, titles

TABLE: dict[str, Tree] = {"name": "status", "hash_key": "pk"}


@pytest.mark.parametrize("type", sorted(holding_types()))
def test_the_deletion_of_what_holds_data_is_flagged(type: str) -> None:
    found = [flag for flag in flags(change(type, {"name": "x"})) if flag.concern is Concern.DATA_LOSS]
    assert [(flag.title, flag.path, flag.before, flag.after) for flag in found] == [
        ("Data deleted", ("name",), "x", ABSENT)
    ]
    deletion = default_table().deletion(type)
    assert deletion is not None
    assert deletion.text in found[0].reason


def test_a_replacement_names_its_order_and_what_forces_it() -> None:
    for first, words in ((False, "Deleted first, then created"), (True, "Created first, then deleted")):
        flag, other = flags(
            change(
                "aws_dynamodb_table",
                TABLE,
                {**TABLE, "hash_key": "id"},
                action=Action.REPLACE,
                create_before_destroy=first,
                replace_paths=(("hash_key",), ("attribute", 0, "name")),
                reason="replace_because_cannot_update",
            )
        )
        assert flag.title == "Data replaced"
        assert words in flag.reason
        assert flag.forced_by == ("hash_key", "attribute[0].name")
        assert (flag.path, flag.before, flag.after) == (("hash_key",), "pk", "id")
        # The attribute that forces it means something to a reviewer as well.
        assert (other.title, other.path, other.forced_by) == ("Key changed", ("hash_key",), ())


@pytest.mark.parametrize("reason", sorted(WHY))
def test_terraforms_reason_is_told_in_words(reason: str) -> None:
    action = Action.REPLACE if reason.startswith("replace") else Action.DELETE
    after = TABLE if action is Action.REPLACE else ABSENT
    (flag,) = flags(change("aws_dynamodb_table", TABLE, after, action=action, reason=reason))
    assert WHY[reason] in flag.reason


def test_a_reason_that_is_not_known_is_left_out() -> None:
    (flag,) = flags(change("aws_dynamodb_table", TABLE, reason="because_of_something_new"))
    assert flag.reason == "Deletes the items of the table."


def test_a_replacement_forced_by_what_is_not_known_yet_shows_that() -> None:
    (flag,) = flags(
        change(
            "aws_dynamodb_table",
            TABLE,
            {**TABLE, "name": UNKNOWN},
            action=Action.REPLACE,
            replace_paths=(("name",),),
        )
    )
    assert (flag.before, flag.after) == ("status", UNKNOWN)


def test_a_former_object_that_is_deleted_is_flagged_too() -> None:
    (flag,) = flags(change("aws_dynamodb_table", TABLE, deposed="abcd1234"))
    assert flag.title == "Data deleted"
    assert "The previous object" in flag.reason


def test_what_is_forgotten_is_no_longer_managed() -> None:
    assert titles(change("aws_dynamodb_table", TABLE, action=Action.FORGET)) == ["No longer managed"]


def test_other_actions_lose_no_data() -> None:
    assert titles(change("aws_dynamodb_table", TABLE, {**TABLE, "tags": {"a": "b"}})) == []
    assert titles(change("aws_dynamodb_table", ABSENT, TABLE)) == []
    assert titles(change("aws_dynamodb_table", TABLE, TABLE, action=Action.MOVE)) == []
    assert titles(change("aws_iam_role_policy_attachment", {"role": "x"})) == []
    assert titles(change("aws_s3_bucket", {"bucket": "x"}, is_data=True)) == []


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"deletion_protection": True, "skip_final_snapshot": True}, "deletion is refused"),
        ({"skip_final_snapshot": True}, "No final snapshot"),
        ({"force_destroy": True}, "even if it is not empty"),
        ({"force_delete": True}, "even if it is not empty"),
    ],
)
def test_a_deletion_tells_what_its_settings_say(setting: dict[str, Tree], words: str) -> None:
    (flag,) = flags(change("aws_db_instance", setting))
    assert words in flag.reason


@pytest.mark.parametrize(
    ("type", "attribute", "before", "after", "is_flagged"),
    [
        ("aws_cloudwatch_log_group", "retention_in_days", 30, 7, True),
        ("aws_cloudwatch_log_group", "retention_in_days", 0, 365, True),
        ("aws_cloudwatch_log_group", "retention_in_days", 7, 0, False),
        ("aws_cloudwatch_log_group", "retention_in_days", 7, None, False),
        ("aws_cloudwatch_log_group", "retention_in_days", 7, 30, False),
        ("aws_cloudwatch_log_group", "retention_in_days", 7, 7, False),
        ("aws_db_instance", "backup_retention_period", 7, 1, True),
        ("aws_db_instance", "backup_retention_period", 1, 7, False),
        ("aws_sqs_queue", "message_retention_seconds", 600, 60, True),
    ],
)
def test_keeping_for_less_time_is_flagged(
    type: str, attribute: str, before: Tree, after: Tree, is_flagged: bool
) -> None:
    found = titles(change(type, {attribute: before}, {attribute: after}))
    assert ("Kept for less time" in found) is is_flagged


def test_a_time_that_is_not_known_is_unknown() -> None:
    (flag,) = flags(
        change("aws_cloudwatch_log_group", {"retention_in_days": 7}, {"retention_in_days": UNKNOWN})
    )
    assert flag.concern is Concern.UNKNOWN


def rules(days: Tree, status: str = "Enabled") -> dict[str, Tree]:
    return {"bucket": "b", "rule": [{"id": "old", "status": status, "expiration": [{"days": days}]}]}


def test_objects_that_expire_sooner_are_flagged() -> None:
    kind = "aws_s3_bucket_lifecycle_configuration"
    (flag,) = flags(change(kind, rules(30), rules(7)))
    assert (flag.path, flag.before, flag.after) == (("rule", "old", "expiration", "days"), 30, 7)
    assert titles(change(kind, {"bucket": "b", "rule": []}, rules(7))) == ["Objects expire sooner"]
    assert titles(change(kind, rules(7), rules(30))) == []
    assert titles(change(kind, rules(7), rules(7, "Disabled"))) == []
    assert titles(change(kind, ABSENT, rules(7))) == ["Objects expire sooner"]
    new = change("aws_s3_bucket", ABSENT, {"bucket": "b"})
    assert titles(new, change(kind, ABSENT, rules(7))) == []


def test_paths_are_written_as_terraform_does() -> None:
    assert path_text(("vpc_config", 0, "subnet_ids")) == "vpc_config[0].subnet_ids"
    assert path_text(()) == ""


def test_the_gravest_flags_come_first_and_addresses_in_natural_order() -> None:
    found = flags(
        change("aws_cloudwatch_log_group", {"retention_in_days": 30}, {"retention_in_days": 14}),
        change("aws_s3_bucket", {"bucket": "x"}, name="a[10]"),
        change("aws_s3_bucket", {"bucket": "y"}, name="a[2]"),
    )
    assert [flag.address for flag in found] == [
        "aws_s3_bucket.a[2]",
        "aws_s3_bucket.a[10]",
        "aws_cloudwatch_log_group.it",
    ]


@pytest.mark.parametrize(
    ("type", "attribute"),
    [("aws_cloudwatch_log_group", "retention_in_days"), ("aws_db_instance", "backup_retention_period")],
)
def test_one_day_less_is_less(type: str, attribute: str) -> None:
    assert titles(change(type, {attribute: 30}, {attribute: 29})) == ["Kept for less time"]
    assert titles(change(type, {attribute: 30}, {attribute: 31})) == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("aws_instance", {"ami": "ami-1", "tags": {"Name": "web"}}),
        ("kubernetes_deployment", {"metadata": [{"name": "web", "namespace": "shop"}]}),
    ],
)
def test_a_move_is_hinted_at_by_the_tag_or_the_object_that_names_a_resource(
    kind: str, values: dict[str, Tree]
) -> None:
    old = change(kind, {"id": "i-1", **values}, name="old")
    new = change(kind, ABSENT, {"id": UNKNOWN, **values}, name="new")
    (flag,) = (each for each in flags_of("dev", plan([old, new])) if each.title.endswith("deleted"))
    assert "a `moved` block would keep this one" in flag.reason
    (flag,) = (each for each in flags_of("dev", plan([old])) if each.title.endswith("deleted"))
    assert "moved" not in flag.reason
