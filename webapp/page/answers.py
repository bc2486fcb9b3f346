"""Answers with pages, which have a content security policy for what they show."""

from typing import Final
from urllib.parse import urlsplit

from webapp.prepared import Prepared
from webapp.security_headers import CONTENT_SECURITY_POLICY
from webapp.settings import Settings

HTML: Final = "text/html; charset=utf-8"


def public_page(content: bytes, settings: Settings) -> Prepared:
    """Returns the answer with a page for everybody."""
    csp = policy(settings.logo_url, forms=False)
    return Prepared(content, HTML, more_headers=((b"content-security-policy", csp.encode()),))


def operator_page(content: bytes, settings: Settings) -> Prepared:
    """Returns the answer with a page for operators, which nobody keeps, and which has forms."""
    headers = tuple((name.lower().encode(), value.encode()) for name, value in form_headers(settings).items())
    return Prepared(content, HTML, cache_control="private, no-store", more_headers=headers)


def form_headers(settings: Settings) -> dict[str, str]:
    """Returns the headers of a page with forms.

    Under the policy no-referrer, a browser sends a form with `Origin: null`, and over plain HTTP nothing else
    tells where it comes from. Source: WHATWG Fetch Standard, "append a request Origin header".
    """
    return {
        "Content-Security-Policy": policy(settings.logo_url, forms=True),
        "Referrer-Policy": "same-origin",
    }


def policy(logo: str, *, forms: bool) -> str:
    """Returns the content security policy of a page with this logo (an https URL, or empty)."""
    found = CONTENT_SECURITY_POLICY
    if logo:
        found = found.replace("img-src 'self'", f"img-src 'self' https://{urlsplit(logo).netloc}")
    return found.replace("form-action 'none'", "form-action 'self'") if forms else found
