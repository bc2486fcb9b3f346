"""What the environment variables tell the shop."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


class ConfigurationError(Exception):
    """A variable is missing or wrong. `str()` of it is the message for the operator."""


@dataclass(frozen=True)
class Configuration:
    """`prices_url` is the address of the prices service, without a slash at its end."""

    prices_url: str
    image: str | None
    commit: str | None


def read_configuration(environment: Mapping[str, str]) -> Configuration:
    """Returns the configuration; raises ConfigurationError if PRICES_URL is missing or no address."""
    prices_url = environment.get("PRICES_URL", "")
    if not _is_address(prices_url):
        said = f"{prices_url!r} is not an address" if prices_url else "missing"
        raise ConfigurationError(f"PRICES_URL: {said}. Set it to one such as http://127.0.0.1:8081.")
    return Configuration(
        prices_url=prices_url.rstrip("/"),
        image=environment.get("IMAGE") or None,
        commit=environment.get("COMMIT") or None,
    )


def configuration_or_exit() -> Configuration:
    """Returns the configuration of this process, or ends it with the reason and status 2."""
    try:
        return read_configuration(os.environ)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.hostname) and port != 0
