"""How to go back: what a revert restores, and what it does not."""

from pathlib import Path
from typing import Any

import pytest

from review import flags
from review.checks import TableError
from review.effects.recovery import recovery_of
from review.model import Action, Masked, ResourceChange, Tree
from review.rendering.effects import recovery_section
from review.rules import Rules
from review.table import default_table, extended
from tests.review.flagging import change
from tests.review.rendering import assert_well_formed, plan, review, stack
from tests.review.rendering import change as made


def section(*changes: ResourceChange, rules: Rules | None = None, **fields: Any) -> str:
    text = recovery_section(review(stack(*changes, **fields), rules=rules or Rules()))
    assert_well_formed(f"<!-- oaktree-review -->\n\n{text}\n")
    return text


def comes_back(kind: str, before: dict[str, Tree], action: Action = Action.DELETE) -> str:
    """How the only thing that a plan destroys comes back."""
    text = section(change(kind, {"id": "x", **before}, action=action))
    (line,) = (line for line in text.splitlines() if line.endswith(f" · `{kind}.it`"))
    return line.removeprefix("- ").removesuffix(f" · `{kind}.it`")


def test_what_a_revert_brings_back_entirely_needs_no_words() -> None:
    assert section(change("aws_sqs_queue", {"delay_seconds": 1}, {"delay_seconds": 2})) == ""
    assert section(change("aws_sqs_queue", after={"name": "new"})) == ""
    assert section(change("aws_ecs_task_definition", {"cpu": "1"}, {"cpu": "2"}, action=Action.REPLACE)) == ""


def test_a_revert_says_what_it_does_to_each_kind_of_change() -> None:
    text = section(
        change("aws_sqs_queue", {"delay_seconds": 1}, {"delay_seconds": 2}, name="changed"),
        change("aws_sns_topic", after={"name": "new"}),
        change("aws_lb", {"name": "gone"}),
    )
    assert text.splitlines()[2] == (
        "Reverting the commit and applying again gives 1 updated resource the previous values back; deletes "
        "1 created resource with what is in it by then; creates 1 destroyed resource anew, with new ids."
    )


def test_several_created_resources_go_with_what_is_in_them() -> None:
    made = [change("aws_sns_topic", after={"name": name}, name=name) for name in ("one", "two")]
    text = section(*made, change("aws_lb", {"name": "gone"}))
    assert "deletes 2 created resources with what is in them by then;" in text


@pytest.mark.parametrize("action", [Action.DELETE, Action.REPLACE])
@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (
            {"skip_final_snapshot": False, "final_snapshot_identifier": "last"},
            "from the final snapshot `last` that the deletion takes",
        ),
        (
            # AWS takes no final snapshot without a name, so the deletion fails.
            {"skip_final_snapshot": False, "final_snapshot_identifier": None},
            "from snapshots or AWS Backup, if there are any",
        ),
        (
            {"skip_final_snapshot": True},
            "from snapshots or AWS Backup, if there are any (no final snapshot is taken)",
        ),
        (
            {"skip_final_snapshot": True, "delete_automated_backups": False, "backup_retention_period": 7},
            (
                "from its automated backups, which are kept for up to `7` days; or from snapshots or AWS "
                "Backup, if there are any (no final snapshot is taken)"
            ),
        ),
        (
            {"skip_final_snapshot": True, "delete_automated_backups": False, "backup_retention_period": 0},
            "from snapshots or AWS Backup, if there are any (no final snapshot is taken)",
        ),
        ({}, "from snapshots or AWS Backup, if there are any"),
        ({"skip_final_snapshot": Masked(b"x")}, "from snapshots or AWS Backup, if there are any"),
    ],
)
def test_a_database_comes_back_from_what_its_settings_leave(
    before: dict[str, Tree], expected: str, action: Action
) -> None:
    assert comes_back("aws_db_instance", before, action) == f"the database's content: {expected}"


@pytest.mark.parametrize(
    ("kind", "before", "expected"),
    [
        ("aws_dynamodb_table", {"point_in_time_recovery": [{"enabled": True}]}, "for 35 days"),
        ("aws_dynamodb_table", {"point_in_time_recovery": [{"enabled": False}]}, "only from on-demand"),
        ("aws_dynamodb_table", {}, "only from on-demand backups"),
        ("aws_secretsmanager_secret", {"recovery_window_in_days": 0}, "lost: it is deleted at once"),
        ("aws_secretsmanager_secret", {"recovery_window_in_days": 7}, "for `7` days; until then its name"),
        ("aws_kms_key", {"deletion_window_in_days": 9}, "by cancelling its deletion, for `9` days"),
        ("aws_kms_key", {}, "before its waiting period ends"),
        ("aws_s3_bucket", {"force_destroy": False}, "the apply fails rather than lose an object"),
        ("aws_s3_bucket", {"force_destroy": True}, "all objects and versions are deleted"),
        ("aws_sqs_queue", {}, "the messages in it: lost"),
        ("aws_cloudwatch_log_group", {"skip_destroy": True}, "it stays in the account"),
        ("aws_secretsmanager_secret", {}, "how is not known here"),
        ("aws_glacier_vault", {}, "how is not known here"),
    ],
)
def test_each_type_comes_back_as_the_table_says(kind: str, before: dict[str, Tree], expected: str) -> None:
    assert expected in comes_back(kind, before)


