"""Who may see what operators see: those with the token, or with the session that the token has opened.

A session is a cookie: the time it ends at, and an HMAC of that with a key derived from the token's hash, so
any task can verify it, and a new token ends all sessions.
Sources: RFC 6265bis, sections 4.1.2 and 5.6; RFC 2104.
"""

import hashlib
import hmac
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.requests import Request

from webapp.incidents.requests import authorize
from webapp.resources import Resources
from webapp.responses import HTTPProblem
from webapp.settings import Settings

COOKIE: Final = "operator"
LIFETIME: Final = 12 * 3600
"""Seconds that a session lasts."""

HOME: Final = "/operator"
SIGN_IN: Final = "/operator/sign-in"

MOST_FAILURES: Final = 10
"""Wrong tokens that one process takes note of in `WINDOW` seconds; more are answered with 429.

The right token is never refused, so nobody can keep operators out.
"""

WINDOW: Final = 60.0

_CREDENTIALS: Final = frozenset({b"authorization", b"cookie"})
_PURPOSE: Final = b"operator session, version 1"
_OWN_PATHS: Final = ("/operator", "/metrics", "/api/operator")


def open_session(sha256: SecretStr, now: float) -> str:
    """Returns the value of the cookie of a session that begins now (seconds since the epoch)."""
    ends = str(int(now) + LIFETIME)
    return f"{ends}.{_code(sha256, ends)}"


def seconds_left(value: str, sha256: SecretStr, now: float) -> float:
    """Returns the seconds until the session of a cookie's value ends; 0 if there is no such session."""
    ends, _, code = value.partition(".")
    if not hmac.compare_digest(_code(sha256, ends).encode(), code.encode()):
        return 0
    return max(0.0, int(ends) - now)


def _code(sha256: SecretStr, ends: str) -> str:
    key = hmac.digest(bytes.fromhex(sha256.get_secret_value()), _PURPOSE, hashlib.sha256)
    return hmac.digest(key, ends.encode(), hashlib.sha256).hex()


def cookie(value: str, *, secure: bool) -> str:
    """Returns the header that sets the session's cookie, or removes it if the value is empty."""
    lifetime = LIFETIME if value else 0
    attributes = f"Path=/; Max-Age={lifetime}; HttpOnly; SameSite=Strict"
    return f"{COOKIE}={value}; {attributes}{'; Secure' if secure else ''}"


def is_secure(request: Request[Resources]) -> bool:
    """Returns whether the load balancer received the request over HTTPS."""
    return request.headers.get("X-Forwarded-Proto") == "https"


def token_hash(settings: Settings) -> SecretStr:
    """Returns the SHA-256 of the token. Raises `HTTPProblem`, 404, if there is no operators' view."""
    if settings.operator_view == "off" or settings.write_token_sha256 is None:
        raise HTTPProblem(HTTPStatus.NOT_FOUND, HTTPStatus.NOT_FOUND.phrase)
    return settings.write_token_sha256


def has_session(request: Request[Resources]) -> bool:
    """Returns whether the request has the cookie of a session. Raises `HTTPProblem`, 404, as `token_hash`."""
    return session_left(request) > 0


def session_left(request: Request[Resources]) -> float:
    """Returns the seconds until the request's session ends; 0 without one. Raises as `has_session`."""
    sha256 = token_hash(request.state["settings"])
    return seconds_left(request.cookies.get(COOKIE, ""), sha256, time.time())


def require_operator(request: Request[Resources]) -> None:
    """Returns if the request is an operator's, by session or by token.

    Raises `HTTPProblem`: 404 if there is no operators' view, 401 with a challenge without either.
    """
    if not has_session(request):
        authorize(request)


def is_operator(request: Request[Resources]) -> bool:
    """Returns whether the request is of somebody who sees all: who has a session, or may write."""
    if not any(name in _CREDENTIALS for name, _ in request.scope["headers"]):
        return False
    for requires in (require_operator, authorize):
        with suppress(HTTPProblem):
            requires(request)
            return True
    return False


def own_path(path: str) -> str:
    """Returns where to go after sign-in: this path if it is one of the operators', else their first page."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return HOME
    own = any(parts.path == each or parts.path.startswith(f"{each}/") for each in _OWN_PATHS)
    plain = path.isascii() and path.isprintable() and "\\" not in path and not path.startswith("//")
    return path if own and plain and not parts.scheme and not parts.netloc else HOME


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Returns whether a form was sent by a page of this app.

    Browsers say so in Sec-Fetch-Site on HTTPS (W3C Fetch Metadata), and else in Origin (RFC 6454, section 7).
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        origin = urlsplit(headers.get("origin", ""))
    except ValueError:
        return False
    return origin.scheme in {"http", "https"} and origin.netloc == headers.get("host")


class Failures:
    """Counts wrong tokens of the last `WINDOW` seconds."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=MOST_FAILURES)

    def note(self, now: float) -> None:
        """Counts one more."""
        self._times.append(now)

    def wait(self, now: float) -> int:
        """Returns the seconds until the next wrong token is noted; 0 if that is now."""
        if len(self._times) < MOST_FAILURES:
            return 0
        return max(0, int(self._times[0] + WINDOW - now) + 1) if now < self._times[0] + WINDOW else 0
