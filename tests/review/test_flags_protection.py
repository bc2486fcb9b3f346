import pytest

from review.model import ABSENT, UNKNOWN, Action, Concern, Masked, Tree
from review.table import Case, default_table
from tests.review.flagging import change, flags, flags_of, plan, titles

TABLE = default_table()
GUARDIANS = {
    name: (kind.deleted.concern, kind.deleted.title, kind.deleted.text)
    for name, kind in TABLE.types.items()
    if kind.deleted and kind.deleted.kind == "guards"
}
ROWS = [
    (name, path, place)
    for name, kind in (*TABLE.types.items(), *((f"{each.prefix}something", each) for each in TABLE.every))
    for path, cases in kind.rows.items()
    for place, case in enumerate(cases)
    if case.meaning and case.condition != "unknown"
]
"""Every case of every row that is not harmless."""


def sides(case: Case) -> tuple[Tree, Tree]:
    """A value before and after for which a case holds."""
    word = next(iter(case.words), "")
    known: dict[str, tuple[Tree, Tree]] = {
        "on": (False, True),
        "off": (True, False),
        "unset": ("x", None),
        "set": (None, "x"),
        "zero": (7, 0),
        "from_zero": (0, 7),
        "lowered": (7, 3),
        "raised": (3, 7),
        "removed": (["a", "b"], ["a"]),
        "added": (["a"], ["a", "b"]),
        "any": ("x", {"changed": True}),
        "=": ("something else", word),
        "not": (word, "something else"),
        "from": (word, "something else"),
    }
    return known[case.condition]


def resource(path: tuple[str, ...], value: Tree) -> dict[str, Tree]:
    """A resource with a value at a path, within a block for each step."""
    first, *inner = path
    for key in reversed(inner):
        value = [{key: value}]
    return {"other": "x", first: value}


@pytest.mark.parametrize(("type", "path", "place"), ROWS)
def test_every_row_of_the_table_is_flagged_with_its_words(
    type: str, path: tuple[str, ...], place: int
) -> None:
    found_row = TABLE.find(type, path)
    assert found_row is not None
    case = found_row[1][place]
    assert case.meaning is not None
    before, after = sides(case)
    row = plan([change(type, resource(path, before), resource(path, after))])
    flagged = flags_of("dev", row)
    words = (case.meaning.title, case.meaning.reason)
    assert words in [(flag.title, flag.reason) for flag in flagged]
    assert next(flag for flag in flagged if flag.title == words[0]).weight in range(1, 101)
    same = resource(path, after)
    assert flags_of("dev", plan([change(type, same, {**same, "other": "y"})])) == ()


@pytest.mark.parametrize("hidden", [UNKNOWN, Masked(b"1")])
def test_a_switch_that_may_be_turned_off_cannot_be_ruled_out(hidden: Tree) -> None:
    (flag,) = flags(
        change("aws_lb", {"enable_deletion_protection": True}, {"enable_deletion_protection": hidden})
    )
    assert (flag.concern, flag.title) == (Concern.UNKNOWN, "Deletion protection off")
    assert (
        flags(change("aws_lb", {"enable_deletion_protection": False}, {"enable_deletion_protection": hidden}))
        == ()
    )


def test_only_what_is_written_counts_for_something_new() -> None:
    assert titles(change("aws_db_instance", ABSENT, {"publicly_accessible": True})) == ["Made public"]
    assert titles(change("aws_db_instance", ABSENT, {"storage_encrypted": False})) == ["Encryption off"]
    assert titles(change("aws_db_instance", ABSENT, {"storage_encrypted": UNKNOWN, "multi_az": False})) == []


@pytest.mark.parametrize("type", sorted(GUARDIANS))
def test_the_deletion_of_what_protects_is_flagged(type: str) -> None:
    found = flags(change(type, {"name": "x"}))
    assert [(flag.concern, flag.title, flag.reason) for flag in found] == [GUARDIANS[type]]
    assert titles(change(type, {"name": "x"}, {"name": "x", "tags": {}})) == []
    assert titles(change(type, {"name": "x"}, deposed="abcd1234")) == []
    assert titles(change(type, ABSENT, {"name": "x"})) == []


def test_what_protects_something_that_is_deleted_too_is_not() -> None:
    versions = change("aws_s3_bucket_versioning", {"bucket": "b"})
    assert titles(change("aws_s3_bucket", {"bucket": "b"}), versions) == ["Data deleted"]
    assert titles(change("aws_s3_bucket", {"bucket": "c"}), versions) == ["Data deleted", "Versioning off"]


def test_a_protection_whose_block_is_gone_is_flagged() -> None:
    before: dict[str, Tree] = {"point_in_time_recovery": [{"enabled": True}]}
    assert titles(change("aws_dynamodb_table", before, {"point_in_time_recovery": []})) == ["Backups off"]
    assert titles(change("aws_dynamodb_table", before, {})) == ["Backups off"]


