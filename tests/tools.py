"""What tests need beside Python: whether it is there, and how it gets there.

    python -m tests.tools [--without browser,engine]

brings what is missing and says so, by Playwright's own download or the distribution's packages. Where it
may not install those, it ends with the one line to type.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ops.core.errors import OpsError
from ops.images.engine import find_engine
from ops.terraform import providers
from ops.terraform.binary import find_terraform
from ops.terraform.workspace import Workspace
from tests.places import ROOT

PROVIDER: Final = re.findall(r'version += "([^"]+)"', providers.LOCK_FILE.read_text())[0]
"""The AWS provider that is locked."""

_DOWNLOAD_SECONDS: Final = 600.0
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_CONTAINERS_WITHOUT_SYSTEMD: Final = ROOT / "tests/docker/containers.conf"


class ToolsError(Exception):
    """Something is missing and could not be brought; the text says what to type."""


@dataclass(frozen=True)
class Tool:
    """A program that tests run, the marker of those tests, and the distribution's packages that have it."""

    name: str
    marker: str
    packages: tuple[str, ...]
    is_there: Callable[[], bool]


def browser() -> str | None:
    """Return the browser that the tests of pages drive: the distribution's, or Playwright's own."""
    if found := next(filter(None, map(shutil.which, _BROWSERS)), None):
        return found
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        if not own.exists():
            return None
        try:
            # Playwright's own download lacks libraries on some machines.
            playwright.chromium.launch(args=["--no-sandbox"]).close()
        except Error:
            return None
        return str(own)


def _has_engine() -> bool:
    try:
        find_engine()
    except OpsError:
        return False
    return True


TOOLS: Final = (
    Tool("a browser", "browser", ("chromium",), lambda: browser() is not None),
    Tool("a container engine", "engine", ("podman", "runc"), _has_engine),
    Tool("an image registry", "engine", ("docker-registry",), lambda: bool(shutil.which("docker-registry"))),
)
MARKERS: Final = tuple(dict.fromkeys(tool.marker for tool in TOOLS))


def add_without(parser: ArgumentParser) -> None:
    """Let a command leave tools out."""
    parser.add_argument("--without", default="", help=f"tools to leave out: {','.join(MARKERS)}")


def left_out(without: str) -> tuple[str, ...]:
    """Return the markers that `--without` names. ToolsError for another one, and for any in CI."""
    named = tuple(dict.fromkeys(filter(None, without.split(","))))
    if unknown := [name for name in named if name not in MARKERS]:
        raise ToolsError(
            f"WITHOUT={unknown[0]}: not a tool that can be left out. Use {' or '.join(MARKERS)}."
        )
    if named and os.environ.get("CI"):
        raise ToolsError(f"WITHOUT={without}: in CI nothing is left out. Leave WITHOUT out, or unset CI.")
    return named


def bring(without: Sequence[str] = ()) -> None:
    """Install the tools that are missing. ToolsError says what to type where that is not possible."""
    missing = _missing(without)
    if any(tool.marker == "browser" for tool in missing):
        _say("fetching a browser (playwright install chromium)")
        command = (sys.executable, "-m", "playwright", "install", "--only-shell", "chromium")
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, check=False, timeout=_DOWNLOAD_SECONDS)
        missing = _missing(without)
    if not missing:
        return
    packages = [package for tool in missing for package in tool.packages]
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    as_root = _as_root()
    if as_root is None:
        markers = ",".join(dict.fromkeys(tool.marker for tool in missing))
        raise ToolsError(
            f"{_names(missing)} missing, and this user may not install packages. Install them:\n"
            f"  sudo {' '.join(install)}\n"
            f"or leave out the tests that need them: make test WITHOUT={markers}"
        )
    _say(f"{_names(missing)} missing; running {' '.join((*as_root, *install))}")
    said = ""
    for step in (["apt-get", "update"], install):
        variables = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run((*as_root, *step), env=variables, capture_output=True, text=True, check=False)
        said += done.stdout + done.stderr
    if lacking := _missing(without):
        raise ToolsError(f"{_names(lacking)} still missing after that:\n{said[-1000:]}")


def variables() -> dict[str, str]:
    """Return what the environment of tests has beyond this process's own."""
    mirror = _provider_mirror()
    added = {"TF_PLUGIN_MIRROR": str(mirror)}
    if not Path("/run/systemd/system").is_dir() and "CONTAINERS_CONF" not in os.environ:
        # Without systemd, podman has to be told not to look for it.
        added["CONTAINERS_CONF"] = str(_CONTAINERS_WITHOUT_SYSTEMD)
    unpacked = next(mirror.glob(f"*/hashicorp/aws/{PROVIDER}/*/"), None)
    if unpacked and not providers.named_configuration(os.environ):
        added["TF_CLI_CONFIG_FILE"] = str(_without_checksums(mirror, unpacked))
    return added


def _without_checksums(mirror: Path, unpacked: Path) -> Path:
    """Return a CLI configuration by which no command computes the checksum of 700 MB of provider.

    What `init` takes from a mirror, and computes a checksum of, is an empty package in the provider's
    place; what runs is the provider itself.
    Source: Terraform's documentation, "Development Overrides for Provider Developers".
    """
    directory = ROOT / ".oaktree/tests"
    stand_in = directory / "mirror" / unpacked.relative_to(mirror) / f"terraform-provider-aws_v{PROVIDER}_x5"
    stand_in.parent.mkdir(parents=True, exist_ok=True)
    stand_in.touch(0o755)
    override = f'  dev_overrides {{\n    "hashicorp/aws" = "{unpacked}"\n  }}\n'
    first, rest = providers.mirror_configuration(directory / "mirror").split("\n", 1)
    configuration = directory / "terraform.rc"
    configuration.write_text(f"{first}\n{override}{rest}")
    return configuration


def _provider_mirror() -> Path:
    """Return a directory with the AWS provider, fetched once for all tests."""
    if named := os.environ.get("TF_PLUGIN_MIRROR"):
        return Path(named)
    terraform = find_terraform(ROOT / ".oaktree")
    if not list(terraform.plugin_cache.glob(f"*/hashicorp/aws/{PROVIDER}/*")):
        _say(f"fetching the AWS provider {PROVIDER} (terraform init)")
        workspace = Workspace("provider", ROOT / ".oaktree/tests", terraform, os.environ)
        shutil.rmtree(workspace.directory, ignore_errors=True)
        workspace.directory.mkdir(parents=True)
        required = {"aws": {"source": providers.AWS, "version": PROVIDER}}
        (workspace.directory / "cdk.tf.json").write_text(
            json.dumps({"terraform": {"required_providers": required}})
        )
        workspace.init()
    return terraform.plugin_cache


def _missing(without: Sequence[str]) -> list[Tool]:
    return [tool for tool in TOOLS if tool.marker not in without and not tool.is_there()]


def _names(tools: Iterable[Tool]) -> str:
    return " and ".join(tool.name for tool in tools)


def _as_root() -> tuple[str, ...] | None:
    """Return what a command begins with that installs packages, or None where there is no way to."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return ()
    asked = ("sudo", "--non-interactive", "true")
    if shutil.which("sudo") and subprocess.run(asked, capture_output=True, check=False).returncode == 0:
        return asked[:2]
    return None


def _say(text: str) -> None:
    print(f"test: {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Bring what is missing; exit status 2 with the line to type where that is not possible."""
    parser = ArgumentParser(description="Install what the tests need and this machine lacks.")
    add_without(parser)
    arguments = parser.parse_args()
    try:
        bring(left_out(arguments.without))
        variables()
    except (ToolsError, OpsError) as error:
        _say(str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
