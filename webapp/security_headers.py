"""Security headers of an answer: those that protect something of its media type."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Scripts, styles and images come from the app's own origin, never inline.

Source: W3C Content Security Policy Level 3.
"""

PERMISSIONS_POLICY: Final = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "browsing-topics",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "usb",
    )
)
"""Browser features that the page may not use. Source: W3C Permissions Policy."""

STRICT_TRANSPORT_SECURITY: Final = "max-age=31536000"
"""One year, without subdomains, which the app does not control. Source: RFC 6797, section 6.1."""

_POLICY: Final = (("content-security-policy", CONTENT_SECURITY_POLICY),)
_OF_ALL: Final = (("x-content-type-options", "nosniff"),)
_OF_DOCUMENTS: Final = (
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", PERMISSIONS_POLICY),
    ("referrer-policy", "no-referrer"),
    # For older browsers: the same as frame-ancestors.
    ("x-frame-options", "DENY"),
)
_OVER_HTTPS: Final = (("strict-transport-security", STRICT_TRANSPORT_SECURITY),)


@lru_cache(maxsize=256)
def security_headers(content_type: bytes, *, https: bool, own: tuple[bytes, ...] = ()) -> bytes:
    """Returns header lines for an answer of this media type.

    A browser renders HTML and may run what SVG contains; of JSON and others it must only not guess the type.
    An answer keeps those that it brings itself, whose names are `own`. Strict-Transport-Security is sent only
    if the load balancer received the request over HTTPS (RFC 6797, section 7.2; Elastic Load Balancing,
    "X-Forwarded-Proto").
    """
    essence = content_type.partition(b";")[0]
    headers = list(_OF_ALL)
    if essence in {b"text/html", b"image/svg+xml"}:
        headers += _POLICY
    if essence == b"text/html":
        headers += _OF_DOCUMENTS
    if https:
        headers += _OVER_HTTPS
    return _lines(header for header in headers if header[0].encode() not in own)


def _lines(headers: Iterable[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