def test_one_disk_of_several_without_encryption_is_flagged() -> None:
    one: Tree = {"encrypted": True}
    other: Tree = {"encrypted": False}
    before: dict[str, Tree] = {"ebs_block_device": [one, one]}
    assert titles(change("aws_instance", before, {"ebs_block_device": [one, other]})) == ["Encryption off"]
    assert titles(change("aws_instance", before, {"ebs_block_device": [one]})) == []


def test_a_replacement_is_compared_like_an_update() -> None:
    found = titles(change("aws_ebs_volume", {"encrypted": True}, {"encrypted": False}, action=Action.REPLACE))
    assert sorted(found) == ["Data replaced", "Encryption off"]


def test_deletion_protection_that_a_new_resource_lacks_raises_nothing() -> None:
    assert titles(change("aws_lb", ABSENT, {"enable_deletion_protection": False, "internal": True})) == []


def test_an_alarm_that_tells_somebody_new_raises_nothing() -> None:
    before: dict[str, Tree] = {"alarm_actions": ["arn:aws:sns:a:1:b"]}
    assert titles(change("aws_cloudwatch_metric_alarm", before, {"alarm_actions": UNKNOWN})) == []
    assert titles(change("aws_cloudwatch_metric_alarm", before, {"alarm_actions": []})) == ["Alarms off"]


def test_container_insights_turned_off_is_flagged() -> None:
    def cluster(value: str) -> dict[str, Tree]:
        return {"setting": [{"name": "containerInsights", "value": value}]}

    (flag,) = flags(change("aws_ecs_cluster", cluster("enabled"), cluster("disabled")))
    assert flag.path == ("setting", "containerInsights")
    assert titles(change("aws_ecs_cluster", cluster("disabled"), cluster("enhanced"))) == []


def test_a_firewall_that_blocks_less_is_flagged() -> None:
    def acl(action: str, *rules: str) -> dict[str, Tree]:
        return {"default_action": [{action: [{}]}], "rule": [{"name": rule} for rule in rules]}

    kind = "aws_wafv2_web_acl"
    assert titles(change(kind, acl("block"), acl("allow"))) == ["Firewall weakened"]
    (flag,) = flags(change(kind, acl("allow", "a", "b"), acl("allow", "b")))
    assert (flag.path, flag.before, flag.after) == (("rule", "a"), "a", ABSENT)
    assert titles(change(kind, acl("allow", "a"), acl("block", "a", "b"))) == ["Blocked by the firewall"]


@pytest.mark.parametrize(
    ("type", "path", "before", "after", "title"),
    [
        ("aws_db_instance", "storage_encrypted", True, False, "Encryption off"),
        ("aws_db_instance", "skip_final_snapshot", False, True, "Deletion made easy"),
        ("aws_db_instance", "deletion_protection", True, False, "Deletion protection off"),
        ("aws_dynamodb_table", "deletion_protection_enabled", True, False, "Deletion protection off"),
        ("aws_dynamodb_table", "point_in_time_recovery.enabled", True, False, "Backups off"),
        ("aws_s3_bucket", "force_destroy", False, True, "Deletion made easy"),
        (
            "aws_s3_bucket_public_access_block",
            "block_public_policy",
            True,
            False,
            "Public access no longer blocked",
        ),
        (
            "aws_s3_bucket_versioning",
            "versioning_configuration.status",
            "Enabled",
            "Suspended",
            "Versioning off",
        ),
        ("aws_lb", "enable_deletion_protection", True, False, "Deletion protection off"),
        ("aws_lb", "access_logs.enabled", True, False, "Logging off"),
        ("aws_lb_listener", "ssl_policy", "new", "ELBSecurityPolicy-2016-08", "Weaker TLS"),
        ("aws_ecr_repository", "image_tag_mutability", "IMMUTABLE", "MUTABLE", "Tags can be moved"),
        ("aws_ecs_service", "network_configuration.assign_public_ip", False, True, "Made public"),
    ],
)
def test_what_this_platform_has_switched_on_is_watched(
    type: str, path: str, before: Tree, after: Tree, title: str
) -> None:
    def resource(value: Tree) -> dict[str, Tree]:
        first, *inner = path.split(".")
        for key in reversed(inner):
            value = [{key: value}]
        return {"name": "x", first: value}

    assert titles(change(type, resource(before), resource(after))) == [title]


@pytest.mark.parametrize(
    ("type", "title"),
    [
        ("aws_cloudtrail", "Logging off"),
        ("aws_cloudwatch_metric_alarm", "Alarms off"),
        ("aws_flow_log", "Logging off"),
        ("aws_s3_bucket_versioning", "Versioning off"),
        ("aws_sns_topic_subscription", "Alarms off"),
        ("aws_wafv2_web_acl_association", "Firewall off"),
    ],
)
def test_what_everybody_would_miss_is_not_deleted_unnoticed(type: str, title: str) -> None:
    assert titles(change(type, {"name": "x"})) == [title]
