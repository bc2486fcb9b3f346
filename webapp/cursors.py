"""Cursors: where the next page of a list begins. Clients hand them back unread.

A cursor is a model as JSON in base64url (RFC 4648, section 5) without padding. The model has, besides the
position, all that the list was asked for, so that a cursor of another list is told from one of this.
"""

import binascii
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import Request

from webapp.answers import Refusal
from webapp.resources import Resources


def _in_utc(at: datetime) -> datetime:
    if at.utcoffset() != timedelta(0):
        raise ValueError("The app writes times in UTC.")
    return at


UtcTime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time as the app writes it; near the ends of the calendar, others have none in UTC."""


class Cursor(BaseModel):
    """What all cursors have in common: their members are known, and are what they say they are."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


C = TypeVar("C", bound=Cursor)


def encoded(cursor: Cursor) -> str:
    """A cursor as text that fits into a query string as it is."""
    text = binascii.b2a_base64(cursor.model_dump_json().encode(), newline=False)
    return text.translate(_TO_URL, b"=").decode()


def decoded(text: str, model: type[C]) -> C:
    """The cursor in a text. Raises `Refusal`, 400, when there is none of this model in it."""
    try:
        code = text.encode("ascii")
        if _STANDARD_ONLY.intersection(code):
            raise ValueError
        padding = b"=" * (-len(code) % 4)
        content = binascii.a2b_base64(code.translate(_FROM_URL) + padding, strict_mode=True)
        return model.model_validate_json(content)
    except (ValueError, ValidationError):
        raise wrong_cursor() from None


def wrong_cursor() -> Refusal:
    """Says that a cursor does not go with the list that was asked for."""
    detail = "It is none of this list. Leave it out to begin with the first page."
    return Refusal(
        HTTPStatus.BAD_REQUEST,
        "The cursor is wrong.",
        errors=[{"parameter": "cursor", "detail": detail}],
    )


def link_to_next(request: Request[Resources], cursor: str | None) -> dict[str, str]:
    """The header that links to the page a cursor begins: RFC 8288. Without a cursor, none."""
    if cursor is None:
        return {}
    query = QueryParams({**request.query_params, "cursor": cursor})
    return {"Link": f'<{request.scope["path"]}?{query}>; rel="next"'}


_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
_STANDARD_ONLY: Final = frozenset(b"+/=")