def test_a_plain_revert_of_moves_imports_and_forgotten_resources_destroys() -> None:
    text = section(
        made("aws_sqs_queue.moved", Action.MOVE),
        made("aws_sqs_queue.imported", Action.IMPORT),
        made("aws_sqs_queue.forgotten", Action.FORGET),
    )
    assert text.splitlines()[2] == (
        "Reverting the commit and applying again brings back what the configuration says."
    )
    _, _, also = text.partition("It also:\n\n")
    assert [line.partition(" what is ")[0] for line in also.splitlines()[:3]] == [
        "- deletes and creates anew",
        "- deletes",
        "- creates a second one of",
    ]
    assert "leaves it in the account · `aws_sqs_queue.imported`" in also


def test_an_update_that_a_revert_does_not_undo_is_named() -> None:
    shorter = change("aws_cloudwatch_log_group", {"retention_in_days": 30}, {"retention_in_days": 7})
    assert "- *Kept for less time*: what was deleted until then stays deleted." in section(shorter)


def test_a_point_about_what_is_destroyed_is_no_update_to_undo() -> None:
    before: dict[str, Tree] = {"id": "x", "engine": "mysql"}
    gone = change("aws_db_instance", before, {**before, "engine": "postgres"}, action=Action.REPLACE)
    assert "Version changed" in {flag.title for flag in review(stack(gone), rules=Rules()).stacks[0].flags}
    assert "Version changed" not in section(gone)


def test_a_point_about_something_new_does_not_outlast_a_revert() -> None:
    """The point stands, as images of an existing repository may expire; the change itself is a creation."""
    kept = change("aws_ecr_lifecycle_policy", after={"repository": "web", "policy": "{}"})
    found = review(stack(kept), rules=Rules()).stacks[0].flags
    assert "Images expire" in default_table().back
    assert recovery_of("dev", plan(kept), found, default_table()).is_simple


def test_many_losses_are_counted() -> None:
    gone = [
        change("aws_kms_key", {"id": "x", "deletion_window_in_days": at}, name=f"k{at}")
        for at in range(7, 37)
    ]
    assert section(*gone).splitlines()[-3] == "- 10 more lines"


def test_rules_of_ones_own_say_how_a_type_comes_back() -> None:
    said = {
        "types": {
            "aws_vault": {
                "deleted": {"holds": "the documents", "weight": 90},
                "back": {"copies on": "from the copy in {place}", "otherwise": "not at all"},
            }
        }
    }
    rules = Rules(extended(default_table(), said, "review.toml"))
    gone = change("aws_vault", {"id": "x", "copies": True, "place": "`there`"})
    assert "the documents: from the copy in `` `there` `` · `aws_vault.it`" in section(gone, rules=rules)


@pytest.mark.parametrize(
    ("back", "message"),
    [
        ({"copies": "x"}, "condition 'copies': use otherwise, or an attribute and one of nonzero, off"),
        ({"copies maybe": "x"}, "condition 'copies maybe'"),
        ({"otherwise": 1}, "types.aws_vault.back.otherwise = 1: must be a text"),
    ],
)
def test_ways_back_that_cannot_be_read_say_where(back: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message.replace(".", r"\.")):
        extended(default_table(), {"types": {"aws_vault": {"back": back}}}, "review.toml")


def test_what_runs_cannot_be_said_with_an_unknown_key() -> None:
    with pytest.raises(TableError, match=r"runs\.rolls: no such key; use interrupted_by"):
        extended(default_table(), {"types": {"aws_vault": {"runs": {"rolls": ["a"]}}}}, "review.toml")


def test_every_title_of_the_table_s_ways_back_is_one_of_a_point() -> None:
    table = default_table()
    coded = "".join(path.read_text() for path in Path(flags.__file__ or "").parent.glob("*.py"))
    titles = {meaning.title for meaning in table.means.values()}
    assert [title for title in table.back if title not in titles and f'"{title}"' not in coded] == []
