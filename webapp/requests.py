"""Parses a request's JSON body, query string and cursor into models.

Invalid input raises `HTTPProblem`, which names the invalid parts. A cursor is the start of a page of a list,
and opaque to clients: a model as JSON in base64url (RFC 4648, section 5) without padding. The model holds the
position and the query of the list, so that a cursor of another list is rejected.
"""

import base64
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from starlette.datastructures import QueryParams
from starlette.requests import Request

from webapp.components import Component
from webapp.resources import Resources
from webapp.responses import JSON, HTTPProblem

M = TypeVar("M", bound=BaseModel)

OPERATORS: Final = "/api/operator/"
"""What the paths of the operator's API begin with."""

MOST_ERRORS: Final = 20
"""Errors in one response."""

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED: Final = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*+"'
_PARAMETER: Final = re.compile(rf"({_WORD})=({_WORD}|{_QUOTED})")
_MEDIA_TYPE: Final = re.compile(
    rf"(?P<essence>{_WORD}/{_WORD})(?P<parameters>(?:[ \t]*+;[ \t]*+(?:{_PARAMETER.pattern})?+)*+)"
)
"""Possessive throughout, so that matching takes linear time: RFC 9110, sections 5.6 and 8.3.1."""

_NOT_IN_CURSORS: Final = frozenset(b"+/=")
"""Characters of base64 that base64url without padding lacks."""

_DETAILS: Final = {
    "extra_forbidden": "There is no such {part}.",
    "missing": "This {part} is missing.",
}


async def read_body(request: Request[Resources], model: type[M]) -> M:
    """Parses the request's body, which is JSON (RFC 8259) in UTF-8.

    Raises `HTTPProblem`: 415 for another media type or encoding, 400 for invalid JSON, 422 for JSON that
    does not match the model.
    """
    _check_media_type(request)
    body = await request.body()
    try:
        body.decode()
    except UnicodeDecodeError as error:
        detail = f"The body is not UTF-8: byte {error.start} begins no character."
        raise HTTPProblem(HTTPStatus.BAD_REQUEST, detail) from None
    try:
        return model.model_validate_json(body, strict=True, context=_known(request))
    except ValidationError as error:
        problems = _problems(error)
        if problems[0]["type"] == "json_invalid":
            detail = f"The body is not JSON: {problems[0]['ctx']['error']}."
            raise HTTPProblem(HTTPStatus.BAD_REQUEST, detail) from None
        errors = [
            {"pointer": json_pointer(problem["loc"]), "detail": _detail(problem, "member")}
            for problem in problems
        ]
        detail = "The body does not fit; errors tells where."
        raise HTTPProblem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors) from None


def read_query(request: Request[Resources], model: type[M]) -> M:
    """Parses the request's query string, in which each parameter may occur once.

    Only operators may name components that are not public.

    Raises `HTTPProblem`, 400, for unknown, repeated, missing or invalid parameters.
    """
    given = request.query_params.multi_items()
    errors = [
        {"parameter": name, "detail": f"It is given {count} times; once is enough."}
        for name, count in Counter(name for name, _ in given).items()
        if count > 1
    ]
    if not errors:
        try:
            public = not request.scope["path"].startswith(OPERATORS)
            return model.model_validate(dict(given), context=_known(request, public=public))
        except ValidationError as error:
            errors = [
                {"parameter": str(problem["loc"][0]), "detail": _detail(problem, "parameter")}
                for problem in _problems(error)
            ]
    detail = "The query string has parameters that are wrong; errors tells which."
    raise HTTPProblem(HTTPStatus.BAD_REQUEST, detail, errors=errors[:MOST_ERRORS])


def _known(request: Request[Resources], *, public: bool = False) -> Mapping[str, Component]:
    """Returns the components that a client may name."""
    settings = request.state["settings"]
    return settings.public if public else settings.watched


def json_pointer(location: Sequence[str | int]) -> str:
    """Returns a JSON pointer (RFC 6901, section 3) to a part of a document; the empty one is the whole."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return "".join(f"/{part}" for part in parts)


def is_json(content_type: str) -> bool:
    """Returns whether a media type (RFC 9110, section 8.3.1) is JSON, with charset UTF-8 or none."""
    match = _MEDIA_TYPE.fullmatch(content_type.strip(" \t"))
    if match is None or match["essence"].lower() != JSON:
        return False
    charsets = {
        value.strip('"').lower()
        for name, value in _PARAMETER.findall(match["parameters"])
        if name.lower() == "charset"
    }
    return charsets <= {"utf-8"}


def _check_media_type(request: Request[Resources]) -> None:
    # RFC 9110, section 15.5.16: the response names what would be accepted.
    if not is_json(request.headers.get("Content-Type", "")):
        detail = f"The body must be {JSON} in UTF-8, and Content-Type must say so."
        raise HTTPProblem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"Accept": JSON})
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        detail = "The body must not be compressed."
        raise HTTPProblem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"Accept-Encoding": "identity"})


def _problems(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_input=False)[:MOST_ERRORS]


def _detail(problem: ErrorDetails, part: str) -> str:
    """Returns what is wrong, for a person; the app's own validators supply the text."""
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    known = _DETAILS.get(problem["type"])
    return known.format(part=part) if known else f"{problem['msg']}."


def _in_utc(at: datetime) -> datetime:
    if at.utcoffset() != timedelta(0):
        raise ValueError("The app writes times in UTC.")
    return at


UtcTime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time in UTC: times with another offset near the ends of the calendar cannot be converted."""


class Cursor(BaseModel):
    """The base of all cursors, with strict members."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


C = TypeVar("C", bound=Cursor)


def encode_cursor(cursor: Cursor) -> str:
    """Encodes a cursor as text that needs no escaping in a query string."""
    return base64.urlsafe_b64encode(cursor.model_dump_json().encode()).decode().rstrip("=")


def decode_cursor(text: str, model: type[C]) -> C:
    """Decodes a cursor of this model. Raises `HTTPProblem`, 400, if the text is not one."""
    try:
        code = text.encode("ascii")
        if _NOT_IN_CURSORS.intersection(code):
            raise ValueError
        padding = b"=" * (-len(code) % 4)
        return model.model_validate_json(base64.b64decode(code + padding, b"-_", validate=True))
    except (ValueError, ValidationError):
        raise wrong_cursor() from None


def wrong_cursor() -> HTTPProblem:
    """Returns the error for a cursor that does not belong to the requested list."""
    detail = "It is none of this list. Leave it out to begin with the first page."
    return HTTPProblem(
        HTTPStatus.BAD_REQUEST,
        "The cursor is wrong.",
        errors=[{"parameter": "cursor", "detail": detail}],
    )


LINK: Final = {"Link": "The next page (RFC 8288), where there is one."}
"""Describes the header of `link_to_next`."""


def link_to_next(request: Request[Resources], cursor: str | None) -> dict[str, str]:
    """Returns the header that links to the page of a cursor (RFC 8288); empty without a cursor."""
    if cursor is None:
        return {}
    query = QueryParams({**request.query_params, "cursor": cursor})
    return {"Link": f'<{request.scope["path"]}?{query}>; rel="next"'}
