"""Has Terraform read only the part of the AWS provider's schema that a configuration uses, at a desk.

To read the schema of all 1,500 types is most of what a Terraform command costs, and each command reads it:
to plan one queue takes 3 s, and 0.7 s without. So `ops.terraform.provider_server` serves the provider to
Terraform. AWS itself is left to Terraform and the provider alone.

Source: Terraform's documentation, "Debugging Providers".
"""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from ops.core.checkout import SOURCE
from ops.core.errors import OpsError
from ops.terraform import providers

_COMMANDS: Final = frozenset({"apply", "destroy", "plan", "show", "validate"})
"""The commands of Terraform that read the provider's schema."""

_TYPES: Final = re.compile(rb"\baws_\w+")
_LACKING: Final = re.compile(r"no schema (available|found) for")
"""Terraform's error for a type that is in the state only."""

_FURTHER: Final = re.compile(rb'"alias"\s*:\s*"')
"""A further configuration of a provider; the alias of a DNS record is a block."""

_LOCKED: Final = re.compile(rf'provider "[^"]*/{providers.AWS}" \{{\s*version\s*=\s*"([^"]+)"')
"""Source: Terraform's documentation, "Dependency Lock File"."""

_OWN: Final = frozenset({"TF_LOG", "TF_LOG_PROVIDER", "TF_REATTACH_PROVIDERS"})
"""Variables of somebody who wants the provider's log, or serves one."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Served(NamedTuple):
    """What a Terraform process gets, to be served: variables, and a descriptor that it holds open."""

    variables: dict[str, str]
    descriptors: Sequence[int]


ITSELF: Final = Served({}, ())
"""Terraform starts the provider itself."""


@contextmanager
def serving(
    arguments: Sequence[str], directory: Path, environment: Mapping[str, str], *, host: str, shared: Path
) -> Iterator[Served]:
    """Serves the provider to one Terraform command while the block runs, and as long as the command does.

    Nothing is served, and Terraform starts the provider itself, if the command needs none or asks AWS itself,
    and if somebody wants its log. `host` is the registry of the provider, `shared` keeps its schema. Raises
    OpsError if the program does not start.
    """
    content = _configuration(directory)
    executable = _executable(directory, environment, host)
    if not (_is_wanted(arguments, environment, content) and executable):
        yield ITSELF
        return
    types = sorted(set(_TYPES.findall(content + _planned(directory, arguments))))
    reader, writer = os.pipe()
    command = (
        sys.executable,
        "-m",
        "ops.terraform.provider_server",
        str(executable),
        str(directory),
        str(shared),
    )
    try:
        server = subprocess.Popen(
            (*command, b" ".join(types)),
            cwd=SOURCE,
            env=environment,
            stdin=reader,
            stdout=subprocess.PIPE,
            start_new_session=True,  # an interrupt is Terraform's, which tells the provider
        )
    finally:
        os.close(reader)
    try:
        address = server.stdout.readline().decode().strip() if server.stdout else ""
        if not address:
            raise OpsError("The AWS provider cannot be served to Terraform: see the error above.")
        listens = {"Network": "unix", "String": address}
        reattach = {
            "Protocol": "grpc",
            "ProtocolVersion": 5,
            "Pid": server.pid,
            "Test": True,
            "Addr": listens,
        }
        yield Served({"TF_REATTACH_PROVIDERS": json.dumps({f"{host}/{providers.AWS}": reattach})}, (writer,))
    finally:
        os.close(writer)
        with server:
            pass


def lacks_types(errors: Sequence[str]) -> bool:
    """Whether Terraform failed, before it did anything, for a type that its configuration does not name."""
    return any(_LACKING.search(error) for error in errors)


def _is_wanted(arguments: Sequence[str], environment: Mapping[str, str], configuration: bytes) -> bool:
    """Returns whether a command reads the schema, and asks an AWS on this machine or none, as one caller.

    Terraform starts a provider for each of its configurations, such as regions. What is served is one.
    """
    command = arguments[0]
    if command not in _COMMANDS or b'"aws"' not in configuration or environment.keys() & _OWN:
        return False
    endpoint = urlsplit(environment.get("AWS_ENDPOINT_URL", ""))
    at_desk = endpoint.scheme == "http" and endpoint.hostname in _LOOPBACK
    return command == "validate" or (at_desk and not _FURTHER.search(configuration))


def _configuration(directory: Path) -> bytes:
    """Returns the configuration in a directory and its modules, one after the other."""
    return b"".join(file.read_bytes() for depth in ("", "*/") for file in directory.glob(f"{depth}*.tf.json"))


def _planned(directory: Path, arguments: Sequence[str]) -> bytes:
    """Returns the states in the saved plan that a command names: they have types that are to go."""
    named = directory / arguments[-1]
    if not zipfile.is_zipfile(named):
        return b""
    with zipfile.ZipFile(named) as plan:
        return b"".join(plan.read(name) for name in plan.namelist() if name.startswith("tfstate"))


def _executable(directory: Path, environment: Mapping[str, str], host: str) -> Path | None:
    """Returns the provider that `terraform init` has installed in a directory, or one that overrides it."""
    folders = [providers.override(environment)]
    if folders == [None]:
        lock = directory / ".terraform.lock.hcl"
        locked = _LOCKED.search(lock.read_text()) if lock.exists() else None
        version = locked[1] if locked else "none"
        folders = [*directory.glob(f".terraform/providers/{host}/{providers.AWS}/{version}/*")]
    found = (file for folder in folders if folder for file in folder.glob("terraform-provider-aws*"))
    return next(found, None)
