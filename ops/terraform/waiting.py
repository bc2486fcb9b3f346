"""A stack that waits for another one: its plan shows what it can, and must not be applied.

The review is imported where it is needed, because it takes long to load.
"""

from collections.abc import Sequence
from typing import Any

from ops.core.errors import OpsError
from stacks import naming


class WaitsError(OpsError):
    """A stack needs what another one does not have yet; nothing was applied."""


def require_nothing_missing(plan: Any) -> None:
    """Raises WaitsError if a check in a plan says that another stack lacks something.

    Source of the format: Terraform's documentation, "JSON Output Format", checks representation.
    """
    from review.reading.waiting import CHECK

    told = [
        problem["message"]
        for check in plan.get("checks") or ()
        if check["status"] == "fail" and check["address"]["to_display"].startswith(CHECK)
        for instance in check.get("instances") or ()
        for problem in instance.get("problems") or ()
    ]
    if told:
        raise WaitsError("\n".join(told))


def require_states(stack: str, errors: Sequence[str]) -> None:
    """Raises WaitsError if Terraform failed only because a stack that this one reads has no state."""
    from review.reading.waiting import NOT_APPLIED, without_state

    if needed := without_state("\n".join(errors)):
        raise WaitsError("\n".join(naming.waits(stack, each, NOT_APPLIED) for each in needed))
