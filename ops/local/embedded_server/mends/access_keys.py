"""The account of an access key, for which moto looks into the IAM of every partition of AWS.

It makes up each IAM that is not there yet, thousands of managed policies included: the first request
with a key of another account than the first took three seconds, longer than the app waits.
"""

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam import models


def look_up_access_keys_fast() -> None:
    """Mend moto's search; call it before the server answers."""
    setattr(models, models.get_account_id_from.__name__, get_account_id_from)


def get_account_id_from(access_key: str) -> str:
    """The account that an access key was made in, or moto's first."""
    for account_id, partitions in list(models.iam_backends.items()):
        if any(access_key in iam.access_keys for iam in list(partitions.values())):
            return account_id
    return DEFAULT_ACCOUNT_ID
