"""Reads what requests about incidents carry: a token, an idempotency key, a condition, a cursor.

Invalid input raises `HTTPProblem`. Sources: RFC 6750 (bearer tokens); RFC 9110, section 13
(preconditions); the IETF draft "The Idempotency-Key HTTP Header Field", whose key is taken as it is, quotes
included.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

from pydantic import BaseModel, Field, SecretStr
from starlette.requests import Request

from webapp.incidents.models import ID_PATTERN, IncidentsQuery, Openness
from webapp.incidents.store import Claim
from webapp.operations import Header
from webapp.requests import Cursor, UtcTime, decode_cursor, encode_cursor, wrong_cursor
from webapp.resources import Resources
from webapp.responses import HTTPProblem
from webapp.table import Keys

_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
"""Format of the credentials: RFC 6750, section 2.1. Schemes are case-insensitive: RFC 9110, section 11.1."""

_CHALLENGE: Final = "Bearer"


IDEMPOTENCY_KEY: Final = "Idempotency-Key"
IDEMPOTENCY_REPLAYED: Final = "Idempotency-Replayed"
_KEY_FORMAT: Final = re.compile(r"[\x21-\x7e]{1,255}")

_TAG: Final = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS: Final = re.compile(rf"[ \t]*(?:{_TAG}[ \t]*)?(?:,[ \t]*(?:{_TAG}[ \t]*)?)*")
"""A list in which members may be empty: RFC 9110, section 5.6.1."""


def authorize(request: Request[Resources]) -> None:
    """Returns if the request may write.

    Raises `HTTPProblem`: 403 if no token is set; 401 with a challenge (RFC 6750, section 3) if the request
    has no token or a wrong one. The token is neither logged nor kept.
    """
    expected = request.state["settings"].write_token_sha256
    if expected is None:
        raise HTTPProblem(HTTPStatus.FORBIDDEN, "Writing is off: the app was started without a token for it.")
    given = request.headers.getlist("Authorization")
    credentials = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    if credentials is None:
        detail = "Writing needs a token: send the header Authorization: Bearer <token>."
        raise HTTPProblem(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": _CHALLENGE})
    if not is_token(credentials[1], expected):
        challenge = f'{_CHALLENGE} error="invalid_token"'
        raise HTTPProblem(
            HTTPStatus.UNAUTHORIZED, "This token may not write.", {"WWW-Authenticate": challenge}
        )


def is_token(token: str, sha256: SecretStr) -> bool:
    """Compares a token with a SHA-256 in hexadecimal, in constant time."""
    return hmac.compare_digest(
        hashlib.sha256(token.encode()).digest(), bytes.fromhex(sha256.get_secret_value())
    )


def read_idempotency_key(request: Request[Resources]) -> str | None:
    """Returns the request's idempotency key, or None. Raises `HTTPProblem`, 400, if it is invalid."""
    given = request.headers.getlist(IDEMPOTENCY_KEY)
    if not given:
        return None
    if len(given) > 1 or not _KEY_FORMAT.fullmatch(given[0]):
        detail = f"{IDEMPOTENCY_KEY} must be 1 to 255 visible ASCII characters, given once."
        raise HTTPProblem(HTTPStatus.BAD_REQUEST, detail)
    return given[0]


IDEMPOTENCY_HEADER: Final = Header(
    IDEMPOTENCY_KEY,
    "Makes it safe to send the same request again within a day: it opens one incident only.",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    read_idempotency_key,
    (HTTPStatus.UNPROCESSABLE_ENTITY,),
)


def claim_of(keys: Keys, key: str, body: BaseModel) -> Claim:
    """Returns the claim of an idempotency key on a body, independent of the body's formatting."""
    return Claim(keys.idempotency(key), hashlib.sha256(body.model_dump_json().encode()).hexdigest())


@dataclass(frozen=True)
class IfMatch:
    """A condition on the version that a change is based on; `tags` is None if any matches."""

    tags: frozenset[str] | None

    def holds(self, version: int) -> bool:
        """Returns whether a version matches. Weak tags never do: RFC 9110, section 13.1.1."""
        return self.tags is None or entity_tag(version) in self.tags


def entity_tag(version: int) -> str:
    """Returns the strong entity tag of a version."""
    return f'"{version}"'


def require_if_match(request: Request[Resources]) -> IfMatch:
    """Returns the condition of a change, which is required.

    Raises `HTTPProblem`: 428 (RFC 6585, section 3) if it is missing, 400 if it is invalid.
    """
    given = request.headers.getlist("If-Match")
    if not given:
        detail = "A change needs the header If-Match with the ETag of what is to be changed, or *."
        raise HTTPProblem(HTTPStatus.PRECONDITION_REQUIRED, detail)
    return parse_if_match(", ".join(given))


def parse_if_match(value: str) -> IfMatch:
    """Parses the header's value. Raises `HTTPProblem`, 400, if it is invalid."""
    if value.strip(" \t") == "*":
        return IfMatch(None)
    tags = re.findall(_TAG, value) if _TAGS.fullmatch(value) else []
    if not tags:
        detail = 'If-Match must be * or entity tags such as "3", with their quotes.'
        raise HTTPProblem(HTTPStatus.BAD_REQUEST, detail)
    return IfMatch(frozenset(tags))


IF_MATCH_HEADER: Final = Header(
    "If-Match",
    "The entity tag of the version that is to be changed (RFC 9110, section 13.1.1).",
    {"type": "string", "pattern": '^([*]|(W/)?"[0-9]{1,9}")$'},
    require_if_match,
    (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED),
    required=True,
)


class IncidentsCursor(Cursor):
    """Where a page of incidents begins: before the one with this id. The rest is what was asked for."""

    state: Openness | None
    from_: UtcTime | None
    to: UtcTime | None
    before: Annotated[str, Field(pattern=ID_PATTERN)]


def position_of(query: IncidentsQuery) -> str | None:
    """Returns the id before which the page starts; None for the first page.

    Raises `HTTPProblem`, 400, if the range is empty, or the cursor belongs to another list.
    """
    if query.from_ and query.to and query.from_ >= query.to:
        raise HTTPProblem(
            HTTPStatus.BAD_REQUEST,
            "The range of time is wrong.",
            errors=[{"parameter": "from", "detail": "It must be before to."}],
        )
    if query.cursor is None:
        return None
    cursor = decode_cursor(query.cursor, IncidentsCursor)
    if (cursor.state, cursor.from_, cursor.to) != (query.state, query.from_, query.to):
        raise wrong_cursor()
    return cursor.before


def cursor_before(identifier: str, query: IncidentsQuery) -> str:
    """Returns the cursor of the page with the incidents before the one with this id."""
    return encode_cursor(
        IncidentsCursor(state=query.state, from_=query.from_, to=query.to, before=identifier)
    )
