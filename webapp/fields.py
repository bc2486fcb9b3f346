"""Field types that models share, and times in RFC 3339 format."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from webapp.components import ID_PATTERN

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DATE_TIME: Final = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt](?P<time>\d{2}:\d{2}:\d{2})(?P<fraction>\.\d+)?"
    r"(?P<offset>[Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)
_MICROSECONDS: Final = 7
"""Characters of a fraction of a second that a `datetime` can hold, including the point."""

EXPECTED: Final = (
    "Expected a time such as 2026-11-23T06:25:00Z or a date such as 2026-11-23. "
    "A + in a query string is written %2B."
)
EXPECTED_TIME: Final = "Expected a time such as 2026-11-23T06:25:00Z or 2026-11-23T07:25:00+01:00."

DATE_OR_TIME: Final = WithJsonSchema(
    {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}
)


def date_time(value: object) -> datetime:
    """Returns the time (UTC) of a date-time (RFC 3339, section 5.6).

    Raises `ValueError` with the expected format, for values that are not text, too.
    """
    try:
        at = _as_date_time(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None:
        raise ValueError(EXPECTED_TIME)
    return at


def start_of(text: str) -> datetime:
    """Returns the time (UTC) at which a date-time or full-date (RFC 3339, section 5.6) starts.

    Raises `ValueError` with the expected format. Leap seconds are not supported.
    """
    return _as_date_time(text) or _midnight(_as_date(text))


def end_of(text: str) -> datetime:
    """Returns a date-time, or the first time (UTC) after a full-date.

    Raises `ValueError` with the expected format.
    """
    if (at := _as_date_time(text)) is not None:
        return at
    try:
        return _midnight(_as_date(text) + timedelta(days=1))
    except OverflowError:
        raise ValueError(EXPECTED) from None


def _as_date_time(text: str) -> datetime | None:
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return None
    fraction = (match["fraction"] or "")[:_MICROSECONDS]
    try:
        at = datetime.fromisoformat(f"{match['date']}T{match['time']}{fraction}{match['offset'].upper()}")
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(EXPECTED) from None


def _as_date(text: str) -> date:
    if not _DATE.fullmatch(text):
        raise ValueError(EXPECTED)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(EXPECTED) from None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


T = TypeVar("T")

LONGEST_CURSOR: Final = 512
_MOST_DIGITS: Final = 9


def _is_given(value: T | None) -> T:
    if value is None:
        raise ValueError("Expected a value. Leave it out rather than say null.")
    return value


def _leave_out_null(schema: dict[str, Any]) -> None:
    """Removes null and the default from a field's schema."""
    schema.pop("default", None)
    choices = [choice for choice in schema.pop("anyOf") if choice != {"type": "null"}]
    schema.update(choices[0] if len(choices) == 1 else {"anyOf": choices})


MayBeLeftOut = Annotated[T | None, AfterValidator(_is_given), Field(json_schema_extra=_leave_out_null)]
"""An optional field: its default is None, but a client may not send null."""


def _whole_number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return int(text)
    raise ValueError("Expected a whole number.")


WholeNumber = Annotated[int, BeforeValidator(_whole_number)]
"""A query parameter of decimal digits, without sign or point."""


def _known(identifier: str, info: ValidationInfo) -> str:
    if info.context is not None and identifier not in info.context:
        raise ValueError(f"There is no such component; there are {', '.join(info.context)}.")
    return identifier


ComponentId = Annotated[str, Field(json_schema_extra={"pattern": ID_PATTERN}), AfterValidator(_known)]
"""The id of a component. The context of the validation has those that clients may name; without it, all."""

CursorText = Annotated[str, Field(min_length=1, max_length=LONGEST_CURSOR)]
"""A query parameter with the cursor of a page."""

CURSOR: Final = "`next` of the page before; the other parameters, but for limit, as they were."
"""The description of `CursorText`."""
