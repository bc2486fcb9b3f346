"""Who may write: whoever has the token whose SHA-256 the app was started with."""

import hashlib
import hmac
import re
from http import HTTPStatus
from typing import Final

from pydantic import SecretStr
from starlette.requests import Request

from webapp.answers import Refusal
from webapp.resources import Resources

_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
"""The credentials' form: RFC 6750, section 2.1. Schemes have no case: RFC 9110, section 11.1."""

_CHALLENGE: Final = "Bearer"


def authorize(request: Request[Resources]) -> None:
    """Returns if the request may write.

    Raises `Refusal`: 403 when nobody may, as no token is set; 401 with a challenge (RFC 6750, section 3)
    when the request brings no token or a wrong one. The token itself goes nowhere.
    """
    expected = request.state["settings"].write_token_sha256
    if expected is None:
        raise Refusal(HTTPStatus.FORBIDDEN, "Writing is off: the app was started without a token for it.")
    given = request.headers.getlist("Authorization")
    credentials = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    if credentials is None:
        detail = "Writing needs a token: send the header Authorization: Bearer <token>."
        raise Refusal(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": _CHALLENGE})
    if not is_token(credentials[1], expected):
        challenge = f'{_CHALLENGE} error="invalid_token"'
        raise Refusal(HTTPStatus.UNAUTHORIZED, "This token may not write.", {"WWW-Authenticate": challenge})


def is_token(token: str, sha256: SecretStr) -> bool:
    """Whether a token has this SHA-256, in hexadecimal; how long that takes tells nothing of it."""
    return hmac.compare_digest(
        hashlib.sha256(token.encode()).digest(), bytes.fromhex(sha256.get_secret_value())
    )
