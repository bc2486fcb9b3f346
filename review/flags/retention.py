"""Flags shorter retention of logs, backups and objects."""

from collections.abc import Iterator
from math import inf
from typing import Final

from review.flags.subject import Subject, blocks, hidden, values
from review.model import ABSENT, Action, Concern, Flag, Tree, is_nothing

RETENTIONS: Final = {
    "aws_cloudwatch_log_group": "retention_in_days",
    "aws_db_instance": "backup_retention_period",
    "aws_docdb_cluster": "backup_retention_period",
    "aws_dynamodb_table": "point_in_time_recovery.recovery_period_in_days",
    "aws_elasticache_cluster": "snapshot_retention_limit",
    "aws_elasticache_replication_group": "snapshot_retention_limit",
    "aws_kinesis_stream": "retention_period",
    "aws_kms_key": "deletion_window_in_days",
    "aws_memorydb_cluster": "snapshot_retention_limit",
    "aws_neptune_cluster": "backup_retention_period",
    "aws_rds_cluster": "backup_retention_period",
    "aws_redshift_cluster": "automated_snapshot_retention_period",
    "aws_s3_bucket_object_lock_configuration": "rule.default_retention.days",
    "aws_secretsmanager_secret": "recovery_window_in_days",
    "aws_sqs_queue": "message_retention_seconds",
    "aws_backup_plan": "rule.lifecycle.delete_after",
}
"""Type to the attribute that says for how long it keeps what it holds."""

FOREVER: Final = frozenset({"aws_cloudwatch_log_group", "aws_backup_plan"})
"""Types for which 0 or nothing is for ever."""


def retention(subject: Subject) -> Iterator[Flag]:
    """Flags shorter retention of logs, backups and objects."""
    if not subject.stays or subject.is_new:
        return
    if subject.change.type == "aws_s3_bucket_lifecycle_configuration":
        yield from _expiry(subject)
    dotted = RETENTIONS.get(subject.change.type)
    if dotted:
        path = tuple(dotted.split("."))
        before, after = values(subject.before, path)[0], values(subject.after, path)[0]
        former = _days(before, subject.change.type)
        if hidden(after) and former is not None and subject.change.action is not Action.REPLACE:
            yield subject.unknown("Kept for less time", path, before, after)
        days = _days(after, subject.change.type)
        if days is not None and former is not None and days < former:
            reason = "What is older than the new time is deleted or can no longer be restored."
            yield subject.flag(Concern.DATA_LOSS, "Kept for less time", reason, path, before, after)


def _days(value: Tree, kept_by: str) -> float | None:
    """Returns the days that something is kept; None if unspecified."""
    if kept_by in FOREVER and (is_nothing(value) or value == 0):
        return inf
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value


def _expiry(subject: Subject) -> Iterator[Flag]:
    """Flags objects that a bucket deletes by age for the first time, or sooner."""
    before = _ages(subject.before)
    for (rule, kind), days in sorted(_ages(subject.after).items()):
        former = before.get((rule, kind))
        if former is None or days < former:
            yield subject.flag(
                Concern.DATA_LOSS,
                "Objects expire sooner",
                "The bucket newly deletes objects by age, or sooner than before.",
                ("rule", rule, kind, "days"),
                ABSENT if former is None else former,
                days,
            )


def _ages(resource: dict[str, Tree]) -> dict[tuple[str, str], int]:
    """Returns the days until objects are deleted, by rule and kind of expiry."""
    ages = {}
    for place, rule in enumerate(blocks(resource.get("rule"))):
        if rule.get("status") == "Disabled":
            continue
        label = rule.get("id")
        for kind, key in (("expiration", "days"), ("noncurrent_version_expiration", "noncurrent_days")):
            for block in blocks(rule.get(kind)):
                days = block.get(key)
                if isinstance(days, int) and not isinstance(days, bool) and days > 0:
                    ages[label if isinstance(label, str) else str(place), kind] = days
    return ages
