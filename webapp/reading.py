"""Reads what a request brings, its JSON body and its query string, into models.

Whatever is wrong with it is a `Refusal` that names the parts that are wrong.
"""

import re
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request

from webapp.answers import Refusal
from webapp.resources import Resources

M = TypeVar("M", bound=BaseModel)

JSON: Final = "application/json"
MOST_ERRORS: Final = 20
"""As many are told; more help nobody."""

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED: Final = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*+"'
_PARAMETER: Final = re.compile(rf"({_WORD})=({_WORD}|{_QUOTED})")
_MEDIA_TYPE: Final = re.compile(
    rf"(?P<essence>{_WORD}/{_WORD})(?P<parameters>(?:[ \t]*+;[ \t]*+(?:{_PARAMETER.pattern})?+)*+)"
)
"""Possessive throughout, so that a long header is read once: RFC 9110, sections 5.6 and 8.3.1."""

_DETAILS: Final = {
    "extra_forbidden": "There is no such {part}.",
    "missing": "This {part} is missing.",
}


async def read_body(request: Request[Resources], model: type[M]) -> M:
    """The model in the request's body, which is JSON (RFC 8259) in UTF-8.

    Raises `Refusal`: 415 for another media type or encoding, 400 for what is no JSON, 422 for JSON that
    does not fit the model.
    """
    _check_media_type(request)
    body = await request.body()
    try:
        body.decode()
    except UnicodeDecodeError as error:
        detail = f"The body is not UTF-8: byte {error.start} begins no character."
        raise Refusal(HTTPStatus.BAD_REQUEST, detail) from None
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        problems = _problems(error)
        if problems[0]["type"] == "json_invalid":
            detail = f"The body is not JSON: {problems[0]['ctx']['error']}."
            raise Refusal(HTTPStatus.BAD_REQUEST, detail) from None
        errors = [
            {"pointer": json_pointer(problem["loc"]), "detail": _detail(problem, "member")}
            for problem in problems
        ]
        detail = "The body does not fit; errors tells where."
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors) from None


def read_query(request: Request[Resources], model: type[M]) -> M:
    """The model in the request's query string, each of its parameters given once at most.

    Raises `Refusal`, 400, for parameters that are unknown, repeated, missing or wrong.
    """
    given = request.query_params.multi_items()
    errors = [
        {"parameter": name, "detail": f"It is given {count} times; once is enough."}
        for name, count in Counter(name for name, _ in given).items()
        if count > 1
    ]
    if not errors:
        try:
            return model.model_validate(dict(given))
        except ValidationError as error:
            errors = [
                {"parameter": str(problem["loc"][0]), "detail": _detail(problem, "parameter")}
                for problem in _problems(error)
            ]
    detail = "The query string has parameters that are wrong; errors tells which."
    raise Refusal(HTTPStatus.BAD_REQUEST, detail, errors=errors[:MOST_ERRORS])


def json_pointer(location: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901, section 3) to a part of a document; the empty one is all of it."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return "".join(f"/{part}" for part in parts)


def says_json(content_type: str) -> bool:
    """Whether a media type (RFC 9110, section 8.3.1) is that of JSON, in UTF-8 if it says so at all."""
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
    # RFC 9110, section 15.5.16, has the answer say what would be accepted.
    if not says_json(request.headers.get("Content-Type", "")):
        detail = f"The body must be {JSON} in UTF-8, and Content-Type must say so."
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"Accept": JSON})
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        detail = "The body must not be compressed."
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"Accept-Encoding": "identity"})


def _problems(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_input=False)[:MOST_ERRORS]


def _detail(problem: ErrorDetails, part: str) -> str:
    """What is wrong, for a person; validators of ours say it themselves."""
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    known = _DETAILS.get(problem["type"])
    return known.format(part=part) if known else f"{problem['msg']}."
