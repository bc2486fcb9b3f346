"""The secrets of master users that RDS manages: what is in them, and how they rotate.

moto gives every instance the same user and password, leaves a rotated secret without a value, and does not
end a rotation without a function, which AWS does: terraform-aws-modules/terraform-aws-rds pull request 580.
Sources: Amazon RDS User Guide, "Password management with Amazon RDS and AWS Secrets Manager"; AWS Secrets
Manager User Guide, "Managed rotation"; AWS Secrets Manager API Reference, "RotateSecret".
"""

import json
import string
from collections.abc import Mapping
from typing import Any, Final

from moto.core.utils import unix_time
from moto.moto_api._internal import mock_random
from moto.rds.models import MasterUserSecret
from moto.secretsmanager.exceptions import InvalidParameterException
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend

from ops.local.embedded_server.patching import patch

_LENGTH: Final = 28
_CHARACTERS: Final = string.ascii_letters + string.digits + "!#$%&()*+,-.:;<=>?[]^_{|}~"
"""RDS uses no `/`, `@`, quotes or spaces."""

_DAYS: Final = 7
_DAY: Final = 86_400

_init = MasterUserSecret.__init__
_rotate = SecretsManagerBackend.rotate_secret
_cancel = SecretsManagerBackend.cancel_rotate_secret


def mend() -> None:
    """Mends moto's secrets of master users."""
    patch(MasterUserSecret, __init__=init, _generate_secret_string=generate_secret_string)
    patch(SecretsManagerBackend, rotate_secret, cancel_rotate_secret)


def init(managed: MasterUserSecret, *arguments: Any, **named: Any) -> None:
    """Makes a secret that rotates every seven days."""
    _init(managed, *arguments, **named)
    _set_days(managed.secret, _DAYS)


def generate_secret_string(managed: MasterUserSecret) -> str:
    """Returns the content of a secret, with a new password."""
    return json.dumps({"username": managed.resource.master_username, "password": _password()})


def rotate_secret(
    backend: SecretsManagerBackend,
    secret_id: str,
    client_request_token: str | None = None,
    rotation_lambda_arn: str | None = None,
    rotation_rules: Mapping[str, Any] | None = None,
    rotate_immediately: bool = True,
) -> str:
    """Rotates a secret; RDS itself changes the password in those that it manages."""
    secret = backend.secrets.get(secret_id)
    if not isinstance(secret, FakeSecret) or secret.owning_service != "rds":
        rules = {**rotation_rules} if rotation_rules is not None else None
        return _rotate(
            backend, secret_id, client_request_token, rotation_lambda_arn, rules, rotate_immediately
        )
    if rotation_lambda_arn:
        raise InvalidParameterException(
            "You can't specify a Lambda function for a secret with managed rotation."
        )
    if days := (rotation_rules or {}).get("AutomaticallyAfterDays"):
        if not 1 <= days <= 1000:
            raise InvalidParameterException("RotationRules.AutomaticallyAfterDays must be within 1-1000.")
        _set_days(secret, days)
    if rotate_immediately:
        content = json.loads(secret.versions[str(secret.default_version_id)]["secret_string"])
        version = {
            "createdate": int(unix_time()),
            "secret_string": json.dumps({**content, "password": _password()}),
            "version_id": backend._from_client_request_token(client_request_token),
            "version_stages": ["AWSCURRENT"],
        }
        secret.reset_default_version(version, str(version["version_id"]))
        secret.last_rotation_date = secret.last_changed_date = int(unix_time())
    return str(secret.to_short_dict())


def cancel_rotate_secret(backend: SecretsManagerBackend, secret_id: str) -> str:
    """Ends the rotation of a secret, that of one which RDS manages without a function included."""
    secret = backend.secrets.get(secret_id)
    if not isinstance(secret, FakeSecret) or secret.owning_service != "rds":
        return _cancel(backend, secret_id)
    secret.rotation_enabled = False
    return str(secret.to_short_dict())


def _set_days(secret: FakeSecret, days: int) -> None:
    secret.rotation_requested = secret.rotation_enabled = True
    secret.auto_rotate_after_days = days
    secret.next_rotation_date = int(unix_time()) + days * _DAY


def _password() -> str:
    return "".join(mock_random.choices(_CHARACTERS, k=_LENGTH))
