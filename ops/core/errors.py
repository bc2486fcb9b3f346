"""Errors that a person is told in words, without a traceback."""

from collections.abc import Sequence


class OpsError(Exception):
    """Something that was asked for could not be done; the text says what, why and what to do.

    `status` is the exit status of the command: 1 for a failure, 2 for input that cannot be used.
    """

    status = 1


class UsageError(OpsError):
    """What was asked for cannot be done with this input."""

    status = 2


class ReleaseFailedError(OpsError):
    """A rollout, smoke test or bake failed. `reason` is one sentence, `details` are lines that explain it."""

    def __init__(self, reason: str, details: Sequence[str] = ()) -> None:
        self.reason = reason
        self.details = tuple(details)
        super().__init__("\n".join((reason, *details)))
