"""A lock in SSM, made of a parameter: SSM's only conditional write is to create one that does not exist.

Source: AWS Systems Manager API Reference, PutParameter, "Overwrite".
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from ops.core.console import rfc_3339
from ops.core.errors import OpsError

STALE: Final = timedelta(seconds=60)
"""Age at which a lock is abandoned: its holder needs it for about a second."""


@dataclass(frozen=True, slots=True)
class _Holder:
    value: str
    age: timedelta

    @property
    def by(self) -> str:
        return str(self._said("by", "Somebody"))

    @property
    def at(self) -> str:
        return str(self._said("at", "an unknown time"))

    def _said(self, key: str, default: str) -> Any:
        try:
            return json.loads(self.value)[key]
        except (ValueError, TypeError, KeyError):
            return default


@contextmanager
def locked(ssm: Any, name: str, by: str, what: str, stale: timedelta = STALE) -> Iterator[None]:
    """Holds the lock that is the parameter `name` while the block runs.

    `what` says in messages what the lock is for. Raises OpsError at once if somebody else holds it.
    """
    value = json.dumps({"by": by, "at": rfc_3339(datetime.now(UTC)), "token": secrets.token_hex(16)})
    _acquire(ssm, name, value, by, what, stale)
    try:
        yield
    finally:
        _remove(ssm, name, value)


def _acquire(ssm: Any, name: str, value: str, by: str, what: str, stale: timedelta) -> None:
    while True:
        try:
            ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=False)
            return
        except ssm.exceptions.ParameterAlreadyExists:
            holder = _holder(ssm, name)
        if holder is None:
            continue
        if holder.value == value:
            return  # a retry, since the answer to the first request was lost
        if holder.age < stale:
            raise OpsError(f"{holder.by} has been {what} since {holder.at}. Wait a moment and try again.")
        # Several may see the same stale lock: one of them replaces it, and only if it has not changed.
        takeover = f"{name}.{hashlib.sha256(holder.value.encode()).hexdigest()[:16]}"
        with locked(ssm, takeover, by, what, stale):
            again = _holder(ssm, name)
            if again and again.value == holder.value:
                ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
                return


def _remove(ssm: Any, name: str, value: str) -> None:
    """Removes the lock, unless it became stale and somebody took it over."""
    holder = _holder(ssm, name)
    if holder and holder.value == value:
        try:
            ssm.delete_parameter(Name=name)
        except ssm.exceptions.ParameterNotFound:
            return


def _holder(ssm: Any, name: str) -> _Holder | None:
    try:
        found = ssm.get_parameter(Name=name)
    except ssm.exceptions.ParameterNotFound:
        return None
    # Both times are from AWS: the clocks of two machines may be minutes apart.
    now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
    parameter = found["Parameter"]
    return _Holder(parameter["Value"], now - parameter["LastModifiedDate"])
