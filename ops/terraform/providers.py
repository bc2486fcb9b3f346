"""Where Terraform gets providers from: their registry, or a mirror if that cannot be reached.

Source: Terraform's documentation, "CLI Configuration File", "Implied Local Mirror Directories".
"""

import functools
import itertools
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.error import HTTPError

from ops.core.checkout import SOURCE
from ops.core.errors import OpsError

LOCK_FILE: Final = SOURCE / "requirements" / "terraform.lock.hcl"
"""The version and checksums of the AWS provider, of every platform that HashiCorp publishes it for.

Source: Terraform's documentation, "Dependency Lock File".
"""

AWS: Final = "hashicorp/aws"
HOSTS: Final = {"terraform": "registry.terraform.io", "tofu": "registry.opentofu.org"}
"""The registry that each executable uses."""

_OVERRIDE: Final = re.compile(rf'dev_overrides\s*\{{[^}}]*"(?:[\w.]+/)?{AWS}"\s*=\s*"([^"]+)"')

TIMEOUT: Final = 5.0
"""Seconds after which a registry counts as unreachable."""

_SYSTEM_FOLDERS: Final = ("/opt", "/srv", "/usr/share", "/usr/local", "/usr/lib", "/var/lib", "/var/cache")
_DEPTH: Final = 3
"""Levels below these folders that are searched for a mirror."""

HOW_TO_MIRROR: Final = (
    "Where the registry can be reached, `terraform providers mirror DIRECTORY` fills one; copy it here and "
    "set TF_PLUGIN_MIRROR=DIRECTORY. Through a proxy, set HTTPS_PROXY."
)


def own_configuration() -> Path:
    """Returns the user's own CLI configuration file, which may name a provider source."""
    return Path.home() / ".terraformrc"


def named_configuration(variables: Mapping[str, str]) -> Path | None:
    """Returns the CLI configuration that TF_CLI_CONFIG_FILE names, if that file exists."""
    named = variables.get("TF_CLI_CONFIG_FILE")
    return Path(named) if named and Path(named).is_file() else None


def override(variables: Mapping[str, str]) -> Path | None:
    """Returns where the named CLI configuration says the AWS provider is, whatever the lock file says.

    Source: Terraform's documentation, "Development Overrides for Provider Developers".
    """
    named = named_configuration(variables)
    found = _OVERRIDE.search(named.read_text()) if named else None
    return Path(found[1]) if found else None


def mirror(variables: Mapping[str, str], host: str, cache: Path) -> Path | None:
    """Returns the mirror to use: TF_PLUGIN_MIRROR, or one on this machine if the registry cannot be reached.

    `cache` is Terraform's plugin cache, which has a mirror's layout and can serve as one. None
    means Terraform's own defaults. Raises OpsError if TF_PLUGIN_MIRROR is not a directory.
    """
    if named := variables.get("TF_PLUGIN_MIRROR"):
        if not Path(named).is_dir():
            raise OpsError(
                f"TF_PLUGIN_MIRROR={named} is not a directory. Name one that holds {host}/{AWS}, or unset it "
                "to fetch the provider from its registry."
            )
        return Path(named).absolute()
    return _stand_in(host, cache)


@functools.cache
def _stand_in(host: str, cache: Path) -> Path | None:
    """Returns a mirror in place of a registry that does not answer, once per process, and reports it."""
    if own_configuration().exists() or answers(host):
        return None
    if found := find_mirror(host, cache):
        print(f"{host} cannot be reached: providers come from {found}.", file=sys.stderr)
    return found


@functools.cache
def answers(host: str) -> bool:
    """Whether a registry can be reached, through the environment's proxy if it names one.

    Source: Terraform's documentation, "Remote Service Discovery".
    """
    # Imported here because it takes long to load, and most commands do not ask.
    from urllib.request import urlopen

    try:
        with urlopen(f"https://{host}/.well-known/terraform.json", timeout=TIMEOUT):
            return True
    except HTTPError as error:
        with error:
            return True
    except OSError:
        return False


def find_mirror(host: str, cache: Path) -> Path | None:
    """Returns the first folder on this machine that holds the AWS provider in a mirror's layout."""
    candidates = itertools.chain((cache,), _candidates(host))
    return next((found for found in candidates if any((found / host / AWS).glob("*"))), None)


def mirror_configuration(directory: Path) -> str:
    """Returns a CLI configuration with a mirror for the providers it holds, and registries for the rest."""
    held = sorted(
        {"/".join(path.relative_to(directory).parts) for path in directory.glob("*/*/*") if path.is_dir()}
    )
    providers = ", ".join(f'"{provider}"' for provider in held)
    path = str(directory).replace("\\", "\\\\").replace('"', '\\"')
    return f"""provider_installation {{
  filesystem_mirror {{
    path    = "{path}"
    include = [{providers}]
  }}
  direct {{
    exclude = [{providers}]
  }}
}}
"""


def _candidates(host: str) -> Iterator[Path]:
    home = Path.home()
    yield Path("terraform.d/plugins").absolute()
    yield home / ".terraform.d/plugins"
    yield home / "Library/Application Support/io.terraform/plugins"
    yield Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share") / "terraform/plugins"
    for folder in (*map(Path, _SYSTEM_FOLDERS), home):
        yield from _holding(folder, host, _DEPTH)


def _holding(folder: Path, host: str, depth: int) -> Iterator[Path]:
    """Yields the folders with a subfolder named `host`, at most `depth` levels down, nearest first."""
    below = []
    with suppress(OSError), os.scandir(folder) as entries:
        below = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    if host in below:
        yield folder
    elif depth:
        for name in below:
            yield from _holding(folder / name, host, depth - 1)
