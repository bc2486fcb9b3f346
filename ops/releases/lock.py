"""A lock in SSM: SSM writes a parameter on no condition but that it is not there yet.

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

from ops.core.errors import OpsError

STALE: Final = timedelta(seconds=60)
"""A lock is held for about a second. One that is older than this belongs to nobody any more."""


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
    """Hold the lock that is the parameter `name` while the block runs.

    OpsError at once when somebody else holds it: `what` says in the message what the lock is for.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    value = json.dumps({"by": by, "at": now, "token": secrets.token_hex(16)})
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
            return  # sent once more, since the first answer was lost
        if holder.age < stale:
            raise OpsError(f"{holder.by} has been {what} since {holder.at}. Wait a moment and try again.")
        # Of all who see the same stale lock, one may replace it, and only as long as it is the same.
        takeover = f"{name}.{hashlib.sha256(holder.value.encode()).hexdigest()[:16]}"
        with locked(ssm, takeover, by, what, stale):
            again = _holder(ssm, name)
            if again and again.value == holder.value:
                ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
                return


def _remove(ssm: Any, name: str, value: str) -> None:
    """Remove the lock, unless it became stale and somebody took it over."""
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
    # By the clock of AWS alone: those of two desks may be minutes apart.
    now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
    parameter = found["Parameter"]
    return _Holder(parameter["Value"], now - parameter["LastModifiedDate"])
