"""Finds a recent enough Terraform or OpenTofu, or fetches the pinned Terraform release.

Runs before anything is installed, so it needs the standard library only. The pinned checksums are
those of HashiCorp's `terraform_1.11.4_SHA256SUMS`; an archive is used only if it matches, so its
address need not be trusted.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, Final
from urllib.error import HTTPError

MINIMUM: Final = (1, 10)
"""First release whose S3 backend has `use_lockfile`, of Terraform and of OpenTofu alike.

https://developer.hashicorp.com/terraform/language/backend/s3#state-locking
"""

RELEASES_VARIABLE: Final = "TERRAFORM_RELEASES_URL"
RELEASES_URL: Final = "https://releases.hashicorp.com/terraform"
TOOLS: Final = Path(".tools")
TIMEOUT: Final = 60
"""Seconds to wait for an answer."""


@dataclass(frozen=True)
class Distribution:
    """A Terraform release, and the SHA-256 of its archive by platform (`<system>_<machine>`)."""

    version: str
    checksums: Mapping[str, str]


PINNED: Final = Distribution(
    version="1.11.4",
    checksums={
        "darwin_amd64": "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b",
        "darwin_arm64": "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18",
        "linux_amd64": "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
        "linux_arm64": "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
    },
)


@dataclass(frozen=True)
class Executable:
    """A Terraform or OpenTofu that runs, and the version that it reports."""

    path: Path
    version: str


class FetchError(Exception):
    """Terraform could not be fetched; the text says why and what to do."""


def find() -> Executable | None:
    """Returns the first of `.tools/terraform`, `terraform` and `tofu` on PATH that is at least `MINIMUM`."""
    candidates = (str(TOOLS / "terraform"), shutil.which("terraform"), shutil.which("tofu"))
    for candidate in candidates:
        version = _version_of(candidate) if candidate else None
        if candidate and version and _is_recent_enough(version):
            return Executable(Path(candidate).absolute(), version)
    return None


def platform_name(system: str, machine: str) -> str:
    """Returns the platform's name in archive names, for `platform.system()` and `platform.machine()`.

    Raises FetchError if no release is pinned for that platform.
    """
    name = f"{system.lower()}_{_MACHINES.get(machine.lower(), machine.lower())}"
    if name not in PINNED.checksums:
        raise FetchError(
            f"no Terraform is pinned for {name}; pinned are {', '.join(sorted(PINNED.checksums))}. {_BY_HAND}"
        )
    return name


def fetch(release: Distribution, platform_: str, base_url: str, directory: Path) -> Path:
    """Downloads the release's `terraform` into the directory and returns its path.

    The archive is downloaded and unpacked beside it, and replaces the previous file only if its
    checksum matches. Raises FetchError for a bad address, no answer, a short answer or a wrong
    checksum.
    """
    url = f"{base_url.rstrip('/')}/{release.version}/terraform_{release.version}_{platform_}.zip"
    if not url.startswith(("https://", "http://")):
        raise FetchError(f"{RELEASES_VARIABLE}={base_url} is not an http or https address.")
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".fetch-") as aside:
        archive = Path(aside) / "terraform.zip"
        with archive.open("wb") as file:
            actual = _download(url, file)
        expected = release.checksums[platform_]
        if actual != expected:
            raise FetchError(
                f"{url} has SHA-256 {actual}, expected {expected}; it was thrown away. "
                f"Check {RELEASES_VARIABLE} and what stands between you and that address."
            )
        with zipfile.ZipFile(archive) as unpacked:
            binary = Path(unpacked.extract("terraform", aside))
        binary.chmod(0o755)
        return binary.replace(directory / "terraform")


def main() -> None:
    """Fetches the pinned Terraform unless a recent enough one exists, and prints which one is used."""
    try:
        used = find() or _fetch_pinned()
    except FetchError as error:
        _say(str(error))
        sys.exit(2)
    _say(f"using {used.path.name} {used.version} ({used.path})")


_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_BY_HAND: Final = f"Install Terraform or OpenTofu {MINIMUM[0]}.{MINIMUM[1]} or later and put it on PATH."


def _say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr)


def _fetch_pinned() -> Executable:
    name = platform_name(platform.system(), platform.machine())
    base_url = os.environ.get(RELEASES_VARIABLE) or RELEASES_URL
    _say(f"fetching Terraform {PINNED.version} for {name} from {base_url}")
    return Executable(fetch(PINNED, name, base_url, TOOLS).absolute(), PINNED.version)


def _version_of(executable: str) -> str | None:
    # CHECKPOINT_DISABLE: without it `version` asks HashiCorp for news over the network.
    environment = {**os.environ, "CHECKPOINT_DISABLE": "1"}
    try:
        finished = subprocess.run(
            [executable, "version", "-json"],
            capture_output=True,
            check=True,
            env=environment,
            timeout=TIMEOUT,
        )
        return str(json.loads(finished.stdout)["terraform_version"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None


def _is_recent_enough(version: str) -> bool:
    numbers = version.partition("-")[0].split(".")
    return all(number.isdecimal() for number in numbers) and tuple(map(int, numbers)) >= MINIMUM


def _download(url: str, file: BinaryIO) -> str:
    # Imported here because it takes long to load, and most commands find a Terraform.
    from urllib.request import urlopen

    digest = hashlib.sha256()
    size = 0
    try:
        with urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310 -- fetch() has checked the scheme
            announced = response.headers.get("Content-Length")
            while chunk := response.read(1 << 20):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
    except HTTPError as error:
        with error:
            raise FetchError(f"{url} answered {error.code} {error.reason}. {_BY_HAND}") from error
    except (OSError, HTTPException) as error:
        raise FetchError(
            f"{url} could not be fetched: {getattr(error, 'reason', error)}. {_BY_HAND}"
        ) from error
    if announced is not None and size != int(announced):
        raise FetchError(f"{url} was cut short: {size} of {announced} bytes came. Run make setup again.")
    return digest.hexdigest()


if __name__ == "__main__":
    main()
