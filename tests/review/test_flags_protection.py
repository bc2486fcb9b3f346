import pytest

from review.flags.guardians import GUARDIANS
from review.flags.openings import OPENINGS
from review.flags.protections import PROTECTIONS
from review.flags.switches import Switch
from review.model import ABSENT, UNKNOWN, Action, Concern, Masked, Tree
from tests.review.flagging import change, flags, titles

VALUES: tuple[Tree, ...] = (
    True,
    False,
    7,
    0,
    None,
    "NONE",
    "HTTPS",
    "required",
    "optional",
    "Enabled",
    "ENABLED",
    "DISABLED",
    "Disabled",
    "ALL",
    "all",
    "TLS",
    "COMPLIANCE",
    "ACTIVE",
    "INACTIVE",
    "MUTABLE",
    "IMMUTABLE",
    "KMS",
    "OFF",
    "public-read",
    "allow-all",
    "monitor",
    "HTTP",
    "block-bidirectional",
    "ELBSecurityPolicy-2016-08",
    "TLS_1_0",
)
SWITCHES = [switch for table in (OPENINGS, PROTECTIONS) for switches in table.values() for switch in switches]


def kind(switch: Switch) -> str:
    return min(switch.types, default="aws_something")


def resource(switch: Switch, value: Tree) -> dict[str, Tree]:
    """A resource with a value at the switch's path, within a block for each step."""
    first, *inner = switch.path.split(".")
    for key in reversed(inner):
        value = [{key: value}]
    return {"other": "x", first: value}


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.path)
def test_every_switch_that_goes_from_good_to_bad_is_flagged(switch: Switch) -> None:
    bad = next((value for value in VALUES if value is not None and switch.bad(value)), None)
    good = next(value for value in VALUES if not switch.bad(value))
    of, path = kind(switch), tuple(switch.path.split("."))
    found = flags(change(of, resource(switch, good), resource(switch, bad)))
    assert (switch.title, path, good, bad) in [
        (flag.title, flag.path, flag.before, flag.after) for flag in found
    ]
    before, after = resource(switch, bad), {**resource(switch, bad), "other": "y"}
    assert titles(change(of, before, after)) == []
    assert titles(change(of, resource(switch, bad), resource(switch, good))) == []
    if switch.when_new:
        assert switch.title in titles(change(of, ABSENT, resource(switch, bad)))
    assert titles(change(of, ABSENT, resource(switch, good))) == []
    for hidden in (UNKNOWN, Masked(b"1")):
        unsure = flags(change(of, resource(switch, good), resource(switch, hidden)))
        assert (Concern.UNKNOWN in [flag.concern for flag in unsure]) is not switch.unless_unknown
        assert titles(change(of, resource(switch, hidden), resource(switch, hidden))) == []


@pytest.mark.parametrize("type", sorted(GUARDIANS))
def test_the_deletion_of_what_protects_is_flagged(type: str) -> None:
    title, reason = GUARDIANS[type]
    found = flags(change(type, {"name": "x"}))
    assert [(flag.concern, flag.title, flag.reason) for flag in found] == [
        (Concern.PROTECTION, title, reason)
    ]
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
    assert titles(change(kind, acl("allow", "a"), acl("block", "a", "b"))) == []


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
