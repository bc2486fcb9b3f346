"""What a rollout, a smoke test or a bake ends with when the release does not do."""

from collections.abc import Sequence

from ops.errors import OpsError


class ReleaseFailedError(OpsError):
    """A release does not do what it has to. `reason` is one sentence, `details` are lines that explain it."""

    def __init__(self, reason: str, details: Sequence[str] = ()) -> None:
        self.reason = reason
        self.details = tuple(details)
        super().__init__("\n".join((reason, *details)))
