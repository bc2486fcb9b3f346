"""Errors that commands print without a traceback."""

from collections.abc import Sequence


class OpsError(Exception):
    """A command could not do what was asked; the text says what is wrong, why, and what to do.

    `status` is the exit status of the command: 1 for a failure, 2 for bad input.
    """

    status = 1


class UsageError(OpsError):
    """The input of a command is invalid."""

    status = 2


class ReleaseFailedError(OpsError):
    """A rollout, smoke test or bake failed; `reason` is one sentence, `details` are lines that explain it.

    `service` is what failed; it is empty if that may be any service of the release.
    """

    service = ""

    def __init__(self, reason: str, details: Sequence[str] = ()) -> None:
        self.reason = reason
        self.details = tuple(details)
        super().__init__("\n".join((reason, *details)))
