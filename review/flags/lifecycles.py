"""Flags objects that a bucket deletes by age, for the first time or sooner.

Source: S3 User Guide, "Lifecycle configuration elements".
"""

from collections.abc import Iterator
from typing import Final

from review.flags.attributes import number
from review.flags.subject import Subject, is_about_what_stays
from review.model import ABSENT, Concern, Flag, Tree, blocks

KEPT: Final = "versions kept"

LIMITS: Final = (
    ("expiration", "days", "days"),
    ("expiration", "date", "date"),
    ("noncurrent_version_expiration", "noncurrent_days", "days"),
    ("noncurrent_version_expiration", "newer_noncurrent_versions", KEPT),
)
"""What decides when objects are deleted, and what a reader calls it: the less, the sooner."""

Ages = dict[tuple[str, str, str], int | str]
"""Days, number of versions, or the date as S3 writes it, by rule, kind of expiry and what limits it."""


def lifecycles(subject: Subject) -> Iterator[Flag]:
    """Flags objects of an existing bucket that expire sooner than before."""
    if subject.change.type != "aws_s3_bucket_lifecycle_configuration" or not subject.stays:
        return
    if subject.is_new and not is_about_what_stays(subject):
        return
    before, after = _ages(subject.before), _ages(subject.after)
    # Without a number, no version is kept whatever its age.
    for rule, kind, what in before:
        if what == KEPT and (rule, kind, "days") in after:
            after.setdefault((rule, kind, KEPT), 0)
    for place, limit in sorted(after.items()):
        former = before.get(place)
        if former is None and place[2] == KEPT and (*place[:2], "days") in before:
            continue  # versions that are kept whatever their age: fewer are deleted
        if former is None or _is_sooner(limit, former):
            yield subject.flag(
                Concern.DATA_LOSS,
                "Objects expire sooner",
                "The bucket deletes objects by age, or sooner than before.",
                ("rule", *place),
                ABSENT if former is None else former,
                limit,
                weight=70,
            )


def _is_sooner(limit: int | str, former: int | str) -> bool:
    now, then = number(limit), number(former)
    return str(limit) < str(former) if now is None or then is None else now < then


def _ages(resource: dict[str, Tree]) -> Ages:
    """Returns what decides when objects are deleted."""
    ages: Ages = {}
    for place, rule in enumerate(blocks(resource.get("rule"))):
        if rule.get("status") == "Disabled":
            continue
        label = rule.get("id")
        for kind, key, word in LIMITS:
            for block in blocks(rule.get(kind)):
                limit = block.get(key)
                if isinstance(limit, int | str) and not isinstance(limit, bool) and limit not in (0, "", "0"):
                    ages[label if isinstance(label, str) else str(place), kind, word] = limit
    return ages
