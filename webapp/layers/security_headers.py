"""Tells browsers what the app's answers may do: nothing that the page does not need."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
"""Scripts, styles and images come from the app itself, never from the page's own text.

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
"""Features that no part of the page may use. Source: W3C Permissions Policy."""

STRICT_TRANSPORT_SECURITY: Final = "max-age=31536000"
"""One year. The domain's other names are not the app's to speak for. Source: RFC 6797, section 6.1."""

HEADERS: Final = tuple(
    (name.lower().encode(), value.encode())
    for name, value in {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": PERMISSIONS_POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        # Says to older browsers what frame-ancestors says.
        "X-Frame-Options": "DENY",
    }.items()
)
_HEADERS_OVER_HTTPS: Final = (
    *HEADERS,
    (b"strict-transport-security", STRICT_TRANSPORT_SECURITY.encode()),
)
_OVER_HTTPS: Final = (b"x-forwarded-proto", b"https")


class SecurityHeaders:
    """ASGI middleware: adds the same headers to every HTTP answer.

    Strict-Transport-Security is sent only when the load balancer says that the request came by
    HTTPS (RFC 6797, section 7.2; Elastic Load Balancing, "X-Forwarded-Proto").
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        added = _HEADERS_OVER_HTTPS if _OVER_HTTPS in scope["headers"] else HEADERS

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self.app(scope, receive, send_with_headers)
