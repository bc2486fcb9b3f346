"""When a key or a role was last used, which moto writes down with every request, whatever it asks for.

So reads changed what IAM says, also those that no journal has, and a replay answered `GetRole` otherwise
than before. AWS lags behind by hours itself, and here nothing asks, so nobody is seen to use anything.

Source: AWS IAM User Guide, "Refine permissions in AWS using last accessed information".
"""

from moto.iam import models


def forget_last_use() -> None:
    """Mend moto's requests; call it before the server answers."""
    setattr(models, models.mark_account_as_visited.__name__, _leave_no_mark)


def _leave_no_mark(account_id: str, access_key: str, service: str, region: str) -> None:
    """Take moto's arguments and do nothing."""
    del account_id, access_key, service, region
