"""Recognises a stack that waits for another one, whose state lacks what it needs.

Either of two things says so: a failed check named `waits_for_<stack>`, by its message; or Terraform's error
that a `terraform_remote_state` named after the stack has no state.
"""

import re
from typing import Final

from review.model import FailedCheck, Wait

CHECK: Final = "check.waits_for_"
"""How the address of such a check begins."""

NOT_APPLIED: Final = "it is not applied yet"

_ERROR: Final = re.compile(r"^\W*Error: (.*)$", re.MULTILINE)
_NO_STATE: Final = "Unable to find remote state"
_SOURCE: Final = re.compile(r"\bwith data\.terraform_remote_state\.([\w-]+)")


def without_state(errors: str) -> tuple[str, ...]:
    """Returns the stacks that have no state yet, if Terraform failed for nothing else.

    Source: Terraform's source, internal/builtin/providers/terraform, data_source_state.go.
    """
    if any(_NO_STATE not in found for found in _ERROR.findall(errors)):
        return ()
    return tuple(dict.fromkeys(_SOURCE.findall(errors)))


def waits_by_errors(stack: str, errors: str) -> tuple[Wait, ...]:
    """Returns what a stack waits for if Terraform failed for nothing else."""
    return tuple(
        Wait(needed, f"{stack} waits for {needed}: {NOT_APPLIED}.", has_state=False)
        for needed in without_state(errors)
    )


def waits_by_checks(checks: tuple[FailedCheck, ...]) -> tuple[tuple[Wait, ...], tuple[FailedCheck, ...]]:
    """Splits failed checks into what a stack waits for, and all others."""
    waits = tuple(
        Wait(check.address.removeprefix(CHECK), "; ".join(check.problems), has_state=True)
        for check in checks
        if _is_wait(check)
    )
    return waits, tuple(check for check in checks if not _is_wait(check))


def _is_wait(check: FailedCheck) -> bool:
    return check.status == "fail" and check.address.startswith(CHECK)
