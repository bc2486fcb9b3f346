"""Where GitHub's API is and who we are there, from the environment variables that GitHub Actions sets."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from review.github.errors import GitHubError

PUBLIC_API: Final = "https://api.github.com"


def api_address(environ: Mapping[str, str]) -> str:
    """GITHUB_API_URL, or the public API. The token goes there: encrypted, or to this machine only."""
    address = environ.get("GITHUB_API_URL") or PUBLIC_API
    try:
        url = urlsplit(address)
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
        url = urlsplit("")
    if not host or port == 0 or url.scheme not in {"https", "http"} or _has_more(address):
        raise GitHubError(
            f"GITHUB_API_URL must be an address such as {PUBLIC_API}, without user, query or fragment"
        )
    if url.scheme == "http" and not _is_loopback(host):
        raise GitHubError(f"GITHUB_API_URL must start with https: the token would go to {host} unencrypted")
    return address.rstrip("/")


def token(environ: Mapping[str, str]) -> str:
    """GITHUB_TOKEN, checked: what is no token must not get to where an error would quote it."""
    text = environ.get("GITHUB_TOKEN", "").strip()
    if not text:
        raise GitHubError("GITHUB_TOKEN is not set: export a token that may write to pull requests")
    if not re.fullmatch(r"[!-~]+", text):
        raise GitHubError("GITHUB_TOKEN is no token: it has blanks or characters that no token has")
    return text


def _has_more(address: str) -> bool:
    return re.search(r"[@?#\\\s\x00-\x1f]", address) is not None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
