"""The embedded AWS from outside: start, find, reach and stop its process."""

import http.client
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ops.core.checkout import SOURCE
from ops.core.clients import Credentials, isolated_client
from ops.core.errors import OpsError
from ops.local import processes

_NAME: Final = "embedded"
_IDENTITY_PATH: Final = "/_oaktree"
_START_SECONDS: Final = 300.0
"""Replaying a long journal takes a while."""

_SETTINGS: Final = {
    # Without the real AMIs, and with certificates that are valid at once, an account is ready quickly.
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    "MOTO_ACM_VALIDATION_WAIT": "0",
    # Policies such as ReadOnlyAccess exist in every AWS account.
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    # No web page may read from it.
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    # Sets are walked in the same order in every process.
    "PYTHONHASHSEED": "0",
}


@dataclass(frozen=True)
class Embedded:
    """A running embedded AWS."""

    endpoint: str
    account_id: str
    """The account of requests whose credentials do not name another one."""

    def credentials(self, account_id: str) -> Credentials:
        """Returns keys that act in an account; the first use of an account creates it."""
        return Credentials(f"AKIA{account_id}", "embedded")

    def assume(self, role: str) -> Credentials:
        """Returns keys of a role, by its ARN."""
        sts = self.client("sts", "us-east-1")
        keys = sts.assume_role(RoleArn=role, RoleSessionName="oaktree")["Credentials"]
        return Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])

    def client(self, service: str, region: str, account_id: str | None = None) -> Any:
        """Returns a client for one service in one account, by default `account_id`."""
        return isolated_client(
            service, region, self.endpoint, self.credentials(account_id or self.account_id)
        )

    def variables(self, credentials: Credentials, region: str) -> dict[str, str]:
        """Returns the environment variables that send the AWS tools here, and nowhere else."""
        values = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if credentials.session_token:
            values["AWS_SESSION_TOKEN"] = credentials.session_token
        return values

    def environment(self, account_id: str, region: str, base: Mapping[str, str]) -> dict[str, str]:
        """Returns the environment of a command that acts in one account: `base`, with these AWS settings."""
        return without_aws(base) | self.variables(self.credentials(account_id), region)


def without_aws(base: Mapping[str, str]) -> dict[str, str]:
    """Returns an environment without AWS accounts and endpoints, and without proxies for the loopback.

    It also drops `AWS_ENDPOINT_URL_<SERVICE>`, which takes precedence over `AWS_ENDPOINT_URL`.
    Other proxies stay, since a provider may have to be fetched through one.
    """
    kept = {key: value for key, value in base.items() if not key.startswith("AWS_")}
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = ",".join(filter(None, (kept.get(name), "127.0.0.1,localhost")))
    return kept


def start_embedded(directory: Path, account_id: str) -> Embedded:
    """Returns the embedded AWS that keeps its state in `directory`, and starts it unless it runs.

    It resumes with all of its previous state, however it ended. Raises OpsError if it cannot start.
    """
    if found := find_embedded(directory):
        return found
    kept = {
        key: value
        for key, value in without_aws(os.environ).items()
        if not key.startswith(("MOTO_", "TEST_", "PYTHON"))
    }
    try:
        return processes.start_ready(
            _NAME,
            (sys.executable, "-m", "ops.local.embedded_server", str(directory)),
            directory=directory,
            log=directory / "logs" / "embedded.log",
            environment=kept | _SETTINGS | {"MOTO_ACCOUNT_ID": account_id, "PYTHONPATH": str(SOURCE)},
            ready=lambda pid: _answering(directory, pid),
            seconds=_START_SECONDS,
            what="The embedded AWS",
        )
    except OpsError as error:
        raise OpsError(
            f"{error}\nIf that happens again: `make down` removes it, `make up` builds it again."
        ) from None


def find_embedded(directory: Path) -> Embedded | None:
    """Returns the running embedded AWS that keeps its state in `directory`, or None."""
    pid = processes.running(_NAME, directory)
    return _answering(directory, pid) if pid else None


def require_embedded(directory: Path) -> Embedded:
    """Returns the running embedded AWS that keeps its state in `directory`. Raises OpsError if none runs."""
    if found := find_embedded(directory):
        return found
    raise OpsError("No embedded AWS runs here. `make up` starts it.")


def stop_embedded(directory: Path) -> bool:
    """Stops it, and keeps its state in `directory`; returns False if it did not run."""
    return processes.stop(_NAME, directory)


def _answering(directory: Path, pid: int) -> Embedded | None:
    """Returns the embedded AWS in the record if the process `pid` answers there, else None."""
    try:
        record = json.loads((directory / "embedded.json").read_text())
        found = Embedded(record["endpoint"], record["account_id"])
        address = urlsplit(found.endpoint)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=5)
        try:
            connection.request("GET", _IDENTITY_PATH)
            content = connection.getresponse().read()
        finally:
            connection.close()
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return None
    return found if content == str(pid).encode() else None
