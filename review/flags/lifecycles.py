"""Flags objects that a bucket deletes by age, for the first time or sooner."""

from collections.abc import Iterator

from review.flags.subject import Subject, blocks, is_about_what_stays
from review.model import ABSENT, Concern, Flag, Tree


def lifecycles(subject: Subject) -> Iterator[Flag]:
    """Flags objects of an existing bucket that expire sooner than before."""
    if subject.change.type != "aws_s3_bucket_lifecycle_configuration" or not subject.stays:
        return
    if subject.is_new and not is_about_what_stays(subject):
        return
    before = _ages(subject.before)
    for (rule, kind), days in sorted(_ages(subject.after).items()):
        former = before.get((rule, kind))
        if former is None or days < former:
            yield subject.flag(
                Concern.DATA_LOSS,
                "Objects expire sooner",
                "The bucket deletes objects by age, or sooner than before.",
                ("rule", rule, kind, "days"),
                ABSENT if former is None else former,
                days,
                weight=70,
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
